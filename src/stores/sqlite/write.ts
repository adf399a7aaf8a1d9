/**
 * Puts given records into a table of a database in use, as its application would: by INSERT and UPDATE, in short
 * transactions, with the triggers of the database, so that an FTS5 index beside the table keeps fitting it.
 */
import { pathToFileURL } from "node:url";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { MemkeepError, reasonOf } from "../../domain/errors.ts";
import type { StoreContext, StoreRecord, Written } from "../store.ts";
import { parseKey } from "./canonical-key.ts";
import type { SqliteConfig } from "./config.ts";
import { examine } from "./database-file.ts";
import { resultCode, storeError } from "./failure.ts";
import { recordsByKey } from "./keys.ts";
import { ownerOf } from "./merge-tables.ts";
import { readCatalog, type Table, type TextEncoding } from "./schema.ts";
import { iterateExact, quoteName } from "./sql.ts";

/** So many records are written under one lock: others wait for that long. */
const batchRecords = 200;
const CONSTRAINT = 19;

/** See `Store.write`. What a batch wrote is read back before it counts: a trigger may have changed it. */
export async function writeRecords(
  config: SqliteConfig,
  context: StoreContext,
  collection: string,
  records: AsyncIterable<StoreRecord>,
): Promise<Written> {
  const { path } = await examine(config.path);
  const tried = `write records into the table ${collection} of ${path}`;
  try {
    using db = openWritable(path, config.busyTimeout);
    const writer = new TableWriter(db, collection, tried);
    let batch: StoreRecord[] = [];
    for await (const record of records) {
      context.signal.throwIfAborted();
      batch.push(record);
      if (batch.length < batchRecords) continue;
      writer.write(batch);
      batch = [];
    }
    context.signal.throwIfAborted();
    writer.write(batch);
    return writer.written;
  } catch (error) {
    throw writeError(error, path, tried);
  }
}

/** What SQLite said of a write, in words. */
export function writeError(error: unknown, path: string, tried: string): unknown {
  if (((resultCode(error) ?? 0) & 0xff) === CONSTRAINT) return refused(tried, reasonOf(error), error);
  return storeError(error, path, tried);
}

/** A connection that writes to a database in use. A file that has vanished is not made anew. */
export function openWritable(path: string, busyTimeoutMs: number): DatabaseSync {
  const url = pathToFileURL(path);
  url.searchParams.set("mode", "rw");
  const db = new DatabaseSync(url, {
    timeout: busyTimeoutMs,
    defensive: true,
    // As everywhere unless an application asks for them: no cascade may delete, no order of tables may matter.
    enableForeignKeyConstraints: false,
  });
  db.exec("PRAGMA trusted_schema = OFF");
  return db;
}

/** Writes into one table of a database. `STORE_UNSUPPORTED` for one whose records cannot be told apart, or that only SQLite writes. */
export class TableWriter {
  written: Written = { inserted: 0, updated: 0, unchanged: 0 };
  readonly #db: DatabaseSync;
  readonly #table: Table;
  readonly #encoding: TextEncoding;
  readonly #tried: string;
  /** Columns that are written; those that SQLite computes are only compared. */
  readonly #given: ReadonlySet<string>;

  constructor(db: DatabaseSync, collection: string, tried: string) {
    this.#db = db;
    this.#tried = tried;
    const catalog = readCatalog(db);
    const { tables, encoding } = catalog;
    const table = tables.find(({ name }) => name === collection);
    if (!table) throw refused(tried, "there is no such table");
    if (ownerOf(db, catalog, collection) !== undefined || collection.startsWith("sqlite_")) {
      throw refused(tried, "it is the inside of a virtual table or of SQLite itself, which only they write");
    }
    if (table.key.length === 0)
      throw refused(tried, "it has no primary key, so its records cannot be told apart");
    this.#table = table;
    this.#encoding = encoding;
    const computed = new Set(
      [...iterateExact(db, "SELECT name FROM pragma_table_xinfo(?) WHERE hidden > 1", collection)].map(
        ([name]) => String(name),
      ),
    );
    this.#given = new Set(table.columns.map(({ name }) => name).filter((name) => !computed.has(name)));
  }

  /** All of the batch or nothing of it. */
  write(batch: readonly StoreRecord[]): void {
    if (batch.length === 0) return;
    const before = this.written;
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      this.apply(batch);
      this.#db.exec("COMMIT");
    } catch (error) {
      this.written = before;
      // A trigger may have ended the transaction already.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  /** Within the caller's transaction, which must be rolled back when this throws. */
  apply(batch: readonly StoreRecord[]): void {
    const count = { ...this.written };
    for (const record of batch) count[this.#writeOne(record)]++;
    this.written = count;
  }

  #writeOne(record: StoreRecord): keyof Written {
    const { columns } = this.#table;
    const { fields } = record;
    if (
      columns.length !== Object.keys(fields).length ||
      !columns.every(({ name }) => Object.hasOwn(fields, name))
    ) {
      throw refused(this.#tried, `the record ${nameOf(record)} has other columns than the table`);
    }
    const now = this.#find(record);
    if (now && isSame(now.fields, fields)) return "unchanged";
    if (now) this.#update(record);
    else this.#insert(record);
    const after = this.#find(record);
    if (after && isSame(after.fields, fields)) return now ? "updated" : "inserted";
    throw new MemkeepError("COMPARE_FAILED", {
      tried: this.#tried,
      happened: `the record ${nameOf(record)} is another one once it is written: a trigger or a column's type changes it`,
      next: "Nothing of its batch was kept. Look at the table's triggers and types, and at where the record comes from.",
    });
  }

  #find(record: StoreRecord): StoreRecord | undefined {
    const found = [...recordsByKey(this.#db, this.#table, this.#encoding, [record.key])];
    if (found.length > 1)
      throw refused(this.#tried, `${found.length} records have the key ${nameOf(record)}`);
    return found[0];
  }

  #insert({ fields }: StoreRecord): void {
    const names = [...this.#given];
    const { sql, values } = bindAll(names.map((name) => fields[name]));
    this.#db
      .prepare(
        `INSERT INTO ${quoteName(this.#table.name)} (${names.map(quoteName).join(", ")}) VALUES (${sql.join(", ")})`,
      )
      .run(...values);
  }

  #update({ key, fields }: StoreRecord): void {
    const { columns, name, key: places } = this.#table;
    const keyColumns = places.map((place) => columns[place]!);
    const keyNames = new Set(keyColumns.map((column) => column.name));
    const names = [...this.#given].filter((given) => !keyNames.has(given));
    const { sql, values } = bindAll(names.map((given) => fields[given]));
    const wanted = parseKey(key, keyColumns, this.#encoding)!;
    const where = wanted.map(
      ({ isRawText }, at) => `${quoteName(keyColumns[at]!.name)} IS ${isRawText ? "CAST(? AS TEXT)" : "?"}`,
    );
    this.#db
      .prepare(
        `UPDATE ${quoteName(name)} SET ${names.map((given, at) => `${quoteName(given)} = ${sql[at]}`).join(", ")} WHERE ${where.join(" AND ")}`,
      )
      .run(...values, ...wanted.map(({ value }) => value));
  }
}

/** Values as `View.records` gives them; invalid text goes in as its bytes. */
function bindAll(fields: readonly unknown[]): { sql: string[]; values: SQLInputValue[] } {
  const sql: string[] = [];
  const values = fields.map((value) => {
    const bytes = textBytes(value);
    sql.push(bytes ? "CAST(? AS TEXT)" : "?");
    return bytes ?? (value as SQLInputValue);
  });
  return { sql, values };
}

function textBytes(value: unknown): Uint8Array | undefined {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return undefined;
  return "text" in value && value.text instanceof Uint8Array ? value.text : undefined;
}

function isSame(one: StoreRecord["fields"], other: StoreRecord["fields"]): boolean {
  return Object.keys(one).every((name) => isSameValue(one[name], other[name]));
}

function isSameValue(one: unknown, other: unknown): boolean {
  const [text, otherText] = [textBytes(one), textBytes(other)];
  if (text || otherText)
    return text !== undefined && otherText !== undefined && Buffer.compare(text, otherText) === 0;
  if (one instanceof Uint8Array && other instanceof Uint8Array) return Buffer.compare(one, other) === 0;
  // Tells -0.0 from 0.0.
  return Object.is(one, other);
}

function nameOf({ key }: StoreRecord): string {
  const text = Buffer.from(key).toString("utf8");
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function refused(tried: string, happened: string, cause?: unknown): MemkeepError {
  return new MemkeepError("STORE_UNSUPPORTED", { tried, happened, cause });
}
