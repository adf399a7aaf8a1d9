/** `memkeep restore SNAPSHOT`: shows its plan, and does it with `--apply`. Into a new folder it goes at once: nothing is replaced there. */
import { ExitCode, MemkeepError } from "../../domain/errors.ts";
import type { RestoreChoice } from "../../engine/restore/plan.ts";
import {
  collect,
  type CommandModule,
  type CommandOptions,
  listOption,
  switchOption,
  textOption,
} from "../command.ts";
import type { RestoreOptions } from "../../stores/store.ts";
import type { Context } from "../context.ts";
import { quoted } from "../next-command.ts";
import { findSnapshot, type Opened, withRepository } from "../open.ts";
import { exportView } from "../views/export.ts";
import { restorePlanView, restoreView } from "../views/restore.ts";

export const command: CommandModule = {
  examples: [
    { command: "memkeep restore latest", text: "show what would be done" },
    { command: "memkeep restore latest --apply", text: "do it" },
    {
      command: 'memkeep restore latest --at "2026-11-20 02:00" --store memory --apply',
      text: "one store, as it was",
    },
    {
      command: "memkeep restore latest --repository /media/usb/backups --into ./restored",
      text: "on an empty machine: everything, into a new folder",
    },
  ],
  notes: [
    "Before anything is replaced, a safety snapshot of it is taken. What came back is compared with the manifest; when it differs, everything is put back as it was.",
    "--schema and --table restore a part of a PostgreSQL store, with its sequences, indexes and triggers; the rest of the database stays as it is. Roles and tablespaces come back only with --globals.",
    "--mode merge puts the records of the snapshot into a store in use, by their keys: the plan says what would be inserted and updated, and nothing is deleted.",
    "--into takes a new folder, for the dump files of all stores, or the URL of one store (sqlite:./copy.db).",
  ],
  exits: [ExitCode.noRepository, ExitCode.locked, ExitCode.wrongPassword],
  declare(command) {
    command
      .argument("<snapshot>", "latest, latest:STACK, or the beginning of an id")
      .option(
        "-s, --store <store>",
        "only this store, by name; or a path or URL; may be repeated",
        collect,
        [],
      )
      .option("--at <time>", 'with latest: the newest at or before, such as "2026-11-20 02:00"')
      .option("--into <dir|url>", "elsewhere: a new folder, or the URL of a store")
      .option("--mode <mode>", "replace (default), or merge: insert and update, delete nothing")
      .option("--schema <schema>", "PostgreSQL: only this schema; may be repeated", collect, [])
      .option("--table <table>", "PostgreSQL: only this table (SCHEMA.TABLE); may be repeated", collect, [])
      .option("--globals", "PostgreSQL: also roles without passwords, and tablespaces")
      .option("--discard-old", "PostgreSQL: do not keep the database that is replaced")
      .option("--apply", "do it")
      .option("-f, --force", "although a program has the store open");
  },
  run(context, [text = ""], options) {
    const into = textOption(options, "into");
    const mode = modeOption(options);
    const part = partOptions(options);
    const url = into !== undefined && /^[a-z][a-z0-9+.-]+:/i.test(into) ? into : undefined;
    if (mode === "merge" && into !== undefined && url === undefined)
      throw refusedMode(mode, "a folder is always a new one");
    if (into !== undefined && url === undefined && Object.keys(part).length > 0) {
      throw new MemkeepError("USAGE", {
        tried: "restore a part, globals, or without the old database",
        happened: "a folder gets whole dump files, and replaces nothing",
        next: "Leave --into out, or give it the URL of a database.",
      });
    }
    return withRepository(context, listOption(options, "store"), async (opened) => {
      const info = await findSnapshot(context, opened, text, textOption(options, "at"));
      const snapshot = await opened.repository.open(info.id);
      const stores = opened.loaded.chosenStores;
      if (into !== undefined && url === undefined) {
        const { exportSnapshot } = await import("../../engine/export/run.ts");
        await using _guard = await opened.repository.guard();
        const report = await exportSnapshot(snapshot, into, stores, context.surroundings());
        context.reporter.show("report", report, exportView);
        return ExitCode.done;
      }
      refuseNowhere(opened);
      const choice: RestoreChoice = {
        snapshot,
        stores,
        // Elsewhere nothing is in the way of the application, nor it in ours.
        commands: url === undefined ? opened.loaded.configuration.restore : undefined,
        options: {
          target: url === undefined ? { kind: "in-place" } : { kind: "into", target: url },
          force: switchOption(options, "force"),
          ...(mode === undefined ? {} : { mode }),
          ...part,
        },
      };
      if ((url !== undefined || part.only) && (await storeCount(choice)) !== 1) {
        throw new MemkeepError("USAGE", {
          tried: url === undefined ? "restore a part" : `restore into ${context.redactor.text(url)}`,
          happened: "it takes one store, and the snapshot has several",
          next: url === undefined ? "Name it with --store." : "Name it with --store, or give a folder.",
        });
      }
      return inPlace(context, opened, choice, switchOption(options, "apply"));
    });
  },
};

function modeOption(options: CommandOptions): RestoreOptions["mode"] {
  const mode = textOption(options, "mode");
  if (mode === undefined || mode === "replace" || mode === "merge") return mode;
  throw refusedMode(mode, "there are replace and merge");
}

function partOptions(options: CommandOptions): Pick<RestoreOptions, "only" | "globals" | "discardOld"> {
  const [schemas, collections] = [listOption(options, "schema"), listOption(options, "table")];
  const only = {
    ...(schemas.length > 0 ? { schemas } : {}),
    ...(collections.length > 0 ? { collections } : {}),
  };
  return {
    ...(Object.keys(only).length > 0 ? { only } : {}),
    ...(switchOption(options, "globals") ? { globals: true } : {}),
    ...(switchOption(options, "discardOld") ? { discardOld: true } : {}),
  };
}

function refusedMode(mode: string, happened: string): MemkeepError {
  return new MemkeepError("USAGE", {
    tried: `restore with --mode ${mode}`,
    happened,
    next: "See `memkeep restore --help`.",
  });
}

async function inPlace(
  context: Context,
  { loaded, repository }: Opened,
  choice: RestoreChoice,
  apply: boolean,
): Promise<ExitCode> {
  const { openStack } = await import("../../config/open-stack.ts");
  const { applyRestore, planRestore } = await import("../../engine/restore/run.ts");
  const own = await openStack(loaded.configuration, await context.opening());
  // The snapshot's stack is what a safety snapshot belongs to.
  const stack = { ...own, name: loaded.configuration.stack ?? choice.snapshot.info.stack ?? own.name };
  const { reporter } = context;
  if (!apply) {
    const plan = await planRestore(stack, repository, choice, context.surroundings());
    reporter.show("data", plan, restorePlanView);
    const more = process.argv.slice(2).map(quoted).join(" ");
    if (plan.applicable) reporter.note("Nothing was changed. To do it:", `memkeep ${more} --apply`);
    else reporter.note("Nothing was changed. Clear away what stands in the way first.");
    return ExitCode.done;
  }
  const report = await applyRestore(stack, repository, choice, context.surroundings());
  reporter.show("report", report, restoreView);
  return ExitCode.done;
}

async function storeCount({ snapshot, stores }: RestoreChoice): Promise<number> {
  if (stores) return stores.length;
  const { readManifest } = await import("../../engine/manifest.ts");
  return Object.keys((await readManifest(snapshot)).stores).length;
}

function refuseNowhere({ loaded }: Opened): void {
  if (loaded.configuration.stores.length > 0) return;
  throw new MemkeepError("USAGE", {
    tried: "restore",
    happened: "nothing says where to: no store was named, and there is no configuration file",
    next: "Add --into ./restored for a new folder, or --store ./memory.db for a file in its place.",
  });
}
