/** `memkeep keys add`: one more password, thought up or random. */
import { findNewPassword } from "../../config/password.ts";
import { passwordWeakness } from "../../config/password-strength.ts";
import { ExitCode } from "../../domain/errors.ts";
import { newRecoveryKey } from "../../domain/recovery-key.ts";
import { type CommandModule, switchOption } from "../command.ts";
import { withRepository } from "../open.ts";
import type { Style } from "../output/style.ts";

interface AddedKey {
  readonly id: string;
  /** Shown this one time. */
  readonly recoveryKey?: string;
}

export const command: CommandModule = {
  examples: [
    { command: "memkeep keys add -r ./backups", text: "asks for the new password, twice" },
    { command: "memkeep keys add --recovery -r ./backups", text: "makes a random one, to be kept on paper" },
  ],
  notes: [
    "The new password is read from MEMKEEP_NEW_PASSWORD, MEMKEEP_NEW_PASSWORD_FILE or MEMKEEP_NEW_PASSWORD_COMMAND, or asked for. Every password opens the whole repository.",
  ],
  exits: [ExitCode.noRepository, ExitCode.locked, ExitCode.wrongPassword],
  declare(command) {
    command.option("--recovery", "a random key, printed once");
  },
  run(context, _args, options) {
    return withRepository(context, [], async ({ repository, configured }) => {
      if (switchOption(options, "recovery")) {
        const recoveryKey = newRecoveryKey();
        const id = await repository.addKey(recoveryKey, { recovery: true });
        context.reporter.show("data", { id, recoveryKey }, addedView);
        context.reporter.note(
          "It is shown this once. Write it down, hyphens and all, and keep it away from this machine: it opens the repository as the password does.",
        );
        return ExitCode.done;
      }
      const secret = await findNewPassword(configured, await context.opening(true));
      const weakness = passwordWeakness(secret.reveal());
      if (weakness !== undefined) context.reporter.observer.warn("password", `the new password ${weakness}`);
      const id = await repository.addKey(secret.reveal());
      context.reporter.show("report", { id }, addedView);
      return ExitCode.done;
    });
  },
};

function addedView({ id, recoveryKey }: AddedKey, style: Style): string {
  const added = `${style.good(style.signs.good)} added the key ${id.slice(0, 8)}`;
  return recoveryKey === undefined ? added : `${added}\n\n  ${style.bold(recoveryKey)}\n`;
}
