/** What a server's refusal means, in words that hold no data: Neo4j's own texts quote queries and values. */
import { MemkeepError, isMemkeepError, reasonOf } from "../../domain/errors.ts";
import type { ErrorCode } from "../../domain/errors.ts";

/** The stable code of a driver's error (`Neo.ClientError.Security.Unauthorized`), or empty. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}

const meanings: readonly (readonly [pattern: RegExp, code: ErrorCode, happened: string, next?: string])[] = [
  [
    /Security\.Unauthorized$/,
    "STORE_DENIED",
    "the server refused the user or the password",
    "Check `username` and `password` (or `auth`) in the configuration.",
  ],
  [
    /Security\.AuthenticationRateLimit$/,
    "STORE_DENIED",
    "the server refuses this user for a while after several wrong passwords",
    "Check the password, and wait some seconds.",
  ],
  [
    /Security\.CredentialsExpired$/,
    "STORE_DENIED",
    "the password must be changed before it can be used",
    "Run `ALTER CURRENT USER SET PASSWORD …` in cypher-shell.",
  ],
  [
    /Security\./,
    "STORE_DENIED",
    "the user has not the right to do this",
    "The store's readme lists the least rights for backup and restore.",
  ],
  [
    /Database\.DatabaseNotFound$/,
    "STORE_MISSING",
    "the server has no database of that name",
    "Check `database` in the configuration; `SHOW DATABASES` lists them.",
  ],
  [/(Database|General)\.DatabaseUnavailable$/, "STORE_UNREACHABLE", "the database is not available now"],
  [
    /^(ServiceUnavailable|SessionExpired)$/,
    "STORE_UNREACHABLE",
    "the server cannot be reached, or the connection was lost",
  ],
  [
    /MemoryPoolOutOfMemoryError$|OutOfMemory/,
    "STORE_BUSY",
    "the query needs more memory than the server allows",
    "Raise `dbms.memory.transaction.total.max` on the server.",
  ],
  [
    /TransactionTimedOut/,
    "STORE_BUSY",
    "the server ended the query at its time limit",
    "Raise `db.transaction.timeout` on the server.",
  ],
  [/^Neo\.TransientError\./, "STORE_BUSY", "the server could not do it now"],
];

/** A `MemkeepError` of whatever the driver rejected with. */
export function failure(tried: string, cause: unknown): MemkeepError {
  if (isMemkeepError(cause)) return cause;
  const code = codeOf(cause);
  const [, meaning, happened, next] = meanings.find(([pattern]) => pattern.test(code)) ?? [];
  if (meaning === undefined) {
    return new MemkeepError("STORE_UNREADABLE", {
      tried,
      happened: code.startsWith("Neo.") ? `the server refused: ${code}` : firstWords(reasonOf(cause)),
      cause,
    });
  }
  return new MemkeepError(meaning, {
    tried,
    happened: code.startsWith("Neo.TransientError") ? `${happened!} (${code})` : happened!,
    ...(next === undefined ? {} : { next }),
    cause,
  });
}

/** What may pass by itself. Never a refused password, a missing database, or a limit that would be met again. */
export function isTransient(error: unknown): boolean {
  const code = codeOf(error instanceof MemkeepError ? error.cause : error);
  if (isTooMuch(error)) return false;
  return (
    isMemkeepError(error, "STORE_UNREACHABLE") ||
    /^(ServiceUnavailable|SessionExpired|Neo\.TransientError\.)/.test(code)
  );
}

/** The server gave up on a query for its size: a smaller one may succeed. */
export function isTooMuch(error: unknown): boolean {
  const code = codeOf(error instanceof MemkeepError ? error.cause : error);
  return /MemoryPoolOutOfMemoryError$|OutOfMemory|TransactionTimedOut/.test(code);
}

function firstWords(text: string): string {
  return /^[^:'"`\n]{0,160}/.exec(text)![0];
}
