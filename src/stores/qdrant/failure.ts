/** What the server's refusals and the network's failures mean in the words of `MemkeepError`. */
import { MemkeepError, isMemkeepError, reasonOf } from "../../domain/errors.ts";
import type { ErrorCode } from "../../domain/errors.ts";

/** An answer that is not 2xx. */
export class Refusal extends Error {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** An attempt before this one failed on the way: the server may have done then what it refuses now. */
  readonly isRetry: boolean;

  constructor(
    status: number,
    text: string,
    { retryAfter, isRetry = false }: { retryAfter?: string | undefined; isRetry?: boolean } = {},
  ) {
    super(text);
    this.status = status;
    this.retryAfter = retryAfter;
    this.isRetry = isRetry;
  }

  /**
   * 5xx: a server that restarts, a proxy in front of it, a shard that recovers. 408: a cluster that has not agreed yet.
   * Strict mode refuses writes with 400 while memory is short; that passes when the server has flushed.
   */
  get mayPass(): boolean {
    return this.status >= 500 || this.status === 408 || this.isShortOfMemory;
  }

  get isShortOfMemory(): boolean {
    return this.status !== 429 && /out of memory|resident memory usage/i.test(this.message);
  }

  /** The request is too much at once, whoever says so: the server, strict mode or a proxy in front. */
  get isTooLarge(): boolean {
    return this.status === 413 || this.isShortOfMemory || /larger than allowed/i.test(this.message);
  }
}

const longestText = 500;

/** The server's own words, cut to a length that fits into a message. */
export function errorText(bytes: Buffer): string {
  const text = bytes.toString("utf8").trim();
  try {
    const { status } = JSON.parse(text) as { status?: { error?: unknown } };
    if (typeof status?.error === "string") return status.error.slice(0, longestText);
  } catch (error) {
    // 401 and answers of proxies are plain text.
    if (!(error instanceof SyntaxError)) throw error;
  }
  return text.slice(0, longestText) || "it gave no reason";
}

/** Milliseconds that a 429 asks to wait: the header's, or those of the message (`Retry after 30s`). */
export function pauseOf({ status, message, retryAfter }: Refusal): number | undefined {
  // What is larger than the whole budget is refused for ever.
  if (status !== 429 || /larger than rate limiter capacity/i.test(message)) return undefined;
  const seconds = /^\d+$/.exec(retryAfter ?? "")?.[0] ?? /Retry after (\d+)/i.exec(message)?.[1];
  // A server that names no time is asked again after a few seconds.
  return Math.min(3600, Math.max(1, Number(seconds ?? 5))) * 1000;
}

export function isRefusal(error: unknown, status: number): boolean {
  return refusalOf(error)?.status === status;
}

/** The refusal behind an error; undefined where there is none. */
export function refusalOf(error: unknown): Refusal | undefined {
  return isMemkeepError(error) && error.cause instanceof Refusal ? error.cause : undefined;
}

/** The error that callers see. Its cause is the `Refusal` where there was one. */
export function failure(error: unknown, tried: string, source: string): MemkeepError {
  if (isMemkeepError(error)) return error;
  const { code, next } = meaning(error);
  return new MemkeepError(code, {
    tried: `${tried} on the Qdrant server ${source}`,
    happened: error instanceof Refusal ? `it answered ${error.status}: ${error.message}` : reasonOf(error),
    ...(next === undefined ? {} : { next }),
    cause: error,
  });
}

function meaning(error: unknown): { code: ErrorCode; next?: string } {
  if (!(error instanceof Refusal)) {
    return {
      code: "STORE_UNREACHABLE",
      next: "Check the address, and that the server runs and can be reached from here.",
    };
  }
  if (error.status === 401) return { code: "STORE_DENIED", next: "Set `apiKey` to a key of this server." };
  if (error.status === 403) {
    return {
      code: "STORE_DENIED",
      next: "This key may not do that: a backup needs a read-only key, a restore one with global manage access.",
    };
  }
  if (error.status === 429) {
    return {
      code: "STORE_BUSY",
      next: "Raise the rate limits of the collection's strict mode, or try again later.",
    };
  }
  if (error.status === 404) return { code: "STORE_MISSING" };
  if (error.status >= 500) {
    return {
      code: "STORE_UNREACHABLE",
      next: "Look into the server's log; it may be starting or short of memory.",
    };
  }
  return { code: "STORE_UNREADABLE" };
}
