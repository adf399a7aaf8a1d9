/**
 * Opens a blob that is too large for the workers' shared buffers: the list of a 10 GB file's chunks is 40 MB. Shared memory is
 * free only when every thread has collected it; here it is given back as soon as it is released (law 11).
 */
import { hash } from "node:crypto";
import { isMemkeepError } from "../../../domain/errors.ts";
import type { Storage } from "../../../storages/storage.ts";
import { createDecompressor, type Decompressor } from "../crypto/compression.ts";
import type { MasterKey } from "../crypto/master-key.ts";
import { createSealer, sealOverheadBytes, type Sealer } from "../crypto/seal.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import { packName } from "../pack/pack-name.ts";
import { damagedChunks, type Loaded } from "./loaded.ts";
import { givePagesBack, takePages } from "./pages.ts";
import { readInto } from "./read-into.ts";

export class LargeBlobs {
  readonly #storage: Storage;
  readonly #index: BlobIndex;
  readonly #key: MasterKey;
  #tools: { readonly sealer: Sealer; readonly decompressor: Decompressor } | undefined;
  /** One after another: two at once would be twice the memory. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(storage: Storage, index: BlobIndex, key: MasterKey) {
    this.#storage = storage;
    this.#index = index;
    this.#key = key;
  }

  /** `REPOSITORY_DAMAGED` when it is not what its id says. */
  load(entry: number): Promise<Loaded> {
    const loaded = this.#last.then(() => this.#load(entry));
    this.#last = loaded.catch(() => undefined);
    return loaded;
  }

  async #load(entry: number): Promise<Loaded> {
    const { pack, offset, length, uncompressedLength } = this.#index.placeOf(entry);
    const packId = this.#index.packId(pack);
    const opened = takePages(length);
    await readInto(this.#storage, packName(packId), { offset, length }, opened.buffer);
    this.#tools ??= { sealer: createSealer(this.#key), decompressor: createDecompressor() };
    const { sealer, decompressor } = this.#tools;
    try {
      const pieces = { buffer: opened, offsets: [0], lengths: [length], count: 1 };
      sealer.openBatch(pieces, opened, 0);
      const packed = opened.subarray(0, length - sealOverheadBytes);
      let pages = opened;
      let bytes = packed;
      if (uncompressedLength > 0) {
        pages = takePages(uncompressedLength);
        bytes = pages;
        decompressor.decompressInto(packed, uncompressedLength, bytes, 0);
        givePagesBack(opened);
      }
      if (hash("sha256", bytes, "hex") !== this.#index.id(entry).toString("hex"))
        throw damagedChunks(packId, 1, 1);
      return { bytes, release: () => givePagesBack(pages) };
    } catch (error) {
      if (isMemkeepError(error, "REPOSITORY_DAMAGED")) throw damagedChunks(packId, 1, 1);
      throw error;
    }
  }
}
