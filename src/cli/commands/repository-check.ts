/** `memkeep repository check`: what binds the repository together; with `--data` every byte. */
import { ExitCode } from "../../domain/errors.ts";
import { type CommandModule, switchOption } from "../command.ts";
import { tellNext } from "../next-command.ts";
import { withRepository } from "../open.ts";
import { checkView } from "../views/check.ts";

export const command: CommandModule = {
  examples: [
    { command: "memkeep repository check", text: "quickly: indexes, trees, and whether every pack is there" },
    { command: "memkeep repository check --data", text: "read and check every byte" },
  ],
  notes: ["`memkeep verify --level stored` reads every byte too, and records the proof."],
  exits: [ExitCode.noRepository, ExitCode.locked, ExitCode.wrongPassword],
  declare(command) {
    command.option("--data", "read every byte");
  },
  run(context, _args, options) {
    return withRepository(context, [], async ({ repository }) => {
      await using _guard = await repository.guard();
      const report = await repository.check({ data: switchOption(options, "data"), signal: context.signal });
      context.reporter.show("data", report, checkView);
      if (report.findings.length === 0) return ExitCode.done;
      tellNext(context, "repository repair");
      return ExitCode.failed;
    });
  },
};
