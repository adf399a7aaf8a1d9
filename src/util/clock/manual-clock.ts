import type { Clock } from "./clock.ts";

interface Sleeper {
  readonly wakeAtMs: number;
  readonly wake: () => void;
}

/**
 * A clock that stands still until a test moves it. `sleeps` lists the lengths of all sleeps that were asked for.
 * With `skipSleeps`, a sleep moves the clock to its end and returns at once.
 */
export class ManualClock implements Clock {
  readonly sleeps: number[] = [];
  readonly #startMs: number;
  readonly #skipSleeps: boolean;
  readonly #sleepers = new Set<Sleeper>();
  #elapsedMs = 0;

  constructor(options: { startMs?: number; skipSleeps?: boolean } = {}) {
    this.#startMs = options.startMs ?? Date.UTC(2026, 10, 20);
    this.#skipSleeps = options.skipSleeps ?? false;
  }

  now(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.sleeps.push(ms);
    if (this.#skipSleeps) {
      this.advance(ms);
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper: Sleeper = { wakeAtMs: this.#elapsedMs + ms, wake: resolve };
    this.#sleepers.add(sleeper);
    const onAbort = (): void => reject(signal?.reason as Error);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      this.#sleepers.delete(sleeper);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Moves both times forward and wakes whoever slept until then. */
  advance(ms: number): void {
    this.#elapsedMs += ms;
    for (const sleeper of this.#sleepers) if (sleeper.wakeAtMs <= this.#elapsedMs) sleeper.wake();
  }
}
