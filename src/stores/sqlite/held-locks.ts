/**
 * POSIX drops all locks that a process has on a file as soon as the process closes *any* of its handles on that file
 * (sqlite.org/howtocorrupt.html, 2.2). SQLite knows, and keeps its own handles. Whoever opens a database here by other
 * means must not close it while a reader of this process has it open: it is closed with the last reader.
 */
import type { FileHandle } from "node:fs/promises";

interface Held {
  readers: number;
  readonly waiting: FileHandle[];
}

const held = new Map<string, Held>();

function entry(identity: string): Held {
  let found = held.get(identity);
  if (!found) {
    found = { readers: 0, waiting: [] };
    held.set(identity, found);
  }
  return found;
}

/** Says that a SQLite connection of this process has the file open, until disposed. `identity` is `device:inode`. */
export function holdLocks(identity: string): AsyncDisposable {
  entry(identity).readers++;
  let isHeld = true;
  return {
    async [Symbol.asyncDispose]() {
      if (!isHeld) return;
      isHeld = false;
      entry(identity).readers--;
      await closeWaiting(identity);
    },
  };
}

/** Closes a handle now, or when no connection of this process can lose a lock by it. */
export async function closeWithoutLosingLocks(handle: FileHandle): Promise<void> {
  const { dev, ino } = await handle.stat({ bigint: true });
  const identity = `${dev}:${ino}`;
  entry(identity).waiting.push(handle);
  await closeWaiting(identity);
}

async function closeWaiting(identity: string): Promise<void> {
  const found = entry(identity);
  if (found.readers > 0) return;
  held.delete(identity);
  for (const handle of found.waiting) await handle.close();
}
