/** Removes many entries, as many at a time as the storage likes. */
import type { Storage } from "./storage.ts";

/** `mayRemove` is asked before each one. Ends at the first failure; what was removed stays removed. */
export async function removeAll(
  storage: Storage,
  names: Iterable<string>,
  mayRemove: () => Promise<void>,
): Promise<void> {
  const next = names[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: storage.properties.connections }, async () => {
      for (let step = next.next(); !step.done; step = next.next()) {
        await mayRemove();
        await storage.remove(step.value);
      }
    }),
  );
}
