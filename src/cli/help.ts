/** Help as people read it: examples first, then usage, options, notes, and the exit codes. */
import type { Command, Help, Option } from "commander";
import { ExitCode } from "../domain/errors.ts";
import type { CommandModule, Example } from "./command.ts";
import { exitMeanings } from "./exit.ts";
import { wrap } from "./output/style.ts";

const widest = 100;

/** Codes that every command can end with. */
const everywhere: readonly ExitCode[] = [
  ExitCode.done,
  ExitCode.failed,
  ExitCode.usage,
  ExitCode.interrupted,
];

/** Adds examples, notes and exit codes to the help that commander makes of a command. */
export function addPage(command: Command, page: Pick<CommandModule, "examples" | "notes" | "exits">): void {
  const columns = command.createHelp().helpWidth ?? widest;
  command.addHelpText("before", () => `${examplesText(page.examples, columns)}\n`);
  const notes = (page.notes ?? []).map((note) => `\n${wrap(note, columns, "")}\n`).join("");
  command.addHelpText("after", () => `${notes}\n${exitsText(page.exits, columns)}`);
}

export function configureHelp(command: Command, columns: number): void {
  command.configureHelp({
    helpWidth: Math.min(widest, columns),
    // Of 60 columns 29 are left for the descriptions.
    minWidthToWrap: 20,
    showGlobalOptions: true,
    sortOptions: false,
    subcommandTerm: (sub: Command) => sub.name(),
    styleTitle: (title: string) => title,
    // The only defaults are empty lists, which tell nobody anything.
    optionDescription: (option: Option) => option.description,
  } satisfies Partial<Help>);
}

/** A command is not broken into lines: it is there to be copied. */
function examplesText(examples: readonly Example[], columns: number): string {
  const lines = examples.map(({ command, text }) => `${wrap(text, columns, "  # ")}\n  ${command}`);
  return ["Examples:", ...lines].join("\n");
}

function exitsText(exits: readonly ExitCode[], columns: number): string {
  const codes = [...new Set([...everywhere, ...exits])].sort((a, b) => a - b);
  const lines = codes.map((code) => {
    const words = wrap(exitMeanings[code], columns, " ".repeat(7)).trimStart();
    return `  ${String(code).padStart(3)}  ${words}`;
  });
  return ["Exit codes:", ...lines].join("\n");
}
