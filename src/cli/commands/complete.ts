/** `memkeep complete -- WORDS`: a line for each candidate, `value<TAB>text`, and at the end whether files fit too. */
import { findConfigFile } from "../../config/find-file.ts";
import { ExitCode } from "../../domain/errors.ts";
import type { CommandModule } from "../command.ts";
import { candidates, type KnownNames } from "../completion/candidates.ts";
import { filesMark, noFilesMark } from "../completion/scripts.ts";
import type { Context } from "../context.ts";

export const command: CommandModule = {
  examples: [{ command: "memkeep complete -- backup --to ''", text: "what may follow" }],
  exits: [],
  declare(command) {
    command.argument("[words...]", "the words after memkeep; the last is what is completed");
  },
  async run(context, words) {
    const found = await candidates(words, context.commands, () => namesOf(context, words));
    context.reporter.show("data", found, ({ words, files }) =>
      [...words.map(({ value, text }) => `${value}\t${text}`), files ? filesMark : noFilesMark].join("\n"),
    );
    return ExitCode.done;
  },
};

/** Read without variables and without a word about what is wrong: somebody is typing. */
async function namesOf({ environment }: Context, words: readonly string[]): Promise<KnownNames> {
  const flag = words.findIndex((word) => word === "-c" || word === "--config");
  try {
    const found = await findConfigFile(flag < 0 ? undefined : words[flag + 1], environment);
    if (!found) return { stores: [], repositories: [] };
    const { readConfigFile } = await import("../../config/read-file.ts");
    const { value } = await readConfigFile(found.path);
    return { stores: keysIn(value, "stores"), repositories: keysIn(value, "repositories") };
  } catch {
    return { stores: [], repositories: [] };
  }
}

function keysIn(value: unknown, section: string): string[] {
  const entries = (value as Record<string, unknown> | null)?.[section];
  return entries !== null && typeof entries === "object" ? Object.keys(entries) : [];
}
