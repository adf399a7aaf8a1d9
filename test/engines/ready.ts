import { setTimeout as delay } from "node:timers/promises";

import type { ServerProcess } from "./process.ts";

/**
 * Waits until `ask` no longer throws: it puts a question to the engine that only a ready one answers. Rejects with the
 * engine's own output when its process ends first or does not answer within `timeoutMs`; the caller stops it then.
 */
export async function untilReady(
  server: ServerProcess,
  ask: () => Promise<unknown>,
  timeoutMs = 90_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      await ask();
      return;
    } catch (error) {
      const timedOut = performance.now() > deadline;
      if (server.isRunning() && !timedOut) {
        await delay(30);
        continue;
      }
      const happened = timedOut ? `did not answer within ${timeoutMs} ms` : "ended before it was ready";
      throw new Error(`the engine ${happened}: ${server.output()}`, { cause: error });
    }
  }
}
