/** From what is given for `--store` to an entry of the file. A secret in it is refused: the file would hold it in plain text. */
import { existsSync } from "node:fs";
import { isAbsolute, relative, resolve } from "node:path";
import { MemkeepError } from "../../domain/errors.ts";
import { storeKinds } from "../../stores/index.ts";
import { type Entry, type EntryValue, literal } from "../discover/found.ts";
import { readStores } from "../overrides.ts";
import type { DraftStore } from "./draft.ts";

/** What a URL can say; every other key of a kind has a default. */
const keysOfUrls = ["path", "url", "graph", "graphs", "database", "username", "collections", "prefix"];

/**
 * @param folder the configuration's: paths in it begin there.
 * @returns in the order given. `USAGE` for a URL that is none, for two of one name, and for one with a password in it.
 */
export async function storesFromUrls(given: readonly string[], folder: string): Promise<DraftStore[]> {
  const { names, urls } = readStores(given, { kind: "flag", name: "--store" }, []);
  if (names.length > 0) {
    throw new MemkeepError("USAGE", {
      tried: "understand --store",
      happened: `${names[0]!} is no path and no URL, and there is no configuration that could have a store of that name`,
      next: `For a file of that name write ./${names[0]!}.`,
    });
  }
  return Promise.all(
    urls.map(async ({ name, kind, url, bare }) => ({
      name,
      kind,
      entry: bare ? { path: pathFrom(folder, url) } : await entryOf(name, kind, url, folder),
      where: undefined,
    })),
  );
}

async function entryOf(name: string, kind: string, url: string, folder: string): Promise<Entry> {
  refusePassword(name, url);
  // psql's own form of URLs, which is kept as it is.
  if (kind === "postgres") return { url };
  const registration = Object.values(storeKinds).find((known) => known.kind === kind)!;
  const config = (await registration.config()).fromUrl(url) as Readonly<Record<string, unknown>>;
  const entry = Object.fromEntries(
    keysOfUrls.flatMap((key): [string, EntryValue][] => {
      const value = config[key] as EntryValue | undefined;
      return value === undefined || value === "" ? [] : [[key, value]];
    }),
  );
  return typeof entry["path"] === "string" ? { path: pathFrom(folder, entry["path"]) } : entry;
}

/** A variable in the place of the password is none. */
function refusePassword(name: string, url: string): void {
  const parts = /^[a-z+.-]+:\/\/[^/?#]*?:([^/?#]*)@|[?&]password=([^&#]*)/i.exec(url);
  const password = parts?.[1] ?? parts?.[2];
  if (password === undefined || password === "" || /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(password)) return;
  throw new MemkeepError("USAGE", {
    tried: `write the store ${name} into a configuration`,
    happened: "its URL holds a password, which would stand in the file",
    next: `Put the URL into a variable and leave --store away: \`memkeep init\` knows DATABASE_URL, FALKORDB_HOST, QDRANT_URL and NEO4J_URI. Or write the name of a variable in the place of the password, in single quotes: 'postgresql://me:\${MY_PASSWORD}@host/memory'.`,
  });
}

/** A path from here, as a file in `folder` has to say it. */
export function pathFrom(folder: string, path: string): string {
  // A shell has put its variables in; what is left is meant for the file, unless a file is called so.
  const text = path.includes("${") && existsSync(path) ? literal(path) : path;
  if (isAbsolute(text) || text === "~" || text.startsWith("~/")) return text;
  const there = relative(resolve(folder), resolve(text));
  return there.startsWith("..") ? there : `./${there}`;
}
