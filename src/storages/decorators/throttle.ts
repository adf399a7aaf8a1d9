import { systemClock } from "../../util/clock/clock.ts";
import type { Clock } from "../../util/clock/clock.ts";
import type { ByteRange, Storage } from "../storage.ts";
import { PassThroughStorage } from "./pass-through.ts";

export interface ThrottleOptions {
  /** Bytes a second, for all requests together; no limit when left out. */
  readonly uploadBytesPerSecond?: number;
  readonly downloadBytesPerSecond?: number;
  readonly clock?: Clock;
}

/**
 * Keeps uploads and downloads below a rate. It counts whole entries and ranges, so the rate holds over the time of a
 * few of them, not within one: an upload waits for its turn and then goes as fast as the line.
 */
export class ThrottledStorage extends PassThroughStorage {
  readonly #up: TokenBucket | undefined;
  readonly #down: TokenBucket | undefined;
  readonly #closed = new AbortController();

  constructor(inner: Storage, options: ThrottleOptions) {
    super(inner);
    const clock = options.clock ?? systemClock;
    this.#up = bucketOf(options.uploadBytesPerSecond, clock);
    this.#down = bucketOf(options.downloadBytesPerSecond, clock);
  }

  override async read(name: string, range?: ByteRange, into?: Uint8Array): Promise<Buffer> {
    await this.#down?.take(range?.length ?? 0, this.#closed.signal);
    const bytes = await this.inner.read(name, range, into);
    // How long a whole entry is turns out only now: those that come later pay for it.
    if (range?.length === undefined) this.#down?.owe(bytes.byteLength);
    return bytes;
  }

  override async write(name: string, parts: readonly Uint8Array[], sha256?: string): Promise<void> {
    const sizeBytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
    await this.#up?.take(sizeBytes, this.#closed.signal);
    await this.inner.write(name, parts, sha256);
  }

  override async close(): Promise<void> {
    this.#closed.abort();
    await this.inner.close();
  }
}

function bucketOf(bytesPerSecond: number | undefined, clock: Clock): TokenBucket | undefined {
  return bytesPerSecond === undefined ? undefined : new TokenBucket(bytesPerSecond, clock);
}

/**
 * A token bucket that may go into debt: who asks for more than there is takes it and the next one waits until the debt
 * is paid. So an entry larger than a second's worth still passes, and the rate over time is kept.
 */
class TokenBucket {
  readonly #perMs: number;
  readonly #capacity: number;
  readonly #clock: Clock;
  #tokens: number;
  #filledAtMs: number;

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#perMs = bytesPerSecond / 1000;
    this.#capacity = bytesPerSecond;
    this.#clock = clock;
    this.#tokens = 0;
    this.#filledAtMs = clock.monotonicMs();
  }

  owe(bytes: number): void {
    this.#refill();
    this.#tokens -= bytes;
  }

  async take(bytes: number, signal: AbortSignal): Promise<void> {
    this.#refill();
    const waitMs = Math.max(0, -this.#tokens / this.#perMs);
    // Taken before the wait, so that whoever asks meanwhile queues up behind.
    this.#tokens -= bytes;
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal);
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#tokens = Math.min(this.#capacity, this.#tokens + (nowMs - this.#filledAtMs) * this.#perMs);
    this.#filledAtMs = nowMs;
  }
}
