/** Shared buffers that are used again and again: allocating megabytes for each piece of work costs more than the work. */
export class SharedBuffers {
  readonly #spare: SharedArrayBuffer[] = [];
  readonly #usualBytes: number;
  readonly #share: (buffer: SharedArrayBuffer) => void;

  /** `share` is told of each new one of the usual size. A larger buffer is made when it is asked for, and not kept. */
  constructor(usualBytes: number, share: (buffer: SharedArrayBuffer) => void) {
    this.#usualBytes = usualBytes;
    this.#share = share;
  }

  /** One of at least that many bytes, with anything in it. */
  take(bytes: number): SharedArrayBuffer {
    if (bytes > this.#usualBytes) return new SharedArrayBuffer(bytes);
    const spare = this.#spare.pop();
    if (spare) return spare;
    const made = new SharedArrayBuffer(this.#usualBytes);
    this.#share(made);
    return made;
  }

  give(buffer: SharedArrayBuffer): void {
    if (buffer.byteLength === this.#usualBytes) this.#spare.push(buffer);
  }
}
