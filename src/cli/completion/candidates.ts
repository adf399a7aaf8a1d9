/** What could stand where the cursor is: commands, options, values of options, names of the configuration. */
import { Command, type Option } from "commander";
import { commonOptions } from "../common-options.ts";

/** What of a command, or a group of them, must be known. */
export interface Completable {
  readonly name: string;
  readonly summary: string;
  readonly hidden?: boolean;
  /** Of a group. */
  readonly commands?: readonly Completable[];
  /** Of a command: loads it, so that it can say its options and arguments. */
  readonly load?: () => Promise<{ readonly command: { declare(command: Command): void } }>;
}

export interface Candidate {
  readonly value: string;
  /** Shown by the shells that show such. */
  readonly text: string;
}

export interface Candidates {
  readonly words: readonly Candidate[];
  /** Names of files may stand here too. */
  readonly files: boolean;
}

/** Names that the configuration file has. */
export interface KnownNames {
  readonly stores: readonly string[];
  readonly repositories: readonly string[];
}

const nothing: Candidates = { words: [], files: false };

/**
 * @param words what stands after `memkeep` up to the cursor; the last is the beginning of the word that is wanted, and
 * may be empty. All candidates are given, whatever their beginning: the shell chooses.
 */
export async function candidates(
  words: readonly string[],
  table: readonly Completable[],
  names: () => Promise<KnownNames>,
): Promise<Candidates> {
  const before = words.slice(0, -1);
  const last = words.at(-1) ?? "";
  const { command, level, inside } = await commandOf(before, table);
  const options = [...command.options, ...commonOptions()];
  const option = optionNamed(options, before.at(-1));
  if (option && takesValue(option)) return valuesOf(option.attributeName(), option.argChoices, names);
  if (last.startsWith("-")) return { words: options.flatMap(flagsOf), files: false };
  if (level.length > 0)
    return { words: level.map(({ name, summary }) => ({ value: name, text: summary })), files: false };
  const place = positionals(inside, options).length;
  const argument =
    command.registeredArguments[place] ?? command.registeredArguments.findLast(({ variadic }) => variadic);
  return argument ? valuesOf(argument.name(), argument.argChoices, names) : nothing;
}

interface Found {
  /** With the options and arguments of the command; none where it is not chosen yet. */
  readonly command: Command;
  /** Commands that may be next. */
  readonly level: readonly Completable[];
  /** The words after the command. */
  readonly inside: readonly string[];
}

async function commandOf(words: readonly string[], table: readonly Completable[]): Promise<Found> {
  const command = new Command();
  let level: readonly Completable[] = table.filter(({ hidden }) => hidden !== true);
  for (const [index, word] of words.entries()) {
    if (word.startsWith("-") || optionOf(words, index)) continue;
    const entry = level.find(({ name }) => name === word);
    if (!entry) return { command, level: [], inside: [] };
    if (entry.commands) {
      level = entry.commands;
      continue;
    }
    (await entry.load?.())?.command.declare(command);
    return { command, level: [], inside: words.slice(index + 1) };
  }
  return { command, level, inside: [] };
}

/** True where the word is the value of one of the common options: `memkeep -c file backup`. */
function optionOf(words: readonly string[], index: number): boolean {
  const option = optionNamed(commonOptions(), words[index - 1]);
  return option !== undefined && takesValue(option);
}

function positionals(words: readonly string[], options: readonly Option[]): string[] {
  return words.filter((word, index) => {
    const option = optionNamed(options, words[index - 1]);
    return !word.startsWith("-") && !(option && takesValue(option));
  });
}

function optionNamed(options: readonly Option[], flag: string | undefined): Option | undefined {
  return flag === undefined ? undefined : options.find(({ short, long }) => flag === short || flag === long);
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional;
}

function flagsOf({ short, long, description }: Option): Candidate[] {
  return [long, short].flatMap((flag) => (flag ? [{ value: flag, text: description }] : []));
}

/** By the name of the option or argument, which means the same in every command. */
async function valuesOf(
  name: string,
  choices: readonly string[] | undefined,
  names: () => Promise<KnownNames>,
): Promise<Candidates> {
  const plain = (values: readonly string[], text: string): Candidate[] =>
    values.map((value) => ({ value, text }));
  if (choices) return { words: plain(choices, ""), files: false };
  switch (name) {
    case "store":
      return { words: plain((await names()).stores, "a store of the configuration"), files: true };
    case "repository":
    case "to":
    case "from":
      return { words: plain((await names()).repositories, "a repository of the configuration"), files: true };
    case "snapshot":
      return { words: [{ value: "latest", text: "the newest snapshot" }], files: false };
    case "level":
      return {
        words: [
          { value: "stored", text: "every byte hashes to its name" },
          { value: "decoded", text: "every dump file has the records of the manifest" },
          { value: "restored", text: "a drill" },
        ],
        files: false,
      };
    default:
      return { words: [], files: ["config", "into", "folder", "path"].includes(name) };
  }
}
