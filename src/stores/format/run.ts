/**
 * One sorted part of a collection, in memory or in a spool file. The file: for each entry
 *
 *     u32 bytes of key · u32 bytes of line · u32 signature · 32 bytes of digest · f64 tie · key · line
 *
 * then, group by group, the vectors in the entries' order. Numbers are little-endian; nobody but this file reads it.
 */
import { open, rm, statfs } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { MemkeepError } from "../../domain/errors.ts";
import { writeAll } from "../../util/fs/durable.ts";
import { FileCursor, MemoryCursor } from "./cursor.ts";
import type { VectorCursor } from "./cursor.ts";
import type { Signature, VectorGroups } from "./vector-groups.ts";

export interface Entry {
  /** The key's bytes, one a character. */
  readonly key: string;
  readonly digest: Uint8Array;
  readonly line: string | Uint8Array;
  readonly signature: Signature;
  /** Orders entries of equal key and content. */
  readonly tie: number;
  /** Bytes of the vectors; empty once they lie in a file. */
  readonly vectors: readonly Uint8Array[];
}

/** By key, then by digest, then by tie, so that the order never depends on the order of arrival. */
export function compareEntries(a: Entry, b: Entry): number {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1;
  return Buffer.compare(a.digest, b.digest) || a.tie - b.tie;
}

const digestEnd = 44;
const fixedBytes = digestEnd + 8;
const writeBytes = 1024 * 1024;
/** Read buffers of all runs together: entries that are read from them take several times as much. */
const readBytes = 8 * 1024 * 1024;
/** A disk is never filled to its last byte: other programs live on it. */
const reserveBytes = 128 * 1024 * 1024;
const noVectors: readonly Uint8Array[] = [];

export class Run implements AsyncDisposable {
  readonly #groups: VectorGroups;
  readonly #path: string | undefined;
  readonly #held: readonly Entry[];
  readonly #segments = new Map<number, { offset: number; length: number }>();
  #handle: FileHandle | undefined;
  #entriesBytes = 0;

  private constructor(path: string | undefined, held: readonly Entry[], groups: VectorGroups) {
    this.#path = path;
    this.#held = held;
    this.#groups = groups;
  }

  static inMemory(sorted: readonly Entry[], groups: VectorGroups): Run {
    return new Run(undefined, sorted, groups);
  }

  static onDisk(path: string, groups: VectorGroups): Run {
    return new Run(path, [], groups);
  }

  /** Writes the file. `SPACE_LOW` when the spool folder's disk would be filled. */
  async write(sorted: readonly Entry[]): Promise<void> {
    this.#handle = await open(this.#path!, "wx+", 0o600);
    await this.#checkSpace(sorted);
    let parts: Uint8Array[] = [];
    let partsBytes = 0;
    let offset = 0;
    const put = async (bytes: Uint8Array): Promise<void> => {
      parts.push(bytes);
      partsBytes += bytes.length;
      offset += bytes.length;
      if (partsBytes < writeBytes) return;
      await writeAll(this.#handle!, parts);
      parts = [];
      partsBytes = 0;
    };
    const groupParts = new Map<number, Uint8Array[]>();
    for (const entry of sorted) {
      await put(encodeEntry(entry));
      for (const [index, { group }] of entry.signature.parts.entries()) {
        const list = groupParts.get(group) ?? [];
        list.push(entry.vectors[index]!);
        groupParts.set(group, list);
      }
    }
    this.#entriesBytes = offset;
    for (const [group, vectors] of groupParts) {
      const start = offset;
      for (const vector of vectors) await put(vector);
      this.#segments.set(group, { offset: start, length: offset - start });
    }
    await writeAll(this.#handle, parts);
  }

  async #checkSpace(entries: readonly Entry[]): Promise<void> {
    const { bavail, bsize } = await statfs(this.#path!);
    const needed = entries.reduce((sum, { line, signature }) => sum + line.length + signature.bytes, 0);
    if (bavail * bsize - needed >= reserveBytes) return;
    throw new MemkeepError("SPACE_LOW", {
      tried: "sort records in the spool folder",
      happened: `its disk has ${Math.floor((bavail * bsize) / 1024 / 1024)} MiB left`,
      next: "Free space there, or point TMPDIR at a larger disk: a dump needs about as much as the store's data.",
    });
  }

  /** The entries in order. `sharers` runs are read at once and share the memory for reading. */
  async *entries(sharers: number): AsyncGenerator<readonly Entry[]> {
    if (!this.#handle) {
      yield this.#held;
      return;
    }
    const pieceBytes = pieceOf(sharers);
    let rest = Buffer.alloc(0);
    for (let position = 0; position < this.#entriesBytes;) {
      const wanted = Math.min(pieceBytes, this.#entriesBytes - position);
      const piece = Buffer.allocUnsafe(rest.length + wanted);
      rest.copy(piece);
      const { bytesRead } = await this.#handle.read(piece, rest.length, wanted, position);
      if (bytesRead === 0) throw new RangeError("a spool file ended early");
      position += bytesRead;
      const { entries, end } = this.#decode(piece.subarray(0, rest.length + bytesRead));
      rest = piece.subarray(end, rest.length + bytesRead);
      if (entries.length > 0) yield entries;
    }
    if (rest.length > 0) throw new RangeError("a spool file ended within a record");
  }

  #decode(bytes: Buffer): { entries: Entry[]; end: number } {
    const entries: Entry[] = [];
    let at = 0;
    while (bytes.length - at >= fixedBytes) {
      const keyEnd = at + fixedBytes + bytes.readUInt32LE(at);
      const lineEnd = keyEnd + bytes.readUInt32LE(at + 4);
      if (lineEnd > bytes.length) break;
      entries.push({
        key: bytes.toString("latin1", at + fixedBytes, keyEnd),
        digest: bytes.subarray(at + 12, at + digestEnd),
        tie: bytes.readDoubleLE(at + digestEnd),
        line: bytes.subarray(keyEnd, lineEnd),
        signature: this.#groups.signature(bytes.readUInt32LE(at + 8)),
        vectors: noVectors,
      });
      at = lineEnd;
    }
    return { entries, end: at };
  }

  /** The vectors of one group, in the entries' order. `sharers` runs are read at once. */
  vectors(group: number, sharers: number): VectorCursor {
    if (!this.#handle) return new MemoryCursor(this.#vectorsOf(group));
    const segment = this.#segments.get(group) ?? { offset: 0, length: 0 };
    return new FileCursor(this.#handle, segment.offset, segment.length, pieceOf(sharers));
  }

  *#vectorsOf(group: number): Generator<Uint8Array> {
    for (const { signature, vectors } of this.#held) {
      for (let index = 0; index < signature.parts.length; index++) {
        if (signature.parts[index]!.group === group) yield vectors[index]!;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#handle) return;
    await this.#handle.close();
    await rm(this.#path!, { force: true });
  }
}

function pieceOf(sharers: number): number {
  return Math.min(256 * 1024, Math.max(16 * 1024, Math.floor(readBytes / sharers)));
}

function encodeEntry({ key, line, signature, digest, tie }: Entry): Buffer {
  const text = typeof line === "string" ? Buffer.from(line, "utf8") : line;
  const bytes = Buffer.allocUnsafe(fixedBytes + key.length + text.length);
  bytes.writeUInt32LE(key.length, 0);
  bytes.writeUInt32LE(text.length, 4);
  bytes.writeUInt32LE(signature.id, 8);
  bytes.set(digest, 12);
  bytes.writeDoubleLE(tie, digestEnd);
  bytes.write(key, fixedBytes, "latin1");
  bytes.set(text, fixedBytes + key.length);
  return bytes;
}
