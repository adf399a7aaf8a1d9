/** What is found nearby, in the form in which it would stand in a configuration. */

export type EntryValue = string | readonly string[];

/** The keys of a store beside `type`. Values are as a file has them: `${NAME}` is a variable, `$${` a plain `${`. */
export type Entry = Readonly<Record<string, EntryValue>>;

export interface FoundStore {
  /** A name for it; others may have the same. */
  readonly name: string;
  readonly kind: string;
  readonly entry: Entry;
  /** Where it was found, for people: `./data/memory.db, 1.2 MB`. */
  readonly where: string;
  /** `host:port/name` or a path: two finds with the same one are the same store. Undefined where nobody knows. */
  readonly address: string | undefined;
  /** Keys whose values are the usual ones, and give way to what the engine itself says. */
  readonly guessed: readonly string[];
  /** What the entry needs and is not there; undefined when it can be used as it stands. */
  readonly lacking: string | undefined;
}

export interface FoundStorage {
  readonly name: string;
  readonly entry: Entry;
  readonly where: string;
}

export interface Discovery {
  readonly stores: readonly FoundStore[];
  readonly storages: readonly FoundStorage[];
  /** What was seen and is of no use as it is, and why, in sentences. */
  readonly remarks: readonly string[];
}

/** A value in which `${` is no variable. */
export function literal(text: string): string {
  return text.replaceAll("${", () => "$${");
}

/** One spelling for this machine, so that two finds of one server are seen to be one. */
export function addressOf(host: string, port: string | number, name = ""): string {
  const here = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?|0\.0\.0\.0)$/i.test(host);
  return `${here ? "127.0.0.1" : host.toLowerCase()}:${port}${name === "" ? "" : `/${name}`}`;
}
