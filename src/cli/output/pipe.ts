/** Standard output and standard error. A reader that goes away (`| head`) is no error: the rest is simply not written. */
import { once } from "node:events";
import type { Writable } from "node:stream";

export class Pipe {
  readonly #stream: Writable;
  #closed = false;
  #failure: Error | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("error", (error: NodeJS.ErrnoException) => {
      this.#closed = true;
      // EPIPE: the reader left. EIO: the terminal is gone. Anything else (a full disk behind `>`) is a failure.
      if (!["EPIPE", "EIO", "ERR_STREAM_DESTROYED"].includes(error.code ?? "")) this.#failure = error;
    });
  }

  /** Nobody reads any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Why writing failed, when it was not that the reader left: what was shown is then not complete. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  write(text: string): void {
    if (!this.#closed) this.#stream.write(text);
  }

  /** Writes bytes and waits while the reader is slower. False when nobody reads any more. */
  async writeBytes(bytes: Uint8Array): Promise<boolean> {
    if (this.#closed) return false;
    if (!this.#stream.write(bytes)) {
      await Promise.race([once(this.#stream, "drain"), once(this.#stream, "close")]).catch(() => undefined);
    }
    return !this.#closed;
  }

  /** Resolves when everything written so far has left this process. */
  async flush(): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      this.#stream.write("", () => resolve());
    });
  }
}
