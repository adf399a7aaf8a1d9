/** What a server's refusal means, in words. */
import { MemkeepError, type ErrorCode, reasonOf } from "../../domain/errors.ts";
import type { Connection } from "./connection.ts";
import { sourceOf } from "./connection.ts";
import { quoteName } from "./names.ts";

/** SQLSTATE of a server's error, or the `code` of a system error; undefined for anything else. */
export function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/**
 * Refused or reset connections, start-up, shutdown, too many clients: what may pass by itself. Never authentication, a
 * missing database or a name that does not exist.
 */
export function isTransient(error: unknown): boolean {
  const state = stateOf(error instanceof MemkeepError ? error.cause : error);
  if (state !== undefined) return transientStates.has(state) || state.startsWith("08");
  return /Connection terminated|timeout expired/i.test(reasonOf(error));
}

const transientStates = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN",
  // The socket of a server that is starting.
  "ENOENT",
  // too_many_connections, admin_shutdown, crash_shutdown, cannot_connect_now
  "53300",
  "57P01",
  "57P02",
  "57P03",
]);

interface Meaning {
  readonly code: ErrorCode;
  readonly next?: string;
}

const meanings: Readonly<Record<string, Meaning>> = {
  "3D000": {
    code: "STORE_MISSING",
    next: "Check the database's name; `psql -l` lists those that are there.",
  },
  "28P01": { code: "STORE_DENIED", next: "Check the user and the password." },
  "28000": { code: "STORE_DENIED", next: "Check the user, and the server's pg_hba.conf." },
  "42501": {
    code: "STORE_DENIED",
    next: "`memkeep doctor` prints the statements that create a fitting role.",
  },
  "55P03": { code: "STORE_BUSY" },
  "57014": { code: "STORE_BUSY" },
  "53300": {
    code: "STORE_UNREACHABLE",
    next: "The server has no free connection; raise max_connections or close some.",
  },
  "53200": {
    code: "STORE_BUSY",
    next: "Raise max_locks_per_transaction: every table needs a lock while it is dumped or restored.",
  },
  ENOTFOUND: { code: "STORE_UNREACHABLE", next: "There is no host of that name; check the URL." },
};

/** A `MemkeepError` of whatever a connection or a statement was refused with. Texts of the server never hold the password. */
export function failure(tried: string, cause: unknown, connection: Connection): MemkeepError {
  if (cause instanceof MemkeepError) return cause;
  const state = stateOf(cause) ?? "";
  const meaning =
    state.startsWith("28") && mayLackRole(cause) ? lacksRole(state, connection) : meanings[state];
  const code = meaning?.code ?? (isTransient(cause) ? "STORE_UNREACHABLE" : "STORE_UNREADABLE");
  return new MemkeepError(code, {
    tried: `${tried} ${sourceOf(connection)}`,
    happened: withoutPassword(reasonOf(cause) || "the connection was lost", connection),
    ...(meaning?.next === undefined ? {} : { next: meaning.next }),
    cause,
  });
}

/** With passwords a server does not tell whether it is the role that is missing. */
function mayLackRole(cause: unknown): boolean {
  return /role ".*" does not exist|password authentication failed/s.test(reasonOf(cause));
}

/** A role that reads everything and changes nothing. Its password is asked for by psql, and stands in no text. */
function lacksRole(state: string, { user, database }: Connection): Meaning {
  const role = quoteName(user);
  const statements = `CREATE ROLE ${role} LOGIN; GRANT CONNECT ON DATABASE ${quoteName(database)} TO ${role}; GRANT pg_read_all_data TO ${role}; then \\password ${role} in psql`;
  return {
    code: "STORE_DENIED",
    next:
      state === "28000"
        ? `As a superuser: ${statements}`
        : `Check the user and the password. If there is no such role, as a superuser: ${statements}`,
  };
}

/** Libraries and servers that repeat what they were given must not repeat this. */
export function withoutPassword(text: string, { password }: Connection): string {
  return password === undefined || password === "" ? text : text.replaceAll(password, "***");
}
