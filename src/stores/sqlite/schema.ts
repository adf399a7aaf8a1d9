/**
 * What a database consists of: its tables as collections, and everything beside records that must come back too.
 *
 * Every b-tree is a collection, the shadow tables of FTS5 and vec0 among them: those hold the data of a virtual table,
 * also when its module is not here. The virtual table itself is only a way of reading them. `sqlite_sequence` counts as
 * content (it decides the next AUTOINCREMENT key), `sqlite_stat*` does not (ANALYZE makes it again).
 */
import { createHash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { reasonOf } from "../../domain/errors.ts";
import { noQuerySolution, resultCode, SqliteFailure } from "./failure.ts";
import { iterateExact, quoteName, scalar } from "./sql.ts";

export type TextEncoding = "UTF-8" | "UTF-16le" | "UTF-16be";
export type Affinity = "integer" | "text" | "blob" | "real" | "numeric";

export interface Column {
  readonly name: string;
  readonly affinity: Affinity;
}

export interface Table {
  readonly name: string;
  /** The stored columns in the order of their names' UTF-8 bytes, so that the order in storage does not matter. */
  readonly columns: readonly Column[];
  /** Places in `columns` of the primary key's columns, in the key's order; empty without a primary key. */
  readonly key: readonly number[];
  /**
   * The name under which the implicit rowid can be read; undefined where there is none (INTEGER PRIMARY KEY is a column
   * anyway, WITHOUT ROWID) or where columns took all three names.
   */
  readonly rowid: string | undefined;
}

export interface Catalog {
  readonly encoding: TextEncoding;
  readonly tables: readonly Table[];
  readonly virtualTables: readonly { readonly name: string; readonly problem: string | undefined }[];
  /** For the manifest's `settings`. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Reads the catalog. One statement after another: the caller holds a read transaction, or nobody writes. */
export function readCatalog(db: DatabaseSync): Catalog {
  const kinds = new Map<string, { kind: string; withoutRowid: boolean }>();
  for (const row of iterateExact(db, "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main'")) {
    kinds.set(String(row[0]), { kind: String(row[1]), withoutRowid: row[2] === 1n });
  }
  const tables: Table[] = [];
  const virtualTables: { name: string; problem: string | undefined }[] = [];
  const counts: Record<string, number> = { index: 0, view: 0, trigger: 0 };
  const schemaLines: string[] = [];
  for (const row of iterateExact(db, "SELECT type, name, tbl_name, sql, rootpage FROM sqlite_schema")) {
    const [type, name, tableName, sql] = row.map((value) => (value === null ? null : String(value)));
    if (type === undefined || type === null || name === undefined || name === null) continue;
    if (name.startsWith("sqlite_stat")) continue;
    schemaLines.push(JSON.stringify([type, name, tableName, sql]));
    const withoutRowid = kinds.get(name)?.withoutRowid ?? false;
    if (withoutRowid && type === "table") requireReadable(db, name);
    if (type !== "table") counts[type] = (counts[type] ?? 0) + 1;
    else if (row[4] === 0n || row[4] === null) virtualTables.push({ name, problem: problemOf(db, name) });
    else tables.push(readTable(db, name, withoutRowid));
  }
  const encoding = String(scalar(db, "PRAGMA encoding")) as TextEncoding;
  return {
    encoding,
    tables: tables.sort((a, b) => compareNames(a.name, b.name)),
    virtualTables,
    settings: {
      pageSize: Number(scalar(db, "PRAGMA page_size")),
      encoding,
      autoVacuum: Number(scalar(db, "PRAGMA auto_vacuum")),
      journalMode: String(scalar(db, "PRAGMA journal_mode")),
      userVersion: Number(scalar(db, "PRAGMA user_version")),
      applicationId: Number(scalar(db, "PRAGMA application_id")),
      schemaDigest: createHash("sha256").update(schemaLines.sort().join("\n")).digest("hex"),
      indexes: counts["index"],
      views: counts["view"],
      triggers: counts["trigger"],
      virtualTables: virtualTables.map(({ name, problem }) => (problem ? { name, problem } : { name })),
    },
  };
}

/** Why a virtual table cannot be read here, such as `no such module: vec0`; undefined when it can. */
function problemOf(db: DatabaseSync, name: string): string | undefined {
  try {
    db.prepare(`SELECT 1 FROM ${quoteName(name)} LIMIT 0`).all();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Such a table can only be read by its key, which SQLite refuses when it does not know the key's collation. */
function requireReadable(db: DatabaseSync, name: string): void {
  try {
    db.prepare(`SELECT 1 FROM ${quoteName(name)} NOT INDEXED`);
  } catch (error) {
    if (reasonOf(error) !== noQuerySolution) throw error;
    throw new SqliteFailure(
      `the table ${name} is WITHOUT ROWID, and its key has a collation that only the application knows (${noQuerySolution})`,
      resultCode(error) ?? 1,
    );
  }
}

function readTable(db: DatabaseSync, name: string, withoutRowid: boolean): Table {
  const found: { column: Column; keyPlace: number }[] = [];
  const taken = new Set<string>();
  for (const row of iterateExact(db, "SELECT name, type, pk, hidden FROM pragma_table_xinfo(?)", name)) {
    const column = { name: String(row[0]), affinity: affinityOf(String(row[1] ?? "")) };
    taken.add(column.name.toLowerCase());
    // 2 is a virtual generated column: nothing of it is stored, and its function may exist in the application only.
    if (row[3] === 2n) continue;
    found.push({ column, keyPlace: Number(row[2]) });
  }
  found.sort((a, b) => compareNames(a.column.name, b.column.name));
  const key = found
    .map(({ keyPlace }, place) => ({ keyPlace, place }))
    .filter(({ keyPlace }) => keyPlace > 0)
    .sort((a, b) => a.keyPlace - b.keyPlace)
    .map(({ place }) => place);
  // A primary key of one column without an index of its own is an alias of the rowid.
  const hasKeyIndex =
    scalar(db, "SELECT count(*) FROM pragma_index_list(?) WHERE origin = 'pk'", name) !== 0n;
  const aliased = key.length === 1 && !hasKeyIndex && !withoutRowid;
  const rowid =
    withoutRowid || aliased ? undefined : ["rowid", "_rowid_", "oid"].find((alias) => !taken.has(alias));
  return { name, columns: found.map(({ column }) => column), key, rowid };
}

/** sqlite.org/datatype3.html, 3.1, with its order of precedence. */
function affinityOf(declared: string): Affinity {
  const type = declared.toUpperCase();
  if (type.includes("INT")) return "integer";
  if (/CHAR|CLOB|TEXT/.test(type)) return "text";
  if (type === "" || type.includes("BLOB")) return "blob";
  if (/REAL|FLOA|DOUB/.test(type)) return "real";
  return "numeric";
}

export function compareNames(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Exact counts of all tables as the connection sees them. */
export function countRows(db: DatabaseSync, tables: readonly Table[]): { name: string; records: number }[] {
  return tables.map(({ name }) => ({
    name,
    records: Number(scalar(db, `SELECT count(*) FROM ${quoteName(name)} NOT INDEXED`)),
  }));
}
