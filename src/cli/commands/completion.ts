/** `memkeep completion SHELL`: prints the script that completes commands, options and names. */
import { Argument } from "commander";
import { ExitCode } from "../../domain/errors.ts";
import type { CommandModule } from "../command.ts";
import { scripts, type Shell, shells } from "../completion/scripts.ts";

export const command: CommandModule = {
  examples: [
    { command: "source <(memkeep completion bash)", text: "for this shell; for all, a line of ~/.bashrc" },
    { command: "memkeep completion zsh > ~/.zfunc/_memkeep", text: "with ~/.zfunc in $fpath" },
    { command: "memkeep completion fish > ~/.config/fish/completions/memkeep.fish", text: "for fish" },
  ],
  exits: [],
  declare(command) {
    command.addArgument(new Argument("<shell>", "bash, zsh or fish").choices(shells));
  },
  run(context, [shell]) {
    context.reporter.show("data", scripts[shell as Shell], (script) => script);
    return Promise.resolve(ExitCode.done);
  },
};
