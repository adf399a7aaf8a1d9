/** SQLite's own checks of a database that nobody writes to (a spool copy, a staged restore). */
import type { DatabaseSync } from "node:sqlite";
import { reasonOf } from "../../domain/errors.ts";
import { isCorrupt } from "./failure.ts";
import { iterateExact, quoteName } from "./sql.ts";

export interface Integrity {
  /** The file is damaged: pages, b-trees, indexes or full-text indexes do not agree. */
  readonly damage: readonly string[];
  /**
   * Rows break a rule of their own schema (NOT NULL, a type; SQLite leaves CHECK out on a read-only connection). The source has them as well: the data is what it is.
   */
  readonly oddities: readonly string[];
  /** What could not be checked here, and why: a collation or function that only the application has. */
  readonly unchecked: readonly string[];
}

/** So many messages say enough. */
const maximumMessages = 20;

/** Messages of `integrity_check` that are about values, not about structure (sqlite3 pragma.c). */
const valueMessage =
  /^(?:NULL value in |CHECK constraint failed in |NUMERIC value in |TEXT value in |non-(?:INT|INTEGER|REAL|TEXT|BLOB) value in )/;

/**
 * `PRAGMA integrity_check`, which includes full-text and R-tree indexes (they have been part of it since SQLite 3.44),
 * sorted by what it means. Tables are checked one by one only when something is missing here to check them all.
 */
export function checkIntegrity(db: DatabaseSync): Integrity {
  const damage: string[] = [];
  const oddities: string[] = [];
  const unchecked: string[] = [];
  function take(sql: string): void {
    for (const [value] of iterateExact(db, sql)) {
      for (const message of problemsIn(String(value))) {
        (valueMessage.test(message) ? oddities : damage).push(message);
      }
    }
  }
  try {
    take(`PRAGMA integrity_check(${maximumMessages})`);
  } catch (error) {
    if (isCorrupt(error)) return { damage: [...damage, reasonOf(error)], oddities, unchecked };
    if (!isMissingCode(error)) throw error;
    damage.length = 0;
    oddities.length = 0;
    const names = [...iterateExact(db, "SELECT name FROM sqlite_schema WHERE type = 'table'")];
    for (const [name] of names) {
      try {
        take(`PRAGMA integrity_check(${quoteName(String(name))})`);
      } catch (tableError) {
        if (!isMissingCode(tableError)) throw tableError;
        unchecked.push(`${String(name)}: ${reasonOf(tableError)}`);
      }
    }
  }
  return { damage, oddities, unchecked };
}

/** One message may hold several problems, a line each, under the heading `*** in database main ***`. */
function problemsIn(message: string): string[] {
  return message
    .split("\n")
    .filter((line) => line !== "ok" && line !== "" && !line.startsWith("*** in database"));
}

/** For people: the first problem, and how many there are. */
export function describeDamage(messages: readonly string[]): string {
  const [first = "it is damaged", ...more] = messages.flatMap(problemsIn);
  return more.length === 0 ? first : `${first} (and ${more.length} more)`;
}

/** A collation, function or module of the application, which is not loaded here; not a fault of the file. */
function isMissingCode(error: unknown): boolean {
  return /^no such (?:collation sequence|function|module)|^unknown function/.test(reasonOf(error));
}

export interface ForeignKeys {
  /** Rows whose foreign key points nowhere, by table. Violations are data as well: they are told, not refused. */
  readonly violations: readonly { readonly table: string; readonly rows: number }[];
  /** Why SQLite could not check them, such as a schema whose parent key cannot be one. */
  readonly problem: string | undefined;
}

export function checkForeignKeys(db: DatabaseSync): ForeignKeys {
  const counts = new Map<string, number>();
  let problem: string | undefined;
  try {
    for (const [table] of iterateExact(db, "PRAGMA foreign_key_check")) {
      counts.set(String(table), (counts.get(String(table)) ?? 0) + 1);
    }
  } catch (error) {
    if (!isMissingCode(error) && !reasonOf(error).startsWith("foreign key mismatch")) throw error;
    problem = reasonOf(error);
  }
  return { violations: [...counts].map(([table, rows]) => ({ table, rows })), problem };
}
