/** Writes the dump files of a view, and takes their facts from the archive as it passes. */
import { amountText, countText } from "../../domain/words.ts";
import { MemkeepError } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { DumpFacts, DumpSink } from "../store.ts";
import { type ArchiveFacts, ArchiveDigester, type TableShape } from "./archive/digest-archive.ts";
import { largeObjects } from "./archive/digest-large-objects.ts";
import { type Table, countLargeObjects, countRows, isNamed, isPartial } from "./schema.ts";
import type { PostgresConfig } from "./config.ts";
import { readDatabaseSettings } from "./database-settings.ts";
import { failure } from "./failure.ts";
import { dumpGlobals } from "./globals.ts";
import { type TablesFile, formatTables } from "./tables-file.ts";
import type { HeldSnapshot, Surroundings } from "./view.ts";
import { archiveFile, tablesFile, globalsFile, dumpVersion } from "./dump-files.ts";

/** See `View.dump`. */
export async function dumpDatabase(
  held: HeldSnapshot,
  sink: DumpSink,
  surroundings: Surroundings,
): Promise<DumpFacts> {
  const { config, context, connection } = surroundings;
  const { server, session, dumper } = held;
  const wanted = new Map(
    held.tables
      .filter((table) => hasRows(table, config, server.isStandby))
      .map((table) => [table.oid, table]),
  );
  const settings = await readDatabaseSettings(session);
  const digester = new ArchiveDigester((entry) => shapeOf(wanted.get(entry.oid)));
  let facts: ArchiveFacts | undefined;
  // The server counts while pg_dump reads: the pages are in its memory now, and another of its processes does it.
  const counting = Promise.all([countRows(session, [...wanted.values()]), countLargeObjects(session)]);
  // A dump that fails ends the session: then the count's own failure is no news.
  counting.catch(() => undefined);
  async function* checked(): AsyncGenerator<Buffer> {
    for await (const bytes of dumper.bytes()) {
      context.signal.throwIfAborted();
      digester.push(bytes);
      yield bytes;
    }
    facts = digester.end();
    checkContents(facts, held.tables, wanted, context.name);
    const [rows, objects] = await counting.catch((error: unknown) => {
      throw failure("count the rows of", error, connection);
    });
    checkCounts(facts.collections, rows, objects, context.name);
  }
  await sink.file(archiveFile, "archive", checked());
  await sink.file(
    tablesFile,
    "document",
    once(formatTables(describeTables(facts!, wanted, server.databaseBytes))),
  );
  const globals = await dumpGlobals(held.tools, surroundings);
  if (globals.kind === "read") await sink.file(globalsFile, "document", once(globals.sql));
  return {
    engine: { name: "PostgreSQL", version: server.version },
    dumpVersion,
    view: { moved: 0 },
    collections: [...facts!.collections],
    settings: { ...settings },
    omitted: [
      ...leftOut(config, held),
      ...(globals.kind === "denied"
        ? [{ what: "roles, their settings and tablespaces", why: globals.why }]
        : []),
    ],
    warnings: [...dumper.warnings(), ...moneyWarning(held.tables)],
  };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** Whether the archive holds the rows of a table. */
function hasRows(table: Table, config: PostgresConfig, isStandby: boolean): boolean {
  if (table.isPartitioned || (table.isUnlogged && isStandby)) return false;
  return !config.excludeData.some((name) => isNamed(name, table.schema, table.table));
}

function shapeOf(table: Table | undefined): TableShape | undefined {
  return table && { key: table.key, integers: table.integers };
}

/** The archive's own table of contents against the catalogue of the same snapshot: a table that is missing is an error. */
function checkContents(
  { contents, tables }: ArchiveFacts,
  expected: readonly Table[],
  withRows: ReadonlyMap<number, Table>,
  name: string,
): void {
  const defined = new Set(contents.entries.filter(({ type }) => type === "TABLE").map(({ oid }) => oid));
  const filled = new Set(tables.map(({ entry }) => entry.oid));
  const missing = expected.filter(
    ({ oid, extensionRows }) =>
      (extensionRows === undefined && !defined.has(oid)) || (withRows.has(oid) && !filled.has(oid)),
  );
  if (missing.length === 0) return;
  throw new MemkeepError("DUMP_INCOMPLETE", {
    tried: `dump ${name}`,
    happened: `pg_dump left out ${missing
      .slice(0, 5)
      .map((table) => table.name)
      .join(", ")}`,
    details: { missing: missing.map((table) => table.name) },
  });
}

function checkCounts(
  collections: readonly CollectionFacts[],
  rows: ReadonlyMap<string, number>,
  objects: number,
  name: string,
): void {
  const dumped = new Map(collections.map((facts) => [facts.name, facts.records]));
  const expected = new Map([...rows, ...(objects > 0 ? [[largeObjects, objects] as const] : [])]);
  for (const [collection, records] of expected) {
    const found = dumped.get(collection) ?? 0;
    if (found === records) continue;
    throw new MemkeepError("DUMP_INCOMPLETE", {
      tried: `dump ${name}`,
      happened: `${collection} has ${amountText(records, "record")}, and ${countText(found)} are in the dump`,
    });
  }
}

function describeTables(
  { contents, tables, collections }: ArchiveFacts,
  known: ReadonlyMap<number, Table>,
  databaseBytes: number,
): TablesFile {
  const records = new Map(collections.map((facts) => [facts.name, facts.records]));
  return {
    format: "memkeep-postgres-tables",
    version: 1,
    databaseBytes,
    contentsBytes: contents.sizeBytes,
    tables: tables.map(({ name, entry, columns, offset, sizeBytes }) => {
      const { schema, table, integers, key } = known.get(entry.oid)!;
      return {
        name,
        schema,
        table,
        columns: [...columns],
        integers: [...integers],
        ...(key ? { key: [...key] } : {}),
        rows: records.get(name)!,
        offset,
        sizeBytes,
      };
    }),
  };
}

function leftOut(config: PostgresConfig, { server, tables }: HeldSnapshot): { what: string; why: string }[] {
  const why = "the configuration leaves it out";
  const unlogged = server.isStandby ? tables.filter(({ isUnlogged }) => isUnlogged) : [];
  return [
    ...(config.tables ? [{ what: `all but the tables ${config.tables.join(", ")}`, why }] : []),
    ...(config.schemas && !config.tables
      ? [{ what: `all but the schemas ${config.schemas.join(", ")}`, why }]
      : []),
    ...config.excludeSchemas.map((name) => ({ what: `schema ${name}`, why })),
    ...config.excludeTables.map((name) => ({ what: `table ${name}`, why })),
    ...config.excludeData.map((name) => ({ what: `rows of ${name}`, why })),
    ...unlogged.map(({ name }) => ({
      what: `rows of ${name}`,
      why: "it is unlogged, and the server is a standby",
    })),
    ...(isPartial(config) ? [{ what: "objects outside of tables and schemas", why }] : []),
  ];
}

/** The text of money depends on a setting that the archive does not hold. */
function moneyWarning(tables: readonly Table[]): string[] {
  const names = tables
    .filter(({ columns }) => columns.some(({ type }) => type === "money"))
    .map(({ name }) => name);
  if (names.length === 0) return [];
  return [
    `${names.slice(0, 3).join(", ")} hold money, written with lc_monetary=C: a restore without memkeep needs PGOPTIONS='-c lc_monetary=C'`,
  ];
}
