/** The commander program: options that every command has, and one command for each line of the table, loaded when used. */
import { Command } from "commander";
import { MemkeepError } from "../domain/errors.ts";
import type { CommandModule } from "./command.ts";
import { type CommandEntry, type CommandGroup, commandTable } from "./command-table.ts";
import { commonOptions } from "./common-options.ts";
import { addPage, configureHelp } from "./help.ts";

export interface ProgramParts {
  readonly version: string;
  /** Of the terminal, for help texts. */
  readonly columns: number;
  write(text: string): void;
  run(module: CommandModule, command: Command): Promise<void>;
}

export function buildProgram(parts: ProgramParts): Command {
  const program = new Command("memkeep")
    .description("Backs up the memory of AI systems as one recovery point, and proves that it restores.")
    .usage("[options] COMMAND")
    .version(`memkeep ${parts.version}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => parts.write(text),
      // Errors are told once, at the end.
      writeErr: () => undefined,
    });
  for (const option of commonOptions()) program.addOption(option);
  configureHelp(program, parts.columns);
  addPage(program, {
    examples: [
      { command: "memkeep init", text: "find what there is, ask, write memkeep.yaml, take a proven backup" },
      {
        command: "memkeep backup --store ./memory.db --repository ./backups",
        text: "back up a SQLite file, without a configuration",
      },
      { command: "memkeep verify --repository ./backups", text: "prove that the newest snapshot is good" },
      { command: "memkeep restore latest --repository ./backups --into ./restored", text: "bring it back" },
    ],
    notes: ["With a memkeep.yaml the flags are not needed: `memkeep config schema` tells what may be in it."],
    exits: [],
  });
  for (const entry of commandTable) addEntry(program, entry, parts);
  return program;
}

function addEntry(parent: Command, entry: CommandEntry | CommandGroup, parts: ProgramParts): void {
  const hidden = "hidden" in entry && entry.hidden;
  const command = parent
    .command(entry.name, { hidden })
    .summary(entry.summary)
    .description(sentence(entry.summary));
  command.helpGroup(entry.group).helpCommand(false);
  if ("commands" in entry) {
    for (const child of entry.commands) addEntry(command, child, parts);
    command.allowExcessArguments().action(async () => {
      const [word] = command.args;
      if (word === undefined) command.help();
      else throw await unknownIn(entry, word);
    });
    return;
  }
  let module: CommandModule;
  parent.hook("preSubcommand", async (_parent, chosen) => {
    if (chosen !== command) return;
    ({ command: module } = await entry.load());
    module.declare(command);
    addPage(command, module);
  });
  command.action(() => parts.run(module, command));
}

/** The library suggests commands of the first level alone. */
async function unknownIn({ name, commands }: CommandGroup, word: string): Promise<MemkeepError> {
  const { nearestName } = await import("../domain/nearest.ts");
  const known = commands.map((command) => command.name);
  const nearest = nearestName(word, known);
  return new MemkeepError("USAGE", {
    tried: `run memkeep ${name}`,
    happened: `there is no ${JSON.stringify(word.slice(0, 80))} in it; there are ${known.join(", ")}`,
    ...(nearest === undefined ? {} : { next: `Did you mean \`memkeep ${name} ${nearest}\`?` }),
  });
}

function sentence(clause: string): string {
  return `${clause.slice(0, 1).toUpperCase()}${clause.slice(1)}.`;
}
