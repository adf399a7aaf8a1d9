/**
 * The transaction in which rows are written into tables that are in use. Triggers are the application's: a restored row is
 * to be as it was, so they are left out where the role owns the table. Foreign keys hold: tables are written in their
 * order, and circles are checked at the end. What is changed for it is changed back before the commit.
 */
import { MemkeepError, reasonOf } from "../../domain/errors.ts";
import type { Session } from "./client.ts";
import { failure, stateOf } from "./failure.ts";
import { quoteName, quoteTable, quoteText } from "./names.ts";
import type { Surroundings } from "./view.ts";
import { type ForeignKey, type WritableTable, foreignKeys, inOrder } from "./writable-table.ts";

const enabling: Readonly<Record<string, string>> = { O: "", A: "ALWAYS ", R: "REPLICA " };

export interface WriteTransaction {
  readonly session: Session;
  /** In the order in which they are to be written. */
  readonly tables: readonly WritableTable[];
  /** Sentences about what could not be done as it should. */
  readonly warnings: string[];
  readonly undo: readonly string[];
}

/** Begins it. The caller ends it with `finishWriting` and COMMIT, or by ending the session. */
export async function beginWriting(
  session: Session,
  tables: readonly WritableTable[],
  { config }: Surroundings,
): Promise<WriteTransaction> {
  await session.run(`BEGIN; SET LOCAL lock_timeout TO ${config.lockTimeout}; SET CONSTRAINTS ALL DEFERRED`);
  const ordered = inOrder(tables, await foreignKeys(session, tables));
  const statements: string[] = [];
  const undo: string[] = [];
  const warnings: string[] = [];
  for (const table of tables) {
    const firing = table.triggers.filter(({ mode }) => mode !== "R");
    if (firing.length > 0 && !table.isOwned) {
      warnings.push(
        `the triggers of ${table.name} fire (${firing.map(({ name }) => name).join(", ")}): the role does not own it`,
      );
      continue;
    }
    for (const { name, mode } of firing) {
      statements.push(`ALTER TABLE ONLY ${table.sql} DISABLE TRIGGER ${quoteName(name)}`);
      undo.push(`ALTER TABLE ONLY ${table.sql} ENABLE ${enabling[mode]}TRIGGER ${quoteName(name)}`);
    }
  }
  for (const { name, sql } of ordered.circular.filter(mustBeAltered)) {
    const constraint = `ALTER TABLE ${sql} ALTER CONSTRAINT ${quoteName(name)}`;
    statements.push(`${constraint} DEFERRABLE INITIALLY DEFERRED`);
    undo.push(`${constraint} NOT DEFERRABLE`);
  }
  for (const statement of statements) await session.run(statement);
  return { session, tables: ordered.tables, warnings, undo };
}

function mustBeAltered({ isDeferrable, isOwned }: ForeignKey): boolean {
  return !isDeferrable && isOwned;
}

/** Checks what was deferred, brings triggers and constraints back, and moves sequences up behind what was written. */
export async function finishWriting({ session, tables, warnings, undo }: WriteTransaction): Promise<void> {
  // What is still to be checked would keep the tables from being altered.
  await session.run("SET CONSTRAINTS ALL IMMEDIATE");
  for (const statement of undo) await session.run(statement);
  await moveSequences(session, tables, warnings);
}

/** A sequence is never part of a transaction: moved up it stays, which harms nobody. */
async function moveSequences(
  session: Session,
  tables: readonly WritableTable[],
  warnings: string[],
): Promise<void> {
  const sequences = await session.rows<Record<string, string>>(
    `SELECT n.nspname AS schema, s.relname AS name, a.attname AS column, tn.nspname AS in, t.relname AS of,
            q.seqincrement > 0 AS rises, q.seqmin AS least, q.seqmax AS most,
            has_sequence_privilege(s.oid, 'UPDATE') AND has_sequence_privilege(s.oid, 'SELECT') AS may
       FROM pg_depend d
       JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
       JOIN pg_sequence q ON q.seqrelid = s.oid
       JOIN pg_namespace n ON n.oid = s.relnamespace
       JOIN pg_class t ON t.oid = d.refobjid
       JOIN pg_namespace tn ON tn.oid = t.relnamespace
       JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid AND a.atttypid IN (20, 21, 23)
      WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
        AND d.refobjid = ANY ($1::oid[])`,
    [[...new Set(tables.flatMap(({ oid, root }) => [oid, root]))]],
  );
  for (const { schema, name, column, in: within, of, rises, least, most, may } of sequences) {
    const sequence = quoteTable(schema!, name!);
    if (may !== "t") {
      warnings.push(`the sequence ${sequence} was not moved up: the role may not`);
      continue;
    }
    const [furthest, beyond] = rises === "t" ? ["max", ">"] : ["min", "<"];
    await session.rows(
      `SELECT setval(${quoteText(sequence)}::regclass, m.value)
         FROM (SELECT ${furthest}(${quoteName(column!)})::bigint AS value FROM ${quoteTable(within!, of!)}) m, ${sequence} s
        WHERE m.value BETWEEN ${least} AND ${most}
          AND (m.value ${beyond} s.last_value OR (m.value = s.last_value AND NOT s.is_called))`,
    );
  }
}

/** What the server refused, in words. Its text names the constraint; values stand only in its details, which stay out. */
export function refusedWrite(error: unknown, what: string, { connection }: Surroundings): unknown {
  const state = stateOf(error) ?? "";
  if (error instanceof MemkeepError || !(state.startsWith("22") || state.startsWith("23"))) {
    return failure(`write into ${what} of`, error, connection);
  }
  return new MemkeepError("STORE_UNSUPPORTED", {
    tried: `write records into ${what}`,
    happened: reasonOf(error),
    next: "Nothing was written. Change the row that stands in the way, or write the records that it needs first.",
    cause: error,
  });
}
