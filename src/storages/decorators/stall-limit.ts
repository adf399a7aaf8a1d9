import { MemkeepError } from "../../domain/errors.ts";
import type { Clock } from "../../util/clock/clock.ts";
import type { ByteRange, Storage, StorageEntry } from "../storage.ts";
import { PassThroughStorage } from "./pass-through.ts";

export interface StallLimitOptions {
  /** How long one operation may take, milliseconds. */
  readonly limitMs: number;
  readonly clock: Clock;
}

/**
 * Gives a storage up when one operation takes longer than the limit: `STORAGE_STALLED`, for that operation and every
 * other, those under way among them. So whoever writes to several storages waits for a stalled one once, and not again
 * when it closes up. What was asked for may still happen later; all that memkeep writes is harmless then.
 */
export class StallLimitedStorage extends PassThroughStorage {
  readonly #limitMs: number;
  readonly #clock: Clock;
  readonly #underWay = new Set<(error: MemkeepError) => void>();
  #givenUp: MemkeepError | undefined;

  constructor(inner: Storage, options: StallLimitOptions) {
    super(inner);
    this.#limitMs = options.limitMs;
    this.#clock = options.clock;
  }

  override async *list(prefix: string): AsyncIterable<StorageEntry> {
    const entries = this.inner.list(prefix)[Symbol.asyncIterator]();
    let ended = false;
    try {
      for (;;) {
        const next = await this.#within(`list ${prefix} in`, () => entries.next());
        ended = next.done === true;
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      // A listing that is stuck cannot be ended either.
      if (!ended && !this.#givenUp) await entries.return?.();
    }
  }

  /** Nothing is read into the caller's memory: what was given up may still arrive, when that is somebody else's. */
  override read(name: string, range?: ByteRange): Promise<Buffer> {
    return this.#within(`read ${name} in`, () => this.inner.read(name, range));
  }

  override write(name: string, parts: readonly Uint8Array[], sha256?: string): Promise<void> {
    return this.#within(`write ${name} to`, () => this.inner.write(name, parts, sha256));
  }

  override remove(name: string): Promise<void> {
    return this.#within(`remove ${name} from`, () => this.inner.remove(name));
  }

  override stat(name: string): Promise<{ sizeBytes: number } | undefined> {
    return this.#within(`look for ${name} in`, () => this.inner.stat(name));
  }

  override sweep(): Promise<number> {
    return this.#within("remove left-over temporary files in", () => this.inner.sweep());
  }

  override async close(): Promise<void> {
    const closing = this.inner.close();
    // Nobody waits for what was given up; its answer, whatever it is, changes nothing.
    if (this.#givenUp) closing.catch(() => undefined);
    else await closing;
  }

  async #within<T>(tried: string, operation: () => Promise<T>): Promise<T> {
    if (this.#givenUp) throw this.#givenUp;
    const { promise: givenUp, reject } = Promise.withResolvers<never>();
    const inTime = new AbortController();
    this.#underWay.add(reject);
    this.#clock.sleep(this.#limitMs, inTime.signal).then(
      () => this.#giveUp(tried),
      // It came in time.
      () => undefined,
    );
    try {
      return await Promise.race([operation(), givenUp]);
    } finally {
      this.#underWay.delete(reject);
      inTime.abort();
    }
  }

  #giveUp(tried: string): void {
    this.#givenUp ??= new MemkeepError("STORAGE_STALLED", {
      tried: `${tried} ${this.location}`,
      happened: `it took longer than ${Math.round(this.#limitMs / 1000)} s, so it was given up`,
      next: "Check the connection or the disk; `memkeep copy` or the next backup brings that repository up to date.",
    });
    for (const reject of this.#underWay) reject(this.#givenUp);
  }
}
