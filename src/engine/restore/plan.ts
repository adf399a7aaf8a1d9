/** Asks every store what a restore would do. Changes nothing. */
import { MemkeepError } from "../../domain/errors.ts";
import type { Manifest } from "../../domain/manifest.ts";
import type { SnapshotReader } from "../../repository/repository.ts";
import type { DumpSource, RestoreOptions, Store, StoreContext } from "../../stores/store.ts";
import { countRecords } from "../backup/dump-store.ts";
import { dumpSource, readManifest, refuseNewerDump } from "../manifest.ts";
import type { Stack, Surroundings } from "../stack.ts";
import type { RestoreCommands } from "./commands.ts";
import type { PlannedStore, StackRestorePlan } from "./report.ts";

/** A store that takes part in a restore, connected. */
export interface RestoringStore extends PlannedStore {
  readonly store: Store;
  readonly source: DumpSource;
}

export interface PreparedRestore {
  readonly plan: StackRestorePlan;
  readonly manifest: Manifest;
  readonly stores: readonly RestoringStore[];
}

export interface RestoreChoice {
  /** Run around a restore in place; elsewhere nothing needs to stop. */
  readonly commands?: RestoreCommands | undefined;
  readonly snapshot: SnapshotReader;
  /** Names of stores; all of the snapshot when undefined. */
  readonly stores: readonly string[] | undefined;
  readonly options: RestoreOptions;
}

/** Connects the stores and plans. The caller disposes `stores[].store`. */
export async function prepareRestore(
  stack: Stack,
  choice: RestoreChoice,
  surroundings: Surroundings,
  spoolFolder: string,
): Promise<PreparedRestore> {
  const manifest = await readManifest(choice.snapshot);
  const stores: RestoringStore[] = [];
  for (const name of choice.stores ?? Object.keys(manifest.stores)) {
    const source = dumpSource(choice.snapshot, manifest, name);
    const configured = stack.stores.find((store) => store.name === name);
    if (!configured || configured.kind !== source.manifest.kind)
      throw notConfigured(name, source, configured?.kind);
    refuseNewerDump(name, source, configured.dumpVersion);
    const context: StoreContext = { ...surroundings, name, spoolFolder };
    const store = configured.connect(context);
    const plan = await store.planRestore(source, choice.options);
    const sizeBytes = source.manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0);
    stores.push({
      name,
      kind: configured.kind,
      store,
      source,
      plan,
      records: countRecords(source.manifest),
      sizeBytes,
    });
  }
  const obstacles = stores.flatMap(({ plan }) => plan.obstacles);
  const applicable = obstacles.every(({ overridable }) => overridable && choice.options.force);
  const { id, time } = choice.snapshot.info;
  return {
    manifest,
    stores,
    plan: {
      snapshot: id,
      time,
      applicable,
      ...(choice.commands?.before ? { before: choice.commands.before } : {}),
      ...(choice.commands?.after ? { after: choice.commands.after } : {}),
      stores: stores.map(({ name, kind, plan, records, sizeBytes }) => ({
        name,
        kind,
        plan,
        records,
        sizeBytes,
      })),
    },
  };
}

function notConfigured(name: string, source: DumpSource, kind: string | undefined): MemkeepError {
  return new MemkeepError("CONFIG_INVALID", {
    tried: `restore the store ${name}`,
    happened:
      kind === undefined
        ? "the configuration has no store of that name"
        : `it is ${source.manifest.kind} in the snapshot and ${kind} in the configuration`,
    next: "Name others with --store, or bring the dump files into a folder with --into DIR.",
  });
}
