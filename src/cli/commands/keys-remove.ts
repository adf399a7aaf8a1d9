/** `memkeep keys remove ID`: a password that opens the repository no more. */
import { ExitCode } from "../../domain/errors.ts";
import type { CommandModule } from "../command.ts";
import { withRepository } from "../open.ts";

export const command: CommandModule = {
  examples: [{ command: "memkeep keys remove 1f3a9c -r ./backups", text: "as `memkeep keys list` shows it" }],
  notes: [
    "Whoever had that password may have kept the master key, which stays the same: after a theft make a new repository.",
  ],
  exits: [ExitCode.noRepository, ExitCode.locked, ExitCode.wrongPassword],
  declare(command) {
    command.argument("<id>", "the beginning of a key's id");
  },
  run(context, [id = ""]) {
    return withRepository(context, [], async ({ repository }) => {
      const removed = await repository.removeKey(id);
      context.reporter.show("report", { removed: removed.id }, (_, style) => {
        return `${style.good(style.signs.good)} removed the key ${removed.id.slice(0, 8)}`;
      });
      return ExitCode.done;
    });
  },
};
