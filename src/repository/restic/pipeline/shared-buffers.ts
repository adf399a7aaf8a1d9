import type { WorkerPool } from "./worker-pool.ts";

/** Shared buffers that are used again and again: allocating megabytes for each piece of work costs more than the work. */
export class SharedBuffers {
  readonly #spare: SharedArrayBuffer[] = [];
  readonly #usualBytes: number;
  readonly #workers: WorkerPool;

  /** Those of the usual size become known to the workers. A larger buffer is made when it is asked for, and not kept. */
  constructor(usualBytes: number, workers: WorkerPool) {
    this.#usualBytes = usualBytes;
    this.#workers = workers;
  }

  /** One of at least that many bytes, with anything in it. */
  take(bytes: number): SharedArrayBuffer {
    if (bytes > this.#usualBytes) return new SharedArrayBuffer(bytes);
    return this.#spare.pop() ?? this.#workers.share(new SharedArrayBuffer(this.#usualBytes));
  }

  give(buffer: SharedArrayBuffer): void {
    if (buffer.byteLength === this.#usualBytes) this.#spare.push(buffer);
  }
}
