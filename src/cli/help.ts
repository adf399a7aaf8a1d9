/** Help as people read it: examples first, then usage, options, notes, and the exit codes. */
import type { Command, Help } from "commander";
import { ExitCode } from "../domain/errors.ts";
import type { CommandModule, Example } from "./command.ts";
import { exitMeanings } from "./exit.ts";

/** Codes that every command can end with. */
const everywhere: readonly ExitCode[] = [
  ExitCode.done,
  ExitCode.failed,
  ExitCode.usage,
  ExitCode.interrupted,
];

/** Adds examples, notes and exit codes to the help that commander makes of a command. */
export function addPage(command: Command, page: Pick<CommandModule, "examples" | "notes" | "exits">): void {
  command.addHelpText("before", () => `${examplesText(page.examples)}\n`);
  const notes = (page.notes ?? []).join("\n\n");
  command.addHelpText("after", () => `${notes === "" ? "" : `\n${notes}\n`}\n${exitsText(page.exits)}`);
}

export function configureHelp(command: Command, columns: number): void {
  command.configureHelp({
    helpWidth: Math.min(100, columns),
    showGlobalOptions: true,
    sortOptions: false,
    subcommandTerm: (sub: Command) => sub.name(),
    styleTitle: (title: string) => title,
    visibleCommands: (parent: Command) => [...parent.commands],
  } satisfies Partial<Help>);
}

function examplesText(examples: readonly Example[]): string {
  return `Examples:\n${examples.map(({ command, text }) => `  # ${text}\n  ${command}`).join("\n")}`;
}

function exitsText(exits: readonly ExitCode[]): string {
  const codes = [...new Set([...everywhere, ...exits])].sort((a, b) => a - b);
  return `Exit codes:\n${codes.map((code) => `  ${String(code).padStart(3)}  ${exitMeanings[code]}`).join("\n")}`;
}
