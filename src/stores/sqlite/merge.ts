/**
 * `--mode merge`: the records of a dump go into a database in use, as its application would write them. Everything happens in one
 * transaction that is open from the switch to the end of the comparison: a roll-back is SQLite's own, and so is the mending after a crash.
 */
import { randomBytes } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { MemkeepError } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import type {
  DumpSource,
  Restoration,
  RestoreOptions,
  RestorePlan,
  StoreContext,
  SwitchOutcome,
} from "../store.ts";
import { openLive } from "./client.ts";
import type { SqliteConfig } from "./config.ts";
import { examine, resolvePath } from "./database-file.ts";
import { dumpVersion } from "./dump.ts";
import { recordsByKey } from "./keys.ts";
import {
  type MergeTable,
  type MergeTables,
  type Side,
  SideFacts,
  changeFor,
  countOf,
  differenceOf,
  mergeTables,
  presentOf,
  walkTable,
} from "./merge-tables.ts";
import { type DumpCopy, copyOfDump } from "./restore.ts";
import { basisOf, restoreSource } from "./restore-plan.ts";
import { readCatalog } from "./schema.ts";
import { recoverSwitch, switchNames } from "./switch.ts";
import { TableWriter, openWritable, writeError } from "./write.ts";

const batchRecords = 200;
const exampleCount = 5;

/** See `Store.planRestore`. The dump is read and held against the database; nothing is changed. */
export async function planMerge(
  source: DumpSource,
  options: RestoreOptions,
  config: SqliteConfig,
  context: StoreContext,
): Promise<RestorePlan> {
  const destination = await mergeDestination(options, config);
  await recoverSwitch(switchNames(destination));
  const basis = await basisOf(destination, restoreSource(source), options);
  const obstacles = obstaclesOf(source);
  const actions = [
    "write the snapshot's records into the database in use, in one transaction; nothing is deleted",
  ];
  const changes: RestorePlan["changes"][number][] = [];
  if (obstacles.length === 0) {
    await using copy = await copyOfDump(source, context, scratchName());
    await using database = await openLive(config, context);
    using sides = new Sides(copy.path, new DatabaseSync(database.file.path, { readOnly: true }), context);
    for (const merged of sides.tables.compared) {
      const outcome = await planTable(sides, merged, context);
      if (outcome.obstacle !== undefined) obstacles.push(outcome.obstacle);
      if (outcome.action !== undefined) actions.push(outcome.action);
      if (outcome.change) changes.push(outcome.change);
    }
    const { leftAlone } = sides.tables;
    if (leftAlone.length > 0)
      actions.push(`leave to SQLite and to triggers what they keep themselves: ${leftAlone.join(", ")}`);
  }
  return {
    destination,
    actions,
    obstacles: obstacles.map((text) => ({ text, overridable: false })),
    changes,
    replacesData: true,
    basis,
  };
}

function obstaclesOf(source: DumpSource): string[] {
  const version = source.manifest.dumpVersion;
  if (version > dumpVersion)
    return [`the dump has version ${version}, this memkeep reads up to ${dumpVersion}: use a newer one`];
  return restoreSource(source).isRaw
    ? ["this snapshot holds the raw bytes of a damaged database: restore it with `--into FOLDER`"]
    : [];
}

async function mergeDestination({ target }: RestoreOptions, config: SqliteConfig): Promise<string> {
  if (target.kind === "in-place") return (await examine(await resolvePath(config.path))).path;
  throw new MemkeepError("STORE_UNSUPPORTED", {
    tried: "restore with --mode merge",
    happened: "a merge goes into the database in use, not to another place",
    next: "Leave --into out, or leave --mode out.",
  });
}

function scratchName(): string {
  return `merge-${randomBytes(4).toString("hex")}`;
}

/** The dump's copy and the database in use, both open. */
class Sides implements Disposable {
  readonly dump: DatabaseSync;
  readonly live: DatabaseSync;
  readonly tables: MergeTables;
  readonly #context: StoreContext;
  #scratches = 0;

  constructor(copyPath: string, live: DatabaseSync, context: StoreContext) {
    this.live = live;
    this.dump = new DatabaseSync(copyPath, { readOnly: true });
    this.tables = mergeTables(this.dump);
    this.#context = context;
  }

  /** Keys of the dump's table, with the rows on both sides. */
  walk({ table }: MergeTable): Generator<Side> {
    const stem = `${this.#context.spoolFolder}/${this.#context.name}-${scratchName()}-${++this.#scratches}`;
    return walkTable(this.dump, this.live, table, (side) => `${stem}-${side}.db`);
  }

  [Symbol.dispose](): void {
    if (this.dump.isOpen) this.dump.close();
    if (this.live.isOpen) this.live.close();
  }
}

async function planTable(
  sides: Sides,
  merged: MergeTable,
  { signal }: StoreContext,
): Promise<{ obstacle?: string; action?: string; change?: RestorePlan["changes"][number] }> {
  const { table, isWritable } = merged;
  const obstacle = differenceOf(table, readCatalog(sides.live), readCatalog(sides.dump));
  if (obstacle !== undefined) return { obstacle };
  const found = { insert: 0, update: 0, none: 0, impossible: 0 };
  const examples: string[] = [];
  for (const side of sides.walk(merged)) {
    const change = changeFor(side, isWritable);
    if (change !== "none" && examples.length < exampleCount)
      examples.push(Buffer.from(side.key).toString("utf8"));
    if (++found[change] % 10_000 === 0) await breathe(signal);
  }
  const recordsNow = countOf(sides.live, table);
  const change = { collection: table.name, recordsNow, recordsThen: recordsNow + found.insert };
  if (found.impossible > 0) return { obstacle: cannotTell(merged, found.impossible), change };
  if (found.insert + found.update === 0) return { change };
  const more = found.insert + found.update > examples.length ? ", …" : "";
  return {
    change,
    action: `${table.name}: insert ${found.insert}, update ${found.update} (${examples.map((key) => JSON.stringify(key)).join(", ")}${more})`,
  };
}

function cannotTell({ table, isWritable }: MergeTable, count: number): string {
  const why =
    table.key.length === 0
      ? "it has no primary key, so they cannot be told apart"
      : isWritable
        ? "several rows have one key"
        : "only its virtual table writes it";
  return `${count} records of the table ${table.name} are missing or other ones, and cannot be merged: ${why}`;
}

/** Timers of the run, such as those that keep a lock fresh, have their turn. */
async function breathe(signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await setImmediate();
}

/** See `Store.stage`. */
export async function stageMerge(
  plan: RestorePlan,
  source: DumpSource,
  options: RestoreOptions,
  config: SqliteConfig,
  context: StoreContext,
): Promise<Restoration> {
  const destination = await mergeDestination(options, config);
  if (plan.basis !== (await basisOf(destination, restoreSource(source), options))) {
    throw new MemkeepError("PLAN_STALE", {
      tried: `merge into ${destination}`,
      happened: "the database has changed since the plan was made",
      next: "Look at a new plan, or add --force to merge while others write: what they wrote stays where the snapshot has no such record.",
    });
  }
  const [obstacle] = plan.obstacles;
  if (obstacle)
    throw new MemkeepError("STORE_UNSUPPORTED", {
      tried: `merge into ${destination}`,
      happened: obstacle.text,
    });
  const copy = await copyOfDump(source, context, scratchName());
  try {
    await expectManifest(copy, source);
    return new Merge(destination, copy, config, context);
  } catch (error) {
    await copy[Symbol.asyncDispose]();
    throw error;
  }
}

async function expectManifest(copy: DumpCopy, { manifest }: DumpSource): Promise<void> {
  if (JSON.stringify(await copy.facts()) === JSON.stringify(manifest.collections)) return;
  throw new MemkeepError("DUMP_DAMAGED", {
    tried: "read the dump's database",
    happened: "its records are not those that the manifest names",
    next: "Run `memkeep verify --level decoded` on this snapshot, and restore another one.",
  });
}

class Merge implements Restoration {
  readonly comparable = "after-switch";
  readonly expected: readonly CollectionFacts[];
  readonly #path: string;
  readonly #copy: DumpCopy;
  readonly #context: StoreContext;
  readonly #sides: Sides;

  constructor(path: string, copy: DumpCopy, config: SqliteConfig, context: StoreContext) {
    this.#path = path;
    this.#copy = copy;
    this.#context = context;
    this.#sides = new Sides(copy.path, openWritable(path, config.busyTimeout), context);
    this.expected = this.#factsOf(({ dumped }) => dumped);
  }

  #factsOf(rows: (side: Side) => readonly Uint8Array[]): CollectionFacts[] {
    return this.#sides.tables.compared.map((merged) => {
      const facts = new SideFacts(merged.table.name);
      for (const side of this.#sides.walk(merged)) {
        this.#context.signal.throwIfAborted();
        facts.add(side.key, rows(side));
      }
      return facts.facts;
    });
  }

  facts(): Promise<readonly CollectionFacts[]> {
    return Promise.resolve(this.#factsOf(presentOf));
  }

  /** Writes everything and holds the transaction: others read on in WAL mode, and write when it has ended. */
  async switch(): Promise<SwitchOutcome> {
    const tried = `merge into ${this.#path}`;
    try {
      // Not only IMMEDIATE: without a WAL, a reader could otherwise keep the commit from happening.
      this.#sides.live.exec("BEGIN EXCLUSIVE");
      for (const merged of this.#sides.tables.compared) await this.#mergeTable(merged, tried);
    } catch (error) {
      throw writeError(error, this.#path, tried);
    }
    return { warnings: [] };
  }

  async #mergeTable(merged: MergeTable, tried: string): Promise<void> {
    const { observer, name, signal } = this.#context;
    const { table, isWritable } = merged;
    const { dump, live } = this.#sides;
    const { encoding } = readCatalog(dump);
    let writer: TableWriter | undefined;
    let keys: Uint8Array[] = [];
    const flush = async (): Promise<void> => {
      await breathe(signal);
      if (keys.length === 0) return;
      writer ??= new TableWriter(live, table.name, tried);
      writer.apply([...recordsByKey(dump, table, encoding, keys)]);
      keys = [];
      observer.progress(name, writer.written.inserted + writer.written.updated, undefined, "records");
    };
    for (const side of this.#sides.walk(merged)) {
      const change = changeFor(side, isWritable);
      if (change === "impossible")
        throw new MemkeepError("STORE_UNSUPPORTED", { tried, happened: cannotTell(merged, 1) });
      if (change !== "none") keys.push(side.key);
      if (keys.length >= batchRecords) await flush();
    }
    await flush();
    if (writer)
      observer.step(
        name,
        `${table.name}: ${writer.written.inserted} inserted, ${writer.written.updated} updated`,
      );
  }

  rollBack(): Promise<void> {
    const { live } = this.#sides;
    if (live.isOpen && live.isTransaction) live.exec("ROLLBACK");
    return Promise.resolve();
  }

  keep(): Promise<void> {
    this.#sides.live.exec("COMMIT");
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rollBack();
    this.#sides[Symbol.dispose]();
    await this.#copy[Symbol.asyncDispose]();
  }
}
