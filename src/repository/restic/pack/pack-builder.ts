/**
 * A pack under construction: sealed blobs one after another in one buffer, closed with the sealed header. The buffers
 * are used again for the next pack, and nothing is kept a blob but its line in the header, so writing takes the
 * same memory however much is written.
 */
import { MemkeepError } from "../../../domain/errors.ts";
import type { Sealer } from "../crypto/seal.ts";
import type { BlobType } from "../index/blob-index.ts";
import { compressedEntryBytes, maximumHeaderBytes, writeEntry } from "./pack-header.ts";

/** restic's default size of a pack. */
export const packTargetBytes: number = 16 * 2 ** 20;
/** Room for the blob that fills a pack and the header; a larger blob gets a larger buffer. */
const roomAbove = 2 * 2 ** 20;
/** Seal of the header and its length field. */
const trailerBytes = 32 + 4;

/** SHA-256 of the first bytes of shared memory, hex. */
export type Digest = (input: SharedArrayBuffer, length: number) => Promise<string>;

export interface FinishedPack {
  readonly id: string;
  /** The plain header; see `readEntries`. Like `bytes`, valid until the builder is used again. */
  readonly header: Buffer;
  readonly bytes: Buffer;
}

export class PackBuilder {
  /** Shared, so that a worker can hash the pack without a copy of it. */
  #shared: SharedArrayBuffer;
  #buffer: Buffer;
  #length = 0;
  #header: Buffer = Buffer.allocUnsafeSlow(64 * 2 ** 10);
  #headerLength = 0;

  readonly #targetBytes: number;

  /** Full at `targetBytes`. */
  constructor(targetBytes: number = packTargetBytes) {
    this.#targetBytes = targetBytes;
    this.#shared = new SharedArrayBuffer(targetBytes + roomAbove);
    this.#buffer = Buffer.from(this.#shared);
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  get isFull(): boolean {
    return this.#length + this.#headerLength >= this.#targetBytes;
  }

  /** Copies a sealed blob into the pack; its id stands in `ids` at `idAt`. Blobs of one pack have one type, as restic wants it. */
  add(type: BlobType, sealed: Uint8Array, ids: Uint8Array, idAt: number, uncompressedLength: number): void {
    this.#reserve(sealed.length + this.#headerLength + compressedEntryBytes + trailerBytes);
    this.#buffer.set(sealed, this.#length);
    this.#length += sealed.length;
    if (this.#headerLength + compressedEntryBytes > this.#header.length) {
      const grown = Buffer.allocUnsafeSlow(this.#header.length * 2);
      this.#header.copy(grown, 0, 0, this.#headerLength);
      this.#header = grown;
    }
    this.#headerLength = writeEntry(
      this.#header,
      this.#headerLength,
      type,
      sealed.length,
      uncompressedLength,
      ids,
      idAt,
    );
  }

  /**
   * Adds one large sealed blob that comes in parts, in an empty pack. `expectedBytes` is made room for at once, since a
   * buffer that grows is there twice for a moment.
   */
  async addParts(
    type: BlobType,
    parts: AsyncIterable<Uint8Array>,
    expectedBytes: number,
    id: Uint8Array,
    uncompressedLength: number,
  ): Promise<number> {
    this.#reserve(expectedBytes + compressedEntryBytes + trailerBytes);
    for await (const part of parts) {
      this.#reserve(part.length + compressedEntryBytes + trailerBytes);
      this.#buffer.set(part, this.#length);
      this.#length += part.length;
    }
    this.#headerLength = writeEntry(this.#header, 0, type, this.#length, uncompressedLength, id, 0);
    return this.#length;
  }

  /** Writes the header and names the pack. */
  async finish(sealer: Sealer, digest: Digest): Promise<FinishedPack> {
    const header = this.#header.subarray(0, this.#headerLength);
    if (header.length > maximumHeaderBytes) {
      throw new MemkeepError("REPOSITORY_DAMAGED", {
        tried: "close a pack",
        happened: "its header is too long",
      });
    }
    const sealed = sealer.seal(header);
    this.#reserve(sealed.length + 4);
    this.#buffer.set(sealed, this.#length);
    const end = this.#buffer.writeUInt32LE(sealed.length, this.#length + sealed.length);
    return { id: await digest(this.#shared, end), header, bytes: this.#buffer.subarray(0, end) };
  }

  /** Empties the builder for the next pack. A buffer that one huge blob made large is let go. */
  reset(): void {
    this.#length = 0;
    this.#headerLength = 0;
    const usualBytes = this.#targetBytes + roomAbove;
    if (this.#buffer.length > usualBytes) this.#resize(usualBytes);
  }

  #reserve(more: number): void {
    if (this.#length + more > this.#buffer.length) this.#resize(this.#length + more + 2 ** 20);
  }

  #resize(bytes: number): void {
    const previous = this.#buffer;
    this.#shared = new SharedArrayBuffer(bytes);
    this.#buffer = Buffer.from(this.#shared);
    previous.copy(this.#buffer, 0, 0, this.#length);
  }
}
