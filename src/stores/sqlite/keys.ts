/**
 * Keys in canonical order, and records by key. The same code reads a live view and a spool copy.
 *
 * The canonical order is not one that SQLite's indexes have (they compare values, not canonical keys), so keys and
 * digests are written to a scratch database in the run's spool folder, whose sorter is external: memory stays small.
 */
import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from "node:sqlite";
import { recordDigest } from "../../domain/digest.ts";
import { MemkeepError } from "../../domain/errors.ts";
import type { KeyDigest, StoreRecord } from "../store.ts";
import { type KeyValue, RawText, canonicalKey, decodeText, parseKey } from "./canonical-key.ts";
import { rowForm } from "./encode.ts";
import { columnValue, keyValues, scanTable } from "./scan.ts";
import type { Table, TextEncoding } from "./schema.ts";
import { iterateExact, quoteName } from "./sql.ts";

const batchKeys = 1000;

/**
 * Batches of keys with the digests of their records, in ascending order of the key's bytes. The digest leaves the
 * implicit rowid out: two databases that hold the same record under different rowids agree about it.
 * `scratchPath` must not exist; the caller removes it.
 */
export function* sortedKeys(
  db: DatabaseSync,
  table: Table,
  encoding: TextEncoding,
  scratchPath: string,
): Generator<KeyDigest[], void, undefined> {
  using scratch = new DatabaseSync(scratchPath);
  scratch.exec(
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; CREATE TABLE found(key BLOB, digest BLOB)",
  );
  const insert = scratch.prepare("INSERT INTO found VALUES (?, ?)");
  scratch.exec("BEGIN");
  scanTable(
    db,
    table,
    encoding,
    (row) => {
      const digest = recordDigest(row.content(false));
      insert.run(row.key() ?? digest, digest);
    },
    () => scratch.exec("DELETE FROM found"),
  );
  scratch.exec("COMMIT");
  let batch: KeyDigest[] = [];
  for (const row of iterateExact(scratch, "SELECT key, digest FROM found ORDER BY key, digest")) {
    batch.push({ key: row[0] as Uint8Array, digest: row[1] as Uint8Array });
    if (batch.length < batchKeys) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** The records with the given canonical keys. Values as `fieldValue` gives them. */
export function* recordsByKey(
  db: DatabaseSync,
  table: Table,
  encoding: TextEncoding,
  keys: readonly Uint8Array[],
): Generator<StoreRecord, void, undefined> {
  if (table.key.length === 0) {
    yield* recordsByDigest(db, table, encoding, keys);
    return;
  }
  const keyColumns = table.key.map((place) => table.columns[place]!);
  const { select } = rowForm(table, true);
  for (const key of keys) {
    const values = parseKey(key, keyColumns, encoding);
    if (values === undefined) continue;
    const conditions = values.map(({ isRawText }, n) => {
      const name = quoteName(keyColumns[n]!.name);
      return `${name} IS ${isRawText ? "CAST(? AS TEXT)" : "?"}`;
    });
    const sql = `SELECT ${select} FROM ${quoteName(table.name)} WHERE ${conditions.join(" AND ")}`;
    const bound: SQLInputValue[] = values.map(({ value }) => value);
    for (const row of iterateExact(db, sql, ...bound)) {
      // A column's collation may take different keys for equal (NOCASE).
      if (!canonicalKey(keyValues(row, table, true), keyColumns, encoding).equals(key)) continue;
      yield { key, fields: fieldsOf(row, table, encoding) };
    }
  }
}

/** Rows without a primary key are named by their digest, which no index knows: one pass over the table. */
function* recordsByDigest(
  db: DatabaseSync,
  table: Table,
  encoding: TextEncoding,
  keys: readonly Uint8Array[],
): Generator<StoreRecord, void, undefined> {
  const wanted = new Map(keys.map((key) => [Buffer.from(key).toString("hex"), key]));
  if (table.rowid === undefined) {
    throw new MemkeepError("STORE_UNSUPPORTED", {
      tried: `read single records of the table ${table.name}`,
      happened: "it has neither a primary key nor a readable rowid",
    });
  }
  const found: { key: Uint8Array; rowid: bigint }[] = [];
  scanTable(
    db,
    table,
    encoding,
    (row) => {
      const key = wanted.get(recordDigest(row.content(false)).toString("hex"));
      if (key) found.push({ key, rowid: row.rowid() as bigint });
    },
    () => (found.length = 0),
  );
  const { select } = rowForm(table, true);
  for (const { key, rowid } of found) {
    const sql = `SELECT ${select} FROM ${quoteName(table.name)} WHERE ${table.rowid} = ?`;
    for (const row of iterateExact(db, sql, rowid)) yield { key, fields: fieldsOf(row, table, encoding) };
  }
}

function fieldsOf(
  row: readonly SQLOutputValue[],
  table: Table,
  encoding: TextEncoding,
): Record<string, unknown> {
  return Object.fromEntries(
    table.columns.map(({ name }, place) => [
      name,
      fieldValue(columnValue(row, table, place, true), encoding),
    ]),
  );
}

/** NULL → null, integer → bigint, real → number, text → string (`{ text: bytes }` when it is not valid), blob → bytes. */
function fieldValue(value: KeyValue, encoding: TextEncoding): unknown {
  if (!(value instanceof RawText)) return value;
  return decodeText(value.bytes, encoding) ?? { text: value.bytes };
}
