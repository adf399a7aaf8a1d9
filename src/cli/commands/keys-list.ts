/** `memkeep keys list`: which passwords open the repository, as far as that may be shown. */
import { timeText } from "../../domain/words.ts";
import { ExitCode } from "../../domain/errors.ts";
import type { KeyInfo } from "../../repository/repository.ts";
import type { CommandModule } from "../command.ts";
import { withRepository } from "../open.ts";
import type { Style } from "../output/style.ts";
import { tableText } from "../output/table.ts";

export const command: CommandModule = {
  examples: [{ command: "memkeep keys list -r ./backups", text: "who made which key, and when" }],
  exits: [ExitCode.noRepository, ExitCode.wrongPassword],
  declare: () => undefined,
  run(context) {
    return withRepository(context, [], async ({ repository }) => {
      context.reporter.show("data", await repository.keys(), keysView);
      return ExitCode.done;
    });
  },
};

function keysView(keys: readonly KeyInfo[], style: Style): string {
  const columns = [{ title: "ID" }, { title: "CREATED" }, { title: "BY", flexible: true }, { title: "" }];
  const rows = keys.map(({ id, created, username, hostname, current, recovery }) => [
    id.slice(0, 8),
    created === "" ? "unreadable" : timeText(Date.parse(created)),
    recovery ? `recovery key, made on ${hostname}` : `${username} at ${hostname}`,
    current ? "in use" : "",
  ]);
  return tableText(columns, rows, style);
}
