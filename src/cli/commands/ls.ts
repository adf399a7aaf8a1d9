/** `memkeep ls SNAPSHOT [path]`. */
import { ExitCode, MemkeepError } from "../../domain/errors.ts";
import { type CommandModule, textOption } from "../command.ts";
import { findSnapshot, withRepository } from "../open.ts";
import { printable, type Style } from "../output/style.ts";
import { tableText } from "../output/table.ts";
import { sizeText } from "../../domain/words.ts";

interface FileList {
  readonly snapshot: string;
  readonly time: string;
  readonly files: readonly { readonly path: string; readonly sizeBytes: number }[];
}

export const command: CommandModule = {
  examples: [
    { command: "memkeep ls latest", text: "every file of the newest snapshot" },
    { command: "memkeep ls 1f3a9c memory", text: "one store of another" },
  ],
  exits: [ExitCode.noRepository, ExitCode.wrongPassword],
  declare(command) {
    command
      .argument("<snapshot>", "latest, latest:STACK, or the beginning of an id")
      .argument("[path]", "a folder or file in it")
      .option("--at <time>", 'with latest: the newest at or before, such as "2026-11-20 02:00"');
  },
  run(context, [text = "", below], options) {
    return withRepository(context, [], async (opened) => {
      const info = await findSnapshot(context, opened, text, textOption(options, "at"));
      const all = await (await opened.repository.open(info.id)).files();
      const folder = below?.replace(/^\/+|\/+$/g, "") ?? "";
      const files = all.filter(
        ({ path }) => folder === "" || path === folder || path.startsWith(`${folder}/`),
      );
      if (files.length === 0 && folder !== "") {
        throw new MemkeepError("SNAPSHOT_NOT_FOUND", {
          tried: `list ${printable(folder)} of snapshot ${info.id.slice(0, 8)}`,
          happened: "it has no such file or folder",
          next: `Run \`memkeep ls ${info.id.slice(0, 8)}\` to see what it has.`,
        });
      }
      context.reporter.show("data", { snapshot: info.id, time: info.time, files }, listView);
      return ExitCode.done;
    });
  },
};

function listView({ files }: FileList, style: Style): string {
  const rows = files.map(({ path, sizeBytes }) => [sizeText(sizeBytes), path]);
  return tableText([{ title: "SIZE", align: "right" }, { title: "PATH" }], rows, style);
}
