/** What SQLite's error codes mean to somebody who backs up a file. */
import { type ErrorCode, MemkeepError, isMemkeepError, reasonOf } from "../../domain/errors.ts";

/** An error of SQLite that came out of a reader thread: a thrown object's own properties do not cross by themselves. */
export class SqliteFailure extends Error {
  readonly errcode: number;
  constructor(message: string, errcode: number) {
    super(message);
    this.errcode = errcode;
  }
}

/** What SQLite says of a table whose key it cannot compare. */
export const noQuerySolution = "no query solution";

/** SQLite's extended result code (sqlite.org/rescode.html), or undefined for any other error. */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode : undefined;
}

const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;
const READONLY_ROLLBACK = 776;

function primaryCode(error: unknown): number | undefined {
  const code = resultCode(error);
  return code === undefined ? undefined : code & 0xff;
}

export function isCorrupt(error: unknown): boolean {
  const code = primaryCode(error);
  return code === CORRUPT || code === NOTADB;
}

/** The error in words. What is no error of SQLite is given back as it is. */
export function storeError(error: unknown, path: string, tried: string): unknown {
  const code = primaryCode(error);
  if (code === undefined || isMemkeepError(error)) return error;
  const [storeCode, next] = reasonOf(error).includes(noQuerySolution)
    ? (["STORE_UNREADABLE", unknownCollationHint] as const)
    : meaning(code, resultCode(error) ?? code, path);
  return new MemkeepError(storeCode, {
    tried,
    happened: `SQLite says: ${reasonOf(error)}`,
    next,
    cause: error,
    details: { path, resultCode: resultCode(error) },
  });
}

function meaning(code: number, extended: number, path: string): [ErrorCode, string] {
  if (extended === READONLY_ROLLBACK) {
    return [
      // Not busy: nobody will end that transaction by himself, and a restore takes the raw bytes for its safety copy.
      "STORE_UNREADABLE",
      `A program was killed in the middle of a transaction and left ${path}-journal, which the next program that may write rolls back. ` +
        "Start the application once (or open the file with the sqlite3 shell), then run memkeep again.",
    ];
  }
  switch (code) {
    case BUSY:
    case LOCKED:
      return [
        "STORE_BUSY",
        "Another program holds a lock on the database. Raise `busyTimeout`, or stop that program while memkeep runs.",
      ];
    case READONLY:
    case CANTOPEN:
      return [
        "STORE_DENIED",
        `A WAL database needs ${path}-shm beside it, and memkeep may not create or read it here. ` +
          "Run memkeep as the user that owns the database, or where the folder can be written.",
      ];
    case CORRUPT:
      return [
        "STORE_DAMAGED",
        "Restore the newest good snapshot with `memkeep restore`, which keeps the damaged file; or save what can be read with `sqlite3 FILE .recover`.",
      ];
    case NOTADB:
      return ["STORE_UNREADABLE", notADatabaseHint];
    case FULL:
      return ["SPACE_LOW", "Free space on the disk, or set the spool folder to another one."];
    case IOERR:
      return ["STORE_UNREADABLE", "The disk or the file system failed: look into the system's log."];
    default:
      return ["STORE_UNREADABLE", "Open the file with the sqlite3 shell to see whether it says the same."];
  }
}

const unknownCollationHint =
  "SQLite itself cannot read that table without its application, so its rows could not be counted or compared. " +
  "Let the application export it, or make it a table with rowids: those are backed up whatever their collations.";

export const notADatabaseHint =
  "If it is encrypted (SQLCipher, SEE), memkeep cannot open it: back up an export that its application makes. " +
  "If it should be a plain SQLite file, its beginning is damaged: restore a snapshot with `memkeep restore`.";
