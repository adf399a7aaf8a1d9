/**
 * Writes rows into one table by their key: inserts what is missing, updates what differs, and reads back what it wrote.
 * Values go in as the texts that View.records gives, each through its type's own input function.
 */
import { MemkeepError } from "../../domain/errors.ts";
import type { Written } from "../store.ts";
import type { Session, Value } from "./client.ts";
import { stateOf } from "./failure.ts";
import { quoteName } from "./names.ts";
import type { WritableColumn, WritableTable } from "./writable-table.ts";

/** Column → text. */
export type Row = Readonly<Record<string, Value>>;

const batchRows = 1000;
const batchChars = 4 * 1024 * 1024;
/** So many keys are named when rows did not arrive. */
const namedKeys = 5;
/** Programs may insert a row between our look and our insert. */
const attempts = 3;

/** Collects rows until there are enough of them for one statement. */
export class RowBatches {
  readonly #take: (rows: readonly Row[]) => Promise<void>;
  readonly #key: readonly string[];
  #rows: Row[] = [];
  #keys = new Set<string>();
  #chars = 0;

  constructor(table: WritableTable, take: (rows: readonly Row[]) => Promise<void>) {
    this.#take = take;
    this.#key = table.identity.map(({ column }) => column);
  }

  async add(row: Row): Promise<void> {
    const key = JSON.stringify(this.#key.map((column) => row[column]));
    // The same row twice: the first one must be there before the second is compared.
    if (this.#keys.has(key) || !sameColumns(this.#rows[0], row)) await this.flush();
    this.#rows.push(row);
    this.#keys.add(key);
    for (const name in row) this.#chars += (row[name]?.length ?? 0) + 8;
    if (this.#rows.length >= batchRows || this.#chars >= batchChars) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#rows.length === 0) return;
    const rows = this.#rows;
    this.#rows = [];
    this.#keys = new Set();
    this.#chars = 0;
    await this.#take(rows);
  }
}

function sameColumns(first: Row | undefined, row: Row): boolean {
  if (first === undefined) return true;
  const names = Object.keys(row);
  return names.length === Object.keys(first).length && names.every((name) => name in first);
}

/** Refuses a row that the table cannot take before anything is sent. */
export function refuseStrange(
  table: WritableTable,
  row: Readonly<Record<string, unknown>>,
): asserts row is Row {
  for (const [name, value] of Object.entries(row)) {
    if (!table.writable.has(name)) throw unwritable(table, `it has no column ${name}, or a generated one`);
    if (value !== null && typeof value !== "string")
      throw unwritable(table, `the value of ${name} is no text`);
  }
  for (const { column } of table.identity) {
    if (typeof row[column] !== "string") throw unwritable(table, `the record lacks ${column} of its key`);
  }
}

/** `STORE_UNSUPPORTED` where rows cannot be told apart. */
export function refuseKeyless(table: WritableTable): void {
  if (table.identity.length > 0) return;
  throw new MemkeepError("STORE_UNSUPPORTED", {
    tried: `write records into ${table.name}`,
    happened: "it has no primary key, and no unique index over columns that are not null",
    next: `Restore it as a whole: \`memkeep restore … --table ${table.name}\`.`,
  });
}

function unwritable({ name }: WritableTable, happened: string): MemkeepError {
  return new MemkeepError("STORE_UNSUPPORTED", { tried: `write a record into ${name}`, happened });
}

/** The rows that are there, by the number of the given one, each in the order of `columns`. All given rows have the same columns. */
export async function findRows(
  session: Session,
  table: WritableTable,
  rows: readonly Row[],
  columns: readonly string[],
): Promise<Map<number, Value[]>> {
  const key = table.identity.map(({ column }) => column);
  const values = columns.map((name, place) => `, t.${quoteName(name)} AS v${place}`).join("");
  const found = await session.rows<Record<string, Value>>(
    `SELECT g.n${values} FROM ${recordset(table, key)} JOIN ONLY ${table.sql} AS t ON ${matching(table)}`,
    [parameter(rows, key)],
  );
  return new Map(found.map((row) => [Number(row["n"]), columns.map((_, place) => row[`v${place}`] ?? null)]));
}

/** Writes one batch. The caller's transaction is open; when this rejects it is to be rolled back. */
export async function writeRows(
  session: Session,
  table: WritableTable,
  rows: readonly Row[],
): Promise<Written> {
  const columns = Object.keys(rows[0]!);
  for (let attempt = 1; ; attempt++) {
    const found = await findRows(session, table, rows, columns);
    const missing = rows.filter((_, n) => !found.has(n));
    const other = rows.filter((row, n) => differs(row, columns, found.get(n)));
    await session.run("SAVEPOINT memkeep");
    try {
      // First those that others of the same table may refer to.
      if (missing.length > 0) await insert(session, table, columns, missing);
      if (other.length > 0) await update(session, table, columns, other);
    } catch (error) {
      if (stateOf(error) !== "23505" || attempt === attempts) throw error;
      await session.run("ROLLBACK TO SAVEPOINT memkeep");
      continue;
    }
    await session.run("RELEASE SAVEPOINT memkeep");
    await refuseLost(session, table, columns, [...missing, ...other]);
    return {
      inserted: missing.length,
      updated: other.length,
      unchanged: rows.length - missing.length - other.length,
    };
  }
}

/** Whether a row is there with other values. */
export function differs(row: Row, columns: readonly string[], found: readonly Value[] | undefined): boolean {
  return found !== undefined && columns.some((name, place) => row[name] !== found[place]);
}

async function insert(
  session: Session,
  table: WritableTable,
  columns: readonly string[],
  rows: readonly Row[],
): Promise<void> {
  const names = columns.map(quoteName).join(", ");
  const values = columns.map((name, place) => valueOf(table, name, place)).join(", ");
  await session.rows(
    `INSERT INTO ${table.sql} (${names}) OVERRIDING SYSTEM VALUE SELECT ${values} FROM ${recordset(table, columns)}`,
    [parameter(rows, columns)],
  );
}

async function update(
  session: Session,
  table: WritableTable,
  columns: readonly string[],
  rows: readonly Row[],
): Promise<void> {
  // The key too: texts of equal keys may differ (citext, numeric), and the text is the canonical key.
  const changed = columns.filter((name) => !table.writable.get(name)!.isFixed);
  const ordered = [...new Set([...table.identity.map(({ column }) => column), ...changed])];
  const settings = changed.map(
    (name) => `${quoteName(name)} = ${valueOf(table, name, ordered.indexOf(name))}`,
  );
  if (settings.length === 0) return;
  await session.rows(
    `UPDATE ONLY ${table.sql} AS t SET ${settings.join(", ")} FROM ${recordset(table, ordered)} WHERE ${matching(table)}`,
    [parameter(rows, ordered)],
  );
}

/** A trigger may have changed what was sent, a rule may have dropped it: only reading tells. */
async function refuseLost(
  session: Session,
  table: WritableTable,
  columns: readonly string[],
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return;
  const found = await findRows(session, table, rows, columns);
  const lost = rows.filter((row, n) => !found.has(n) || differs(row, columns, found.get(n)));
  if (lost.length === 0) return;
  const keys = lost.map((row) => table.identity.map(({ column }) => row[column] ?? "").join(", "));
  throw new MemkeepError("COMPARE_FAILED", {
    tried: `write ${rows.length} rows into ${table.name}`,
    happened: `${lost.length} of them are not there as they were sent: ${keys.slice(0, namedKeys).join("; ")}`,
    next: "Nothing was written. A trigger, a rule or a column's type changes them; use a role that owns the table, whose triggers can be left out.",
    details: { collection: table.name, keys: keys.slice(0, 1000) },
  });
}

function parameter(rows: readonly Row[], columns: readonly string[]): string {
  return JSON.stringify(
    rows.map((row, n) => Object.fromEntries([["n", n], ...columns.map((name, c) => [`c${c}`, row[name]])])),
  );
}

/** `columns` become g.c0, g.c1, …; each text goes through its type's input function. */
function recordset(table: WritableTable, columns: readonly string[]): string {
  const list = columns.map((name, place) => {
    const { type, isText } = table.writable.get(name)!;
    return `, c${place} ${isText ? "text" : type}`;
  });
  return `json_to_recordset($1::json) AS g(n integer${list.join("")})`;
}

function valueOf(table: WritableTable, name: string, place: number): string {
  const column: WritableColumn = table.writable.get(name)!;
  return column.isText ? `g.c${place}::${column.type}` : `g.c${place}`;
}

/** The key's columns come first in the recordset. */
function matching(table: WritableTable): string {
  return table.identity
    .map(({ column, equals }, place) => `t.${quoteName(column)} ${equals} ${valueOf(table, column, place)}`)
    .join(" AND ");
}
