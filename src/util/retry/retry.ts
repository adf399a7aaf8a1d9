/**
 * Tries again what may pass. The delays double and are drawn at random ("full jitter"), so that many clients of a
 * server that just came back do not come back together
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
import { systemClock } from "../clock/clock.ts";
import type { Clock } from "../clock/clock.ts";

export interface RetryPolicy {
  /** No attempt begins later than this after the first one began. */
  readonly deadlineMs: number;
  /** Upper bound of the first delay; each following bound is twice as long. */
  readonly firstDelayMs: number;
  /** No delay is longer. */
  readonly maxDelayMs: number;
}

export interface RetryOptions extends RetryPolicy {
  /** Whether the error may pass when tried again. */
  isTransient(error: unknown): boolean;
  /** Told of every retry before its delay begins. */
  onRetry?(error: unknown, attempt: number, delayMs: number): void;
  /** Ends a delay; the last error is then the outcome. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/**
 * The result of `operation`, which is told how many attempts came before. Rejects with the last error once one is not
 * transient, the deadline has passed, or the signal was aborted.
 */
export async function retry<Result>(
  operation: (failedAttempts: number) => Promise<Result>,
  options: RetryOptions,
): Promise<Result> {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? ((): number => Math.random());
  const endMs = clock.monotonicMs() + options.deadlineMs;
  for (let attempt = 0; ; attempt++) {
    try {
      return await operation(attempt);
    } catch (error) {
      if (!options.isTransient(error) || options.signal?.aborted === true) throw error;
      const boundMs = Math.min(options.maxDelayMs, options.firstDelayMs * 2 ** attempt);
      // At least half the bound: a delay of nearly nothing would be a hammer on a server that asks for a pause.
      const delayMs = boundMs * (0.5 + random() / 2);
      if (clock.monotonicMs() + delayMs > endMs) throw error;
      options.onRetry?.(error, attempt + 1, delayMs);
      try {
        await clock.sleep(delayMs, options.signal);
      } catch {
        throw error;
      }
    }
  }
}
