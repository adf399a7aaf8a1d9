/** `memkeep export SNAPSHOT DIR`: plain files that need no memkeep, with checksums. */
import { ExitCode } from "../../domain/errors.ts";
import { collect, type CommandModule, listOption, textOption } from "../command.ts";
import { findSnapshot, withRepository } from "../open.ts";
import { exportView } from "../views/export.ts";

export const command: CommandModule = {
  examples: [
    { command: "memkeep export latest ./plain", text: "all dump files of the newest snapshot" },
    { command: "(cd ./plain && sha256sum -c SHA256SUMS)", text: "check them, at any time, without memkeep" },
  ],
  exits: [ExitCode.noRepository, ExitCode.wrongPassword],
  declare(command) {
    command
      .argument("<snapshot>", "latest, latest:STACK, or the beginning of an id")
      .argument("<dir>", "a folder that does not exist yet, or is empty")
      .option("-s, --store <name>", "only this store; may be repeated", collect, [])
      .option("--at <time>", 'with latest: the newest at or before, such as "2026-11-20 02:00"');
  },
  run(context, [text = "", folder = ""], options) {
    const stores = listOption(options, "store");
    return withRepository(context, [], async (opened) => {
      const info = await findSnapshot(context, opened, text, textOption(options, "at"));
      const { exportSnapshot } = await import("../../engine/export/run.ts");
      await using _guard = await opened.repository.guard();
      const report = await exportSnapshot(
        await opened.repository.open(info.id),
        folder,
        stores.length === 0 ? undefined : stores,
        context.surroundings(),
      );
      context.reporter.show("report", report, exportView);
      return ExitCode.done;
    });
  },
};
