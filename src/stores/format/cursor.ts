/** Reads vectors one after another, from memory or from a part of a spool file. */
import type { FileHandle } from "node:fs/promises";

export interface VectorCursor {
  /** Bytes given out so far. */
  readonly taken: number;
  /** The next bytes; a promise only when more must be read. */
  take(byteCount: number): Uint8Array | Promise<Uint8Array>;
}

export class MemoryCursor implements VectorCursor {
  readonly #vectors: Iterator<Uint8Array>;
  taken = 0;

  constructor(vectors: Iterator<Uint8Array>) {
    this.#vectors = vectors;
  }

  take(byteCount: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let have = 0;
    while (have < byteCount) {
      const next = this.#vectors.next();
      if (next.done === true) throw new RangeError("a vector is missing");
      parts.push(next.value);
      have += next.value.length;
    }
    this.taken += byteCount;
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }
}

export class FileCursor implements VectorCursor {
  readonly #handle: FileHandle;
  readonly #end: number;
  readonly #pieceBytes: number;
  #position: number;
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  taken = 0;

  constructor(handle: FileHandle, offset: number, length: number, pieceBytes: number) {
    this.#handle = handle;
    this.#position = offset;
    this.#end = offset + length;
    this.#pieceBytes = pieceBytes;
  }

  take(byteCount: number): Uint8Array | Promise<Uint8Array> {
    if (this.#buffer.length - this.#at < byteCount) return this.#takeSlowly(byteCount);
    this.taken += byteCount;
    return this.#buffer.subarray(this.#at, (this.#at += byteCount));
  }

  async #takeSlowly(byteCount: number): Promise<Uint8Array> {
    const rest = this.#buffer.subarray(this.#at);
    const wanted = Math.min(Math.max(this.#pieceBytes, byteCount - rest.length), this.#end - this.#position);
    const buffer = Buffer.allocUnsafe(rest.length + wanted);
    rest.copy(buffer);
    for (let filled = rest.length; filled < buffer.length;) {
      const { bytesRead } = await this.#handle.read(buffer, filled, buffer.length - filled, this.#position);
      if (bytesRead === 0) throw new RangeError("a spool file ended early");
      filled += bytesRead;
      this.#position += bytesRead;
    }
    this.#buffer = buffer;
    this.#at = 0;
    if (buffer.length < byteCount) throw new RangeError("a vector is missing");
    return this.take(byteCount);
  }
}
