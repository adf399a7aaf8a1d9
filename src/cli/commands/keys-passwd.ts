/** `memkeep keys passwd`: a new password in the place of the one in use. */
import { findNewPassword } from "../../config/password.ts";
import { passwordWeakness } from "../../config/password-strength.ts";
import { ExitCode } from "../../domain/errors.ts";
import type { CommandModule } from "../command.ts";
import { withRepository } from "../open.ts";

export const command: CommandModule = {
  examples: [{ command: "memkeep keys passwd -r ./backups", text: "asks for the new password, twice" }],
  notes: [
    "The new password is read from MEMKEEP_NEW_PASSWORD, MEMKEEP_NEW_PASSWORD_FILE or MEMKEEP_NEW_PASSWORD_COMMAND, or asked for. Other keys stay. Do not forget to change it where memkeep reads it: the variable, the file, the platform's secret.",
  ],
  exits: [ExitCode.noRepository, ExitCode.locked, ExitCode.wrongPassword],
  declare: () => undefined,
  run(context) {
    return withRepository(context, [], async ({ repository, configured }) => {
      const secret = await findNewPassword(configured, await context.opening(true));
      const weakness = passwordWeakness(secret.reveal());
      if (weakness !== undefined) context.reporter.observer.warn("password", `the new password ${weakness}`);
      const id = await repository.replacePassword(secret.reveal());
      context.reporter.show("report", { id }, (_, style) => {
        return `${style.good(style.signs.good)} the key ${id.slice(0, 8)} with the new password replaces the old one`;
      });
      return ExitCode.done;
    });
  },
};
