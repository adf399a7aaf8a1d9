/** A dump in the spool folder: what a database held before a restore changed it, for the way back. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { StoreManifest } from "../../domain/manifest.ts";
import type { DumpSink, DumpSource, StoredFile } from "../store.ts";
import { needingRoom, writeAll } from "../../util/fs/durable.ts";

export class SpoolDump implements DumpSink, DumpSource, AsyncDisposable {
  readonly manifest: StoreManifest;
  readonly #folder: string;

  /** `manifest` is the one of the dump that is being restored: nobody asks this one for its own. */
  private constructor(folder: string, manifest: StoreManifest) {
    this.#folder = folder;
    this.manifest = manifest;
  }

  static async create(folder: string, manifest: StoreManifest): Promise<SpoolDump> {
    await mkdir(folder, { mode: 0o700 });
    return new SpoolDump(folder, manifest);
  }

  async file(name: string, _kind: string, bytes: AsyncIterable<Uint8Array>): Promise<StoredFile> {
    const sha256 = createHash("sha256");
    let sizeBytes = 0;
    const path = join(this.#folder, name);
    await using handle = await open(path, "wx", 0o600);
    for await (const chunk of bytes) {
      sha256.update(chunk);
      sizeBytes += chunk.length;
      await needingRoom(path, writeAll(handle, [chunk]));
    }
    return { sizeBytes, sha256: sha256.digest("hex") };
  }

  async *read(name: string, range?: { offset: number; length: number }): AsyncIterable<Buffer> {
    const part = range === undefined ? {} : { start: range.offset, end: range.offset + range.length - 1 };
    yield* createReadStream(join(this.#folder, name), {
      ...part,
      highWaterMark: 1024 * 1024,
    }) as AsyncIterable<Buffer>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
