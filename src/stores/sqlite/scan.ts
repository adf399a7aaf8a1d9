/** Reads a table once from end to end, quickly where its text allows, exactly where not. */
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { MultisetDigest, recordDigest } from "../../domain/digest.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { type KeyValue, RawText, canonicalKey } from "./canonical-key.ts";
import { InexactText, RowEncoder, isTextAt, rowForm } from "./encode.ts";
import type { Table, TextEncoding } from "./schema.ts";
import { iterateExact, quoteName } from "./sql.ts";

export interface ScannedRow {
  /** Canonical bytes of the row; see `RowEncoder.encode` for how long they last. */
  content(withRowid: boolean): Uint8Array;
  /** Undefined for a table without a primary key. */
  key(): Buffer | undefined;
  /** The implicit rowid where the table has one. */
  rowid(): SQLOutputValue;
}

/**
 * Calls `visit` for every row. When a text turns out to be no valid UTF-8, `restart` is called and everything is
 * visited again. `NOT INDEXED`: the rows are read from the table itself, never from an index that covers it.
 */
export function scanTable(
  db: DatabaseSync,
  table: Table,
  encoding: TextEncoding,
  visit: (row: ScannedRow) => void,
  restart: () => void,
): void {
  if (encoding === "UTF-8") {
    try {
      scan(db, table, encoding, false, visit);
      return;
    } catch (error) {
      if (!(error instanceof InexactText)) throw error;
      restart();
    }
  }
  scan(db, table, encoding, true, visit);
}

function scan(
  db: DatabaseSync,
  table: Table,
  encoding: TextEncoding,
  exact: boolean,
  visit: (row: ScannedRow) => void,
): void {
  const encoder = new RowEncoder(table, encoding, exact);
  const keyColumns = table.key.map((place) => table.columns[place]!);
  let current: SQLOutputValue[] = [];
  const row: ScannedRow = {
    content: (withRowid) => encoder.encode(current, withRowid),
    key: () =>
      table.key.length === 0
        ? undefined
        : canonicalKey(keyValues(current, table, exact), keyColumns, encoding),
    rowid: () => current[0] ?? null,
  };
  const { select } = rowForm(table, exact);
  for (current of iterateExact(db, `SELECT ${select} FROM ${quoteName(table.name)} NOT INDEXED`)) visit(row);
}

export function keyValues(row: readonly SQLOutputValue[], table: Table, exact: boolean): KeyValue[] {
  return table.key.map((place) => columnValue(row, table, place, exact));
}

export function columnValue(
  row: readonly SQLOutputValue[],
  table: Table,
  place: number,
  exact: boolean,
): KeyValue {
  const value = row[(table.rowid === undefined ? 0 : 1) + place]!;
  return exact && value instanceof Uint8Array && isTextAt(row, table, place) ? new RawText(value) : value;
}

/**
 * Count and digests of a table. The content digest holds the implicit rowid: vec0, FTS5 and applications join on it, so
 * a copy in which rowids moved is not the same database.
 */
export function digestTable(db: DatabaseSync, table: Table, encoding: TextEncoding): CollectionFacts {
  let content = new MultisetDigest();
  let keys = new MultisetDigest();
  scanTable(
    db,
    table,
    encoding,
    (row) => {
      content.add(recordDigest(row.content(true)));
      const key = row.key();
      if (key) keys.add(recordDigest(key));
    },
    () => {
      content = new MultisetDigest();
      keys = new MultisetDigest();
    },
  );
  return {
    name: table.name,
    records: content.count,
    ...(table.key.length > 0 ? { keyDigest: keys.hex() } : {}),
    contentDigest: content.hex(),
  };
}
