/**
 * Every failure that memkeep foresees is a `MemkeepError`: a stable code, what was tried, what happened and
 * what to do next. The catalogue below is the only mapping from a code to an exit code (DESIGN.md, "exit code").
 */

export const ExitCode = {
  done: 0,
  warnings: 1,
  failed: 2,
  partial: 3,
  noRepository: 10,
  locked: 11,
  wrongPassword: 12,
  usage: 64,
  interrupted: 130,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Code → exit code. A code is part of the interface: it is documented, and never reused with another meaning. */
export const errorCatalogue = {
  USAGE: ExitCode.usage,
  CONFIG_INVALID: ExitCode.usage,
  SNAPSHOT_NOT_FOUND: ExitCode.failed,
  SNAPSHOT_AMBIGUOUS: ExitCode.failed,
  REPOSITORY_MISSING: ExitCode.noRepository,
  REPOSITORY_EXISTS: ExitCode.failed,
  REPOSITORY_LOCKED: ExitCode.locked,
  REPOSITORY_DAMAGED: ExitCode.failed,
  REPOSITORY_VERSION: ExitCode.failed,
  LOCK_LOST: ExitCode.failed,
  PASSWORD_WRONG: ExitCode.wrongPassword,
  PASSWORD_MISSING: ExitCode.usage,
  STORAGE_FAILED: ExitCode.failed,
  STORAGE_DENIED: ExitCode.failed,
  STORAGE_EXISTS: ExitCode.failed,
  STORAGE_MISSING: ExitCode.failed,
  STORAGE_FULL: ExitCode.failed,
  STORAGE_READ_ONLY: ExitCode.failed,
  STORAGE_STALLED: ExitCode.failed,
  STORE_MISSING: ExitCode.failed,
  STORE_UNREADABLE: ExitCode.failed,
  STORE_DAMAGED: ExitCode.failed,
  STORE_DENIED: ExitCode.failed,
  STORE_UNREACHABLE: ExitCode.failed,
  STORE_BUSY: ExitCode.failed,
  STORE_EMPTY: ExitCode.failed,
  STORE_CHANGED: ExitCode.failed,
  STORE_UNSUPPORTED: ExitCode.failed,
  DUMP_INCOMPLETE: ExitCode.failed,
  DUMP_DAMAGED: ExitCode.failed,
  MANIFEST_INVALID: ExitCode.failed,
  MANIFEST_VERSION: ExitCode.failed,
  TARGET_IN_USE: ExitCode.failed,
  TARGET_EXISTS: ExitCode.failed,
  PLAN_STALE: ExitCode.failed,
  COMPARE_FAILED: ExitCode.failed,
  SPACE_LOW: ExitCode.failed,
  TOOL_MISSING: ExitCode.failed,
  TOOL_FAILED: ExitCode.failed,
  INTERRUPTED: ExitCode.interrupted,
  PARTIAL: ExitCode.partial,
} as const satisfies Record<string, ExitCode>;
export type ErrorCode = keyof typeof errorCatalogue;

export interface ErrorParts {
  /** What was tried, as a clause: `open the repository at ./backups`. */
  tried: string;
  /** What happened, as a clause: `it has no config file`. Never holds a secret. */
  happened: string;
  /** What the reader can do next, as a sentence or a command. */
  next?: string;
  cause?: unknown;
  /** Facts for `--json`; never secrets. */
  details?: Readonly<Record<string, unknown>>;
}

/** A foreseen failure. `message` is one line, "could not <tried>: <happened>"; `next` is printed on a line of its own. */
export class MemkeepError extends Error {
  readonly code: ErrorCode;
  readonly next: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, parts: ErrorParts) {
    super(
      `could not ${parts.tried}: ${parts.happened}`,
      parts.cause === undefined ? {} : { cause: parts.cause },
    );
    this.name = "MemkeepError";
    this.code = code;
    this.next = parts.next;
    this.details = parts.details;
  }

  get exitCode(): ExitCode {
    return errorCatalogue[this.code];
  }
}

/** True for a `MemkeepError` with one of the given codes (any code when none is given). */
export function isMemkeepError(error: unknown, ...codes: ErrorCode[]): error is MemkeepError {
  return error instanceof MemkeepError && (codes.length === 0 || codes.includes(error.code));
}

/** The text of any thrown value, for the `happened` part of an error that wraps it. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
