/** `memkeep unlock`: removes locks whose holders are gone. */
import { ExitCode } from "../../domain/errors.ts";
import type { LockInfo } from "../../repository/repository.ts";
import { type CommandModule, switchOption } from "../command.ts";
import { withRepository } from "../open.ts";
import { printable, type Style } from "../output/style.ts";
import { amountText, timeText } from "../../domain/words.ts";

interface UnlockReport {
  readonly removed: number;
  /** Locks that are still there. */
  readonly locks: readonly LockInfo[];
}

export const command: CommandModule = {
  examples: [
    { command: "memkeep unlock", text: "remove locks of processes that are certainly gone" },
    {
      command: "memkeep unlock --all",
      text: "remove every lock; only when nothing else works on the repository",
    },
  ],
  exits: [ExitCode.noRepository, ExitCode.wrongPassword],
  declare(command) {
    command.option("--all", "also those whose holders may still live");
  },
  run(context, _args, options) {
    return withRepository(context, [], async ({ repository }) => {
      const removed = await repository.unlock(switchOption(options, "all"));
      context.reporter.show("report", { removed, locks: await repository.locks() }, unlockView);
      return ExitCode.done;
    });
  },
};

function unlockView({ removed, locks }: UnlockReport, style: Style): string {
  return [
    `Removed ${amountText(removed, "lock")}.`,
    ...locks.map(
      ({ username, hostname, pid, time }) =>
        `${style.warn(style.signs.warn)} still held by ${printable(username)} on ${printable(hostname)} (pid ${pid}) since ${timeText(Date.parse(time))}`,
    ),
    ...(locks.length === 0
      ? []
      : ["If nothing works on the repository any more, `memkeep unlock --all` removes these too."]),
  ].join("\n");
}
