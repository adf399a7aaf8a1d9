/** Notes, for each record in order, from which run it came and which vectors it has: pairs of 32-bit numbers on disk. */
import { open, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { needingRoom, writeAll } from "../../util/fs/durable.ts";

const pairsAtOnce = 64 * 1024;

export class OrderFile implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #path: string;
  #pairs: number[] = [];

  private constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  static async create(path: string): Promise<OrderFile> {
    return new OrderFile(await open(path, "w+", 0o600), path);
  }

  add(run: number, signature: number): void {
    this.#pairs.push(run, signature);
  }

  /** Writes what was added. Must have been called before `read`. `SPACE_LOW` when the disk is full. */
  async flush(): Promise<void> {
    if (this.#pairs.length === 0) return;
    const bytes = Buffer.from(Uint32Array.from(this.#pairs).buffer);
    this.#pairs = [];
    await needingRoom(this.#path, writeAll(this.#handle, [bytes]));
  }

  /** All pairs, flat. */
  async *read(): AsyncGenerator<Uint32Array> {
    for (let position = 0; ;) {
      const pairs = new Uint32Array(pairsAtOnce * 2);
      const { bytesRead } = await this.#handle.read(pairs, 0, pairs.byteLength, position);
      if (bytesRead === 0) return;
      const whole = bytesRead - (bytesRead % 8);
      yield pairs.subarray(0, whole / 4);
      position += whole;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
    await rm(this.#path, { force: true });
  }
}
