/**
 * Slabs: the shared buffers in which chunks travel between the main thread and the workers. There are a fixed number,
 * so a reader that is faster than the rest waits for a slab, and memory does not grow with the data (law 11).
 */

import type { WorkerPool } from "./worker-pool.ts";

/** Bytes that a slab takes from a stream before it is handed on. */
export const slabBytes: number = 2 ** 20;

export interface Slab {
  /** Room for `slabBytes` and the longest chunk that may begin in front of their end. */
  readonly input: SharedArrayBuffer;
  readonly bytes: Buffer;
  /** SHA-256 of each chunk. */
  readonly ids: SharedArrayBuffer;
  readonly idBytes: Buffer;
  /** Sealed chunks, per target. */
  readonly outputs: readonly SharedArrayBuffer[];
  readonly outputBytes: readonly Buffer[];
}

/** The smallest chunk that any policy cuts; it bounds the number of chunks in a slab. */
const smallestChunkBytes = 2048;
const sealBytes = 32;

export class SlabPool {
  readonly #free: Slab[];
  readonly #waiting: ((slab: Slab) => void)[] = [];

  /** @param longestChunkBytes the longest chunk of any policy in use. */
  constructor(workers: WorkerPool, targets: number, longestChunkBytes: number) {
    // Two for each worker and two between: one being filled, one being compared with the indexes.
    const count = workers.size * 2 + 2;
    const inputBytes = slabBytes + longestChunkBytes;
    const chunks = Math.ceil(inputBytes / smallestChunkBytes) + 1;
    this.#free = Array.from({ length: count }, () => {
      const input = workers.share(new SharedArrayBuffer(inputBytes));
      const ids = workers.share(new SharedArrayBuffer(chunks * 32));
      const outputs = Array.from({ length: targets }, () =>
        workers.share(new SharedArrayBuffer(inputBytes + chunks * sealBytes)),
      );
      return {
        input,
        bytes: Buffer.from(input),
        ids,
        idBytes: Buffer.from(ids),
        outputs,
        outputBytes: outputs.map((output) => Buffer.from(output)),
      };
    });
  }

  /** A free slab; waits until there is one. */
  take(): Promise<Slab> {
    const slab = this.#free.pop();
    if (slab) return Promise.resolve(slab);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(slab: Slab): void {
    const next = this.#waiting.shift();
    if (next) next(slab);
    else this.#free.push(slab);
  }
}
