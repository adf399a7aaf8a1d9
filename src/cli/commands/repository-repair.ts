/** `memkeep repository repair`: rebuilds what can be rebuilt from what is there. Removes no snapshot. */
import { ExitCode } from "../../domain/errors.ts";
import type { CommandModule } from "../command.ts";
import { tellNext } from "../next-command.ts";
import { withRepository } from "../open.ts";
import { printable, type Style } from "../output/style.ts";

export const command: CommandModule = {
  examples: [
    { command: "memkeep repository repair", text: "after `memkeep repository check` found something" },
  ],
  exits: [ExitCode.noRepository, ExitCode.locked, ExitCode.wrongPassword],
  declare: () => undefined,
  run(context) {
    return withRepository(context, [], async ({ repository }) => {
      context.reporter.show("report", { done: await repository.repair() }, repairView);
      tellNext(context, "verify --level stored");
      return ExitCode.done;
    });
  },
};

function repairView({ done }: { readonly done: readonly string[] }, style: Style): string {
  if (done.length === 0) return "There was nothing to repair.";
  return done.map((sentence) => `${style.signs.bullet} ${printable(sentence)}`).join("\n");
}
