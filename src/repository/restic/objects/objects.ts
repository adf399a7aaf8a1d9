/**
 * The small files of a repository that are not packs: index, snapshots, locks, and memkeep's own proofs. Each is
 * sealed JSON whose name is the SHA-256 of its stored bytes, so a file that was changed no longer fits its name.
 */
import { hash } from "node:crypto";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { MemkeepError, isMemkeepError } from "../../../domain/errors.ts";
import type { Storage } from "../../../storages/storage.ts";
import { createDecompressor, type Decompressor } from "../crypto/compression.ts";
import type { Sealer } from "../crypto/seal.ts";
import { readZstdFrame } from "../crypto/zstd-frame.ts";

/** The folders of a repository. Stock restic ignores `memkeep/`, as it ignores every name that it does not know. */
export type ObjectFolder = "index" | "snapshots" | "locks" | "memkeep/proofs" | "memkeep/rescue";

export interface ObjectEntry {
  readonly id: string;
  readonly sizeBytes: number;
}

/** First byte of a zstd-compressed file; `{` and `[` begin a plain one. */
const compressedMark = 0x02;
/** No index or snapshot comes near it; a bound against a file that unpacks without end. */
const maximumPlainBytes = 512 * 2 ** 20;

export class Objects {
  readonly #storage: Storage;
  readonly #sealer: Sealer;
  /** One for all: a thousand snapshots are a thousand small files. */
  readonly #decompressor: Decompressor = createDecompressor();

  constructor(storage: Storage, sealer: Sealer) {
    this.#storage = storage;
    this.#sealer = sealer;
  }

  /** Files of one folder, in no order. Names that are no ids are passed over, as restic does. */
  async *list(folder: ObjectFolder): AsyncGenerator<ObjectEntry> {
    for await (const entry of this.#storage.list(`${folder}/`)) {
      const id = entry.name.slice(folder.length + 1);
      if (/^[0-9a-f]{64}$/.test(id)) yield { id, sizeBytes: entry.sizeBytes };
    }
  }

  /** The JSON text of a file. `REPOSITORY_DAMAGED` when its bytes do not fit its name or the key; `STORAGE_MISSING` when it is gone. */
  async load(folder: ObjectFolder, id: string): Promise<Buffer> {
    const stored = await this.#storage.read(`${folder}/${id}`);
    if (hash("sha256", stored) !== id) {
      throw damaged(folder, id, "its content does not match its name");
    }
    return unwrap(this.#sealer.open(stored), this.#decompressor, folder, id);
  }

  /** Stores JSON text; durable when it resolves. Returns the id. */
  async save(folder: ObjectFolder, json: string | Buffer): Promise<string> {
    const plain = Buffer.concat([Buffer.of(compressedMark), zstdCompressSync(json)]);
    const sealed = this.#sealer.seal(plain);
    const id = hash("sha256", sealed);
    try {
      await this.#storage.write(`${folder}/${id}`, [sealed], id);
    } catch (error) {
      // A write whose answer was lost did arrive; that it is the same bytes is seen, not supposed (law 8).
      if (!isMemkeepError(error, "STORAGE_EXISTS")) throw error;
      if (hash("sha256", await this.#storage.read(`${folder}/${id}`)) !== id) throw error;
    }
    return id;
  }

  async remove(folder: ObjectFolder, id: string): Promise<void> {
    await this.#storage.remove(`${folder}/${id}`);
  }
}

function unwrap(plain: Buffer, decompressor: Decompressor, folder: ObjectFolder, id: string): Buffer {
  if (plain[0] !== compressedMark) return plain;
  const frame = plain.subarray(1);
  try {
    const { contentBytes, frameBytes } = readZstdFrame(frame) ?? {};
    if (contentBytes !== undefined && contentBytes <= maximumPlainBytes && frameBytes === frame.length)
      return decompressor.decompress(frame, contentBytes);
    return zstdDecompressSync(frame, { maxOutputLength: maximumPlainBytes });
  } catch (cause) {
    throw damaged(folder, id, "it does not unpack", cause);
  }
}

function damaged(folder: ObjectFolder, id: string, happened: string, cause?: unknown): MemkeepError {
  return new MemkeepError("REPOSITORY_DAMAGED", {
    tried: `read ${folder}/${id.slice(0, 8)}`,
    happened,
    next: "Run `memkeep verify --level stored` to see what is harmed.",
    cause,
    details: { folder, id },
  });
}
