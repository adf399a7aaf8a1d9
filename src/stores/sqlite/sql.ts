/**
 * The one place where a name becomes SQL text. Everything else that comes from outside is bound as a parameter.
 * A name inside double quotes may hold anything but NUL, which SQLite cannot store in a name.
 */
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A statement whose rows are arrays with integers as BigInt: the only form in which no value changes. */
function prepareExact(db: DatabaseSync, sql: string): StatementSync {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  statement.setReadBigInts(true);
  return statement;
}

export function iterateExact(
  db: DatabaseSync,
  sql: string,
  ...values: SQLInputValue[]
): Iterable<SQLOutputValue[]> {
  // The declared type is that of rows as objects; prepareExact asked for arrays.
  const rows: Iterable<object> = prepareExact(db, sql).iterate(...values);
  return rows as Iterable<SQLOutputValue[]>;
}

/** The first column of the first row. */
export function scalar(db: DatabaseSync, sql: string, ...values: SQLInputValue[]): SQLOutputValue {
  for (const [value] of iterateExact(db, sql, ...values)) return value ?? null;
  return null;
}
