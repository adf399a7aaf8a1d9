/** The only room that reads the time, so that tests and simulations can turn it. */

export interface Clock {
  /** Wall time in milliseconds since 1970. May jump; only for stamps that people and other machines read. */
  now(): number;
  /** Milliseconds that only grow; for durations, rates and deadlines. Counts suspended time where the system does. */
  monotonicMs(): number;
  /** Resolves after `ms`, or rejects with the signal's reason at once when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      function onAbort(): void {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      }
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};
