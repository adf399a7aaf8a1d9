/**
 * Keys and records of a view, read through cursors in its transaction. A record's digest is that of its row in the dump:
 * both are made of the same text. A table without a primary key has the digests of its rows for keys.
 */
import { MemkeepError } from "../../domain/errors.ts";
import { recordDigest } from "../../domain/digest.ts";
import type { KeyDigest, KeyStream, StoreRecord } from "../store.ts";
import { type RowColumn, RowBuilder, copyLine, rowShape } from "./canonical-row.ts";
import type { Table } from "./schema.ts";
import type { Session, Value } from "./client.ts";
import { quoteName } from "./names.ts";

const rowsPerBatch = 1000;

/** The table that a collection's name means; a name without a schema is in `public`. */
export function tableNamed(tables: readonly Table[], collection: string): Table {
  const found =
    tables.find(({ name }) => name === collection) ??
    tables.find(({ name }) => name === `public.${collection}`);
  if (found) return found;
  throw new MemkeepError("CONFIG_INVALID", {
    tried: `read the collection ${collection}`,
    happened: "there is no such table, or the configuration leaves it out",
    next: `Tables: ${tables
      .slice(0, 10)
      .map(({ name }) => name)
      .join(", ")}.`,
  });
}

interface ReadRow {
  readonly key: Buffer;
  readonly digest: Buffer;
  readonly values: Readonly<Record<string, Value>>;
}

/** PostgreSQL orders text by its collation: the engine layer sorts. */
export function keysOf(session: Session, table: Table): KeyStream {
  async function* batches(): AsyncGenerator<readonly KeyDigest[]> {
    for await (const rows of readRows(session, table)) yield rows.map(({ key, digest }) => ({ key, digest }));
  }
  return { ordered: false, [Symbol.asyncIterator]: batches };
}

/** Compares every row's key: keys are text here, and a type's own equality may be another. */
export async function* recordsOf(
  session: Session,
  table: Table,
  keys: readonly Uint8Array[],
): AsyncGenerator<StoreRecord> {
  const wanted = new Set(keys.map((key) => Buffer.from(key).toString("latin1")));
  if (wanted.size === 0) return;
  for await (const rows of readRows(session, table)) {
    for (const { key, values } of rows) if (wanted.has(key.toString("latin1"))) yield { key, fields: values };
  }
}

let cursors = 0;

async function* readRows(session: Session, table: Table): AsyncGenerator<readonly ReadRow[]> {
  const columns: RowColumn[] = table.columns.map(({ name }) => ({
    name,
    isInteger: table.integers.includes(name),
  }));
  const shape = rowShape(columns, table.key);
  const builder = new RowBuilder(shape);
  const cursor = `memkeep_${++cursors}`;
  const list = columns.map(({ name }, place) => `${quoteName(name)} AS c${place}`).join(", ");
  await session.run(
    `DECLARE ${cursor} NO SCROLL CURSOR FOR SELECT ${list} FROM ONLY ${table.sql} ${table.extensionRows ?? ""}`,
  );
  for (;;) {
    const rows = await session.rows<Record<string, Value>>(`FETCH ${rowsPerBatch} FROM ${cursor}`);
    if (rows.length === 0) break;
    yield rows.map((row) => {
      const texts = columns.map((_, place) => row[`c${place}`] ?? null);
      const line = copyLine(texts);
      builder.split(line, 0, line.length);
      const digest = recordDigest(builder.row(line));
      const values = Object.fromEntries(columns.map(({ name }, place) => [name, texts[place]!]));
      return { key: builder.key(line) ?? digest, digest, values };
    });
  }
  await session.run(`CLOSE ${cursor}`);
}
