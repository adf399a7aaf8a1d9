/** What a merge would do: rows of the dump that the database lacks or has otherwise, by the key of each table. */
import { hash } from "node:crypto";
import { MemkeepError } from "../../domain/errors.ts";
import { amountText, countText } from "../../domain/words.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { DumpSource, RestoreOptions, RestorePlan, Written } from "../store.ts";
import { type ArchiveContents } from "./archive/contents.ts";
import { largeObjects } from "./archive/digest-large-objects.ts";
import { contentsOf } from "./archive-loader.ts";
import { type Session, openSession } from "./client.ts";
import { sourceOf } from "./connection.ts";
import { readTables } from "./decode.ts";
import { readTable } from "./read-table.ts";
import { listTables } from "./schema.ts";
import { type Selection, expectedFacts, selectEntries } from "./selection.ts";
import type { TableEntry } from "./tables-file.ts";
import { type Existing, type Situation, type Target, readSituation, targetOf } from "./target.ts";
import type { Surroundings } from "./view.ts";
import { type WritableTable, writableTables } from "./writable-table.ts";
import { RowBatches, differs, findRows } from "./write-rows.ts";
import { schema } from "./config.ts";

/** A table of the dump, and the one of the database that takes its rows. */
export interface MergedTable {
  readonly dumped: TableEntry;
  readonly table: WritableTable;
}

export interface PlannedMerge {
  readonly plan: RestorePlan;
  readonly target: Target;
  readonly contents: ArchiveContents;
  readonly selection: Selection | undefined;
  readonly merged: readonly MergedTable[];
  /** The dump's facts, of what is merged. */
  readonly expected: readonly CollectionFacts[];
}

/** Undefined where there is no such database yet: then it is restored as a whole. `STORE_UNSUPPORTED` for what has no keys. */
export async function planMerge(
  source: DumpSource,
  options: RestoreOptions,
  surroundings: Surroundings,
): Promise<PlannedMerge | undefined> {
  if (options.target.kind === "scratch") return undefined;
  if (options.globals === true || options.discardOld === true) {
    throw new MemkeepError("USAGE", {
      tried: "restore with --mode merge",
      happened: "--globals and --discard-old are for restores that replace",
      next: "Leave them out.",
    });
  }
  const target = targetOf(options, surroundings);
  const situation = await readSituation(target, surroundings);
  if (!situation.database) return undefined;
  const { tables, contentsBytes } = await readTables(source);
  const contents = await contentsOf(source, contentsBytes);
  const selection = options.only && selectEntries(contents, options.only, false);
  const { collections } = source.manifest;
  const wanted = tables.filter(({ name, rows }) => rows > 0 && selection?.tables.has(name) !== false);
  refuseObjects(collections, selection);
  await using session = await openSession(target.connection, surroundings.config, surroundings.context);
  const there = new Map(
    (await writableTables(session, await listTables(session, schema.parse({})))).map((table) => [
      table.name,
      table,
    ]),
  );
  const merged = wanted.flatMap((dumped) => {
    const table = there.get(dumped.name);
    return table ? [{ dumped, table }] : [];
  });
  refuseKeyless(merged);
  const missing = wanted.filter(({ name }) => !there.has(name)).map(({ name }) => name);
  const obstacles = [
    ...missing.map((name) => `the database has no table ${name}: restore it first, with --table ${name}`),
    ...merged.flatMap(strangeColumns),
    ...(situation.isStandby ? ["the server is a standby: it takes no writes"] : []),
    ...(await lackingRights(session, merged)),
  ].map((text) => ({ text, overridable: false }));
  const counts =
    obstacles.length > 0 ? undefined : await countChanges(session, merged, source, contents, surroundings);
  return {
    target,
    contents,
    selection,
    merged,
    expected: selection ? expectedFacts(contents, selection, collections) : collections,
    plan: {
      destination: sourceOf(target.connection),
      actions: actionsOf(merged, counts, situation.database),
      obstacles,
      changes: wanted.map(({ name }) => ({
        collection: name,
        recordsNow: situation.database!.rows.get(name),
        recordsThen: recordsThen(situation.database!.rows.get(name), counts?.get(name)),
      })),
      replacesData: target.kind === "in-place" && merged.length > 0,
      basis: basisOf(options, situation, merged, source),
    },
  };
}

function refuseObjects(collections: readonly CollectionFacts[], selection: Selection | undefined): void {
  if (selection || !collections.some(({ name }) => name === largeObjects)) return;
  throw new MemkeepError("STORE_UNSUPPORTED", {
    tried: "restore with --mode merge",
    happened: "the dump has large objects, which are restored only as a whole",
    next: "Name the tables to merge with --table, or the schemas with --schema.",
  });
}

function refuseKeyless(merged: readonly MergedTable[]): void {
  const names = merged.filter(({ table }) => table.identity.length === 0).map(({ table }) => table.name);
  if (names.length === 0) return;
  throw new MemkeepError("STORE_UNSUPPORTED", {
    tried: "restore with --mode merge",
    happened: `${names.slice(0, 5).join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""} ${names.length === 1 ? "has" : "have"} no primary key and no unique index over not-null columns, so rows cannot be told apart`,
    next: "Name the other tables with --table; those without a key can only be replaced.",
    details: { tables: names },
  });
}

function strangeColumns({ dumped: { name, columns }, table }: MergedTable): string[] {
  return columns
    .filter((column) => !table.writable.has(column))
    .map((column) => `the table ${name} has no column ${column}, or a generated one`);
}

async function lackingRights(session: Session, merged: readonly MergedTable[]): Promise<string[]> {
  const rows = await session.rows<{ place: string }>(
    `SELECT place FROM unnest($1::oid[]) WITH ORDINALITY AS t(oid, place)
      WHERE NOT (has_table_privilege(t.oid, 'SELECT') AND has_table_privilege(t.oid, 'INSERT') AND has_table_privilege(t.oid, 'UPDATE'))`,
    [merged.map(({ table }) => table.oid)],
  );
  return rows.map(
    ({ place }) =>
      `the role may not read, insert into and update ${merged[Number(place) - 1]!.table.name} (GRANT SELECT, INSERT, UPDATE)`,
  );
}

async function countChanges(
  session: Session,
  merged: readonly MergedTable[],
  source: DumpSource,
  { intSize }: ArchiveContents,
  { context }: Surroundings,
): Promise<ReadonlyMap<string, Written>> {
  const counts = new Map<string, Written>();
  for (const { dumped, table } of merged) {
    const count = { inserted: 0, updated: 0, unchanged: 0 };
    const batches = new RowBatches(table, async (rows) => {
      context.signal.throwIfAborted();
      const found = await findRows(session, table, rows, dumped.columns);
      for (const [n, row] of rows.entries()) {
        if (!found.has(n)) count.inserted++;
        else if (differs(row, dumped.columns, found.get(n))) count.updated++;
        else count.unchanged++;
      }
    });
    for await (const row of readTable(source, dumped, intSize)) await batches.add(row);
    await batches.flush();
    counts.set(dumped.name, count);
  }
  return counts;
}

function recordsThen(now: number | undefined, count: Written | undefined): number | undefined {
  return now === undefined || !count ? undefined : now + count.inserted;
}

function actionsOf(
  merged: readonly MergedTable[],
  counts: ReadonlyMap<string, Written> | undefined,
  { rows }: Existing,
): string[] {
  const actions: string[] = [];
  const firing = merged.filter(
    ({ table }) => !table.isOwned && table.triggers.some(({ mode }) => mode !== "R"),
  );
  for (const [name, { inserted, updated, unchanged }] of counts ?? []) {
    if (inserted + updated === 0) continue;
    const only = (rows.get(name) ?? 0) - updated - unchanged;
    actions.push(
      `${name}: insert ${countText(inserted)}, update ${countText(updated)}, leave ${amountText(unchanged, "equal row")}, and ${countText(only)} that only it has`,
    );
  }
  if (counts && actions.length === 0) actions.push("change nothing: every row of the dump is there");
  return [
    ...actions,
    "in one transaction, without the tables' triggers, deleting nothing; sequences are moved up where the dump's are further",
    ...firing.map(
      ({ table }) =>
        `the triggers of ${table.name} fire, since the role does not own it: a row that they change undoes it all`,
    ),
    "compare every row of the dump before the transaction is committed; programs may go on reading, writers of these tables wait",
  ];
}

/** Rows may change while programs write: what is missing is looked up when it is inserted. Tables may not. */
function basisOf(
  { only }: RestoreOptions,
  situation: Situation,
  merged: readonly MergedTable[],
  source: DumpSource,
): string {
  const shape = merged.map(({ table: { oid, identity, writable } }) => [oid, identity, [...writable]]);
  const files = source.manifest.files.map(({ sha256 }) => sha256);
  const basis = ["merge", situation.systemId, situation.database?.oid, only, shape, files];
  return hash("sha256", JSON.stringify(basis));
}
