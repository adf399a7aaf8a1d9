/** `memkeep export SNAPSHOT DIR`: plain files that need no memkeep, with checksums; or one store as SQL. */
import { ExitCode, MemkeepError } from "../../domain/errors.ts";
import { collect, type CommandModule, type CommandOptions, listOption, textOption } from "../command.ts";
import type { Context } from "../context.ts";
import { findSnapshot, type Opened, withRepository } from "../open.ts";
import { exportView } from "../views/export.ts";

export const command: CommandModule = {
  examples: [
    { command: "memkeep export latest ./plain", text: "all dump files of the newest snapshot" },
    { command: "(cd ./plain && sha256sum -c SHA256SUMS)", text: "check them, at any time, without memkeep" },
  ],
  notes: [
    "--format sql writes a PostgreSQL store as SQL to standard output, for psql -v ON_ERROR_STOP=1. When it ends with another code than 0, what it wrote is not whole.",
  ],
  exits: [ExitCode.noRepository, ExitCode.wrongPassword],
  declare(command) {
    command
      .argument("<snapshot>", "latest, latest:STACK, or the beginning of an id")
      .argument("[dir]", "a folder that does not exist yet, or is empty")
      .option("-s, --store <name>", "only this store; may be repeated", collect, [])
      .option("--format <format>", "files (default), or sql: a PostgreSQL store on standard output")
      .option("--at <time>", 'with latest: the newest at or before, such as "2026-11-20 02:00"');
  },
  run(context, [text = "", folder], options) {
    const stores = listOption(options, "store");
    const isSql = formatOption(options) === "sql";
    if (isSql !== (folder === undefined) || (isSql && stores.length > 1)) {
      throw new MemkeepError("USAGE", {
        tried: isSql ? "export as SQL" : "export",
        happened: isSql
          ? "it is written to standard output, and holds one store"
          : "no folder was named for the files",
        next: isSql
          ? "Write `memkeep export latest --format sql --store NAME > memory.sql`."
          : "See `memkeep export --help`.",
      });
    }
    return withRepository(context, [], async (opened) => {
      const info = await findSnapshot(context, opened, text, textOption(options, "at"));
      if (folder === undefined) return writeSql(context, opened, info.id, stores[0]);
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

async function writeSql(
  context: Context,
  { loaded, repository }: Opened,
  snapshot: string,
  store: string | undefined,
): Promise<ExitCode> {
  const { openStack } = await import("../../config/open-stack.ts");
  const { exportSql } = await import("../../engine/export/sql.ts");
  const stack = await openStack(loaded.configuration, await context.opening());
  await using _guard = await repository.guard();
  const script = exportSql(await repository.open(snapshot), store, stack, context.surroundings());
  for await (const bytes of script) if (!(await context.stdout.writeBytes(bytes))) break;
  return ExitCode.done;
}

function formatOption(options: CommandOptions): "files" | "sql" {
  const format = textOption(options, "format") ?? "files";
  if (format === "files" || format === "sql") return format;
  throw new MemkeepError("USAGE", {
    tried: `export with --format ${format}`,
    happened: "there are files and sql",
    next: "See `memkeep export --help`.",
  });
}
