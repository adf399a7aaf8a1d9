import { isMemkeepError } from "../../domain/errors.ts";
import { errnoOf } from "../../util/fs/durable.ts";
import { retry } from "../../util/retry/retry.ts";
import type { RetryOptions, RetryPolicy } from "../../util/retry/retry.ts";
import type { ByteRange, Storage, StorageEntry } from "../storage.ts";
import { PassThroughStorage } from "./pass-through.ts";

/** As restic's: 15 minutes outlast a router's restart and a provider's bad quarter of an hour. */
const defaultRetryPolicy: RetryPolicy = {
  deadlineMs: 15 * 60_000,
  firstDelayMs: 500,
  maxDelayMs: 60_000,
};

/** What the operating system reports when a connection, a mounted server or the machine is busy or gone for now. */
const transientCodes = new Set(
  (
    "ECONNRESET ECONNREFUSED ECONNABORTED EPIPE ETIMEDOUT ENETDOWN ENETUNREACH EHOSTDOWN EHOSTUNREACH EAI_AGAIN " +
    "ESTALE EAGAIN EBUSY EINTR EMFILE ENFILE"
  ).split(" "),
);

/** Whether a system error's code means that the same may work later. */
export function isTransientCode(code: string): boolean {
  return transientCodes.has(code);
}

/**
 * Whether a storage's error may pass when tried again. An adaptor that knows says so with `details.transient`;
 * otherwise the system error among the causes tells. Only `STORAGE_FAILED` can be transient.
 */
export function isTransient(error: unknown): boolean {
  if (!isMemkeepError(error, "STORAGE_FAILED")) return false;
  const told = error.details?.["transient"];
  if (typeof told === "boolean") return told;
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    if (transientCodes.has(errnoOf(cause) ?? "")) return true;
  }
  return false;
}

export type RetryingOptions = Partial<Omit<RetryOptions, "isTransient">>;

/** The options with what a storage adds to them: the usual policy, and what is transient. */
export function retryOptions(options: RetryingOptions): RetryOptions {
  return { ...defaultRetryPolicy, ...options, isTransient };
}

/**
 * Tries transient failures of every operation again, within a deadline for each operation. A write that failed may
 * still have worked: when the name is taken afterwards, the entry is read and compared. A listing is begun again only
 * as long as nothing of it was handed out; an adaptor that can continue one does so itself.
 */
export class RetryingStorage extends PassThroughStorage {
  readonly #closed = new AbortController();
  readonly #options: RetryOptions;

  constructor(inner: Storage, options: RetryingOptions = {}) {
    super(inner);
    this.#options = retryOptions({ ...options, signal: this.#closed.signal });
  }

  override async *list(prefix: string): AsyncIterable<StorageEntry> {
    const { entries, first } = await retry(async () => {
      const entries = this.inner.list(prefix)[Symbol.asyncIterator]();
      return { entries, first: await entries.next() };
    }, this.#options);
    try {
      for (let next = first; next.done !== true; next = await entries.next()) yield next.value;
    } finally {
      await entries.return?.();
    }
  }

  override read(name: string, range?: ByteRange, into?: Uint8Array): Promise<Buffer> {
    return retry(() => this.inner.read(name, range, into), this.#options);
  }

  override write(name: string, parts: readonly Uint8Array[], sha256?: string): Promise<void> {
    return retry(async (failedAttempts) => {
      try {
        await this.inner.write(name, parts, sha256);
      } catch (error) {
        if (failedAttempts === 0 || !isMemkeepError(error, "STORAGE_EXISTS")) throw error;
        if (!(await this.#holds(name, parts))) throw error;
      }
    }, this.#options);
  }

  override remove(name: string): Promise<void> {
    return retry(() => this.inner.remove(name), this.#options);
  }

  override stat(name: string): Promise<{ sizeBytes: number } | undefined> {
    return retry(() => this.inner.stat(name), this.#options);
  }

  override sweep(): Promise<number> {
    return retry(() => this.inner.sweep(), this.#options);
  }

  override async close(): Promise<void> {
    this.#closed.abort();
    await this.inner.close();
  }

  /** True when the entry has exactly these bytes: an earlier attempt worked, and only its answer was lost. */
  async #holds(name: string, parts: readonly Uint8Array[]): Promise<boolean> {
    const sizeBytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
    const found = await this.inner.stat(name);
    if (found?.sizeBytes !== sizeBytes) return false;
    const stored = await this.inner.read(name);
    let offset = 0;
    return parts.every((part) => {
      const begin = offset;
      offset += part.byteLength;
      return stored.subarray(begin, offset).equals(part);
    });
  }
}
