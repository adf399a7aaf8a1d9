/** The SQLite adaptor: one database file, its rules in `readme.md`. */
import type { CollectionFacts } from "../../domain/manifest.ts";
import { refuseParts } from "../refuse-options.ts";
import type {
  DumpSource,
  MaintenanceTask,
  Probe,
  Restoration,
  RestoreOptions,
  RestorePlan,
  Store,
  StoreContext,
  StoreDescription,
  StoreKind,
  StoreRecord,
  View,
  Written,
} from "../store.ts";
import { openLive } from "./client.ts";
import type { SqliteConfig } from "./config.ts";
import { companionSuffixes, resolvePath } from "./database-file.ts";
import { engineName, engineVersion, dumpVersion } from "./dump.ts";
import { maintenanceTasks } from "./maintain.ts";
import { planMerge, stageMerge } from "./merge.ts";
import { planRestore } from "./restore-plan.ts";
import { decodeDump, stageRestore } from "./restore.ts";
import { probeDatabase } from "./probe.ts";
import { salvageView } from "./salvage.ts";
import { recoverSwitch, switchNames } from "./switch.ts";
import { openView } from "./view.ts";
import { writeRecords } from "./write.ts";

export const sqlite: StoreKind<SqliteConfig> = {
  kind: "sqlite",
  dumpVersion,
  connect: (config, context) => new SqliteStore(config, context),
  decode: (source, context): Promise<readonly CollectionFacts[]> => decodeDump(source, context),
};

class SqliteStore implements Store {
  readonly kind = "sqlite";
  readonly #config: SqliteConfig;
  readonly #context: StoreContext;

  constructor(config: SqliteConfig, context: StoreContext) {
    this.#config = config;
    this.#context = context;
  }

  get name(): string {
    return this.#context.name;
  }

  async describe(): Promise<StoreDescription> {
    await this.#recover();
    await using database = await openLive(this.#config, this.#context);
    const { file, pinned } = database;
    const names = switchNames(file.path);
    return {
      engine: { name: engineName, version: engineVersion() },
      source: file.path,
      estimatedBytes: pinned.pageCount * pinned.pageSize,
      identity: `file:${file.device}:${file.inode}`,
      localPaths: [
        file.path,
        ...companionSuffixes.map((suffix) => file.path + suffix),
        names.staged,
        names.switching,
        names.previous,
      ],
    };
  }

  async open(): Promise<View> {
    await this.#recover();
    return openView(this.#config, this.#context);
  }

  async salvage(): Promise<View | undefined> {
    return salvageView(await resolvePath(this.#config.path), this.#context);
  }

  async planRestore(source: DumpSource, options: RestoreOptions): Promise<RestorePlan> {
    refuseParts("sqlite", options);
    if (options.mode === "merge") return planMerge(source, options, this.#config, this.#context);
    return planRestore(source, options, this.#config, this.#context);
  }

  stage(plan: RestorePlan, source: DumpSource, options: RestoreOptions): Promise<Restoration> {
    const stage = options.mode === "merge" ? stageMerge : stageRestore;
    return stage(plan, source, options, this.#config, this.#context);
  }

  async write(collection: string, records: AsyncIterable<StoreRecord>): Promise<Written> {
    await this.#recover();
    return writeRecords(this.#config, this.#context, collection, records);
  }

  probe(): Promise<readonly Probe[]> {
    return probeDatabase(this.#config, this.#context);
  }

  maintenance(): Promise<readonly MaintenanceTask[]> {
    return Promise.resolve(maintenanceTasks(this.#config));
  }

  [Symbol.asyncDispose](): Promise<void> {
    // Views and restorations own what they opened.
    return Promise.resolve();
  }

  /** A restore that was killed while it switched is put right before anything is read. */
  async #recover(): Promise<void> {
    const outcome = await recoverSwitch(switchNames(await resolvePath(this.#config.path)));
    if (outcome === "nothing") return;
    this.#context.observer.warn(
      this.name,
      outcome === "undone"
        ? "an earlier restore was killed while it switched; the database is as it was before"
        : "an earlier restore was killed just after it switched; it is finished now",
    );
  }
}
