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
import { needingRoom, writeAll } from "../../util/fs/durable.ts";
import { FileCursor, MemoryCursor } from "./cursor.ts";
import type { VectorCursor } from "./cursor.ts";
import type { Signature, VectorGroups } from "./vector-groups.ts";

export interface Entry {
  /** The key's bytes, one a character. */
  readonly key: string;
  /** Its bytes, one a character: a buffer would take twice the memory and keep alive the pool that it was cut from. */
  readonly digest: string;
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
  if (a.digest !== b.digest) return a.digest < b.digest ? -1 : 1;
  return a.tie - b.tie;
}

const digestEnd = 44;
const fixedBytes = digestEnd + 8;
/** How much memory `Run.write` wants. */
export const spoolWriteBytes = 1024 * 1024;
/** Room that is left for one more entry of usual size. */
const flushBytes = 64 * 1024;
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

  /**
   * Writes the file by way of `memory`, which nobody else uses meanwhile. `SPACE_LOW` when the spool folder's disk would be
   * filled.
   */
  async write(sorted: readonly Entry[], memory: Buffer): Promise<void> {
    this.#handle = await open(this.#path!, "wx+", 0o600);
    await this.#checkSpace(sorted);
    const file = new SpoolWriter(this.#handle, this.#path!, memory);
    const groupParts = new Map<number, Uint8Array[]>();
    for (const entry of sorted) {
      const full = file.entry(entry);
      if (full) await full;
      for (const [index, { group }] of entry.signature.parts.entries()) {
        const list = groupParts.get(group) ?? [];
        list.push(entry.vectors[index]!);
        groupParts.set(group, list);
      }
    }
    this.#entriesBytes = file.written;
    for (const [group, vectors] of groupParts) {
      const offset = file.written;
      for (const vector of vectors) {
        const full = file.bytes(vector);
        if (full) await full;
      }
      this.#segments.set(group, { offset, length: file.written - offset });
    }
    await file.flush();
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

  /**
   * The entries in order. `sharers` runs are read at once and share the memory for reading. What was given is good until more
   * is asked for: one buffer is read into again and again, as new ones would pile up until a collection.
   */
  async *entries(sharers: number): AsyncGenerator<readonly Entry[]> {
    if (!this.#handle) {
      yield this.#held;
      return;
    }
    let piece = Buffer.allocUnsafeSlow(pieceOf(sharers));
    let held = 0;
    for (let position = 0; position < this.#entriesBytes;) {
      if (held === piece.length) {
        const grown = Buffer.allocUnsafeSlow(piece.length * 2);
        piece.copy(grown);
        piece = grown;
      }
      const wanted = Math.min(piece.length - held, this.#entriesBytes - position);
      const { bytesRead } = await this.#handle.read(piece, held, wanted, position);
      if (bytesRead === 0) throw new RangeError("a spool file ended early");
      position += bytesRead;
      held += bytesRead;
      const { entries, end } = this.#decode(piece.subarray(0, held));
      if (entries.length > 0) yield entries;
      piece.copyWithin(0, end, held);
      held -= end;
    }
    if (held > 0) throw new RangeError("a spool file ended within a record");
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
        digest: bytes.toString("latin1", at + 12, at + digestEnd),
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

/** Fills one buffer and writes it when it is full: a buffer and a promise for each entry would cost more than the disk. */
class SpoolWriter {
  readonly #handle: FileHandle;
  readonly #path: string;
  #buffer: Buffer;
  #length = 0;
  #flushed = 0;

  constructor(handle: FileHandle, path: string, memory: Buffer) {
    this.#handle = handle;
    this.#path = path;
    this.#buffer = memory;
  }

  /** Bytes so far, with those that are still held. */
  get written(): number {
    return this.#flushed + this.#length;
  }

  /** Takes an entry; a promise must be waited for. */
  entry({ key, line, signature, digest, tie }: Entry): Promise<void> | undefined {
    // No UTF-16 unit needs more than three bytes.
    const most = fixedBytes + key.length + line.length * (typeof line === "string" ? 3 : 1);
    if (most > this.#buffer.length - this.#length) {
      const grown = Buffer.allocUnsafeSlow(this.#length + most);
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    const bytes = this.#buffer;
    const at = this.#length;
    const text = at + fixedBytes + key.length;
    let lineBytes = line.length;
    if (typeof line === "string") lineBytes = bytes.write(line, text, "utf8");
    else bytes.set(line, text);
    bytes.writeUInt32LE(key.length, at);
    bytes.writeUInt32LE(lineBytes, at + 4);
    bytes.writeUInt32LE(signature.id, at + 8);
    bytes.write(digest, at + 12, "latin1");
    bytes.writeDoubleLE(tie, at + digestEnd);
    bytes.write(key, at + fixedBytes, "latin1");
    this.#length = text + lineBytes;
    return this.#length >= spoolWriteBytes - flushBytes ? this.flush() : undefined;
  }

  /** Takes a vector; a promise must be waited for. */
  bytes(vector: Uint8Array): Promise<void> | undefined {
    if (vector.length > this.#buffer.length - this.#length) return this.#pass(vector);
    this.#buffer.set(vector, this.#length);
    this.#length += vector.length;
    return undefined;
  }

  async #pass(vector: Uint8Array): Promise<void> {
    await this.flush();
    if (vector.length <= this.#buffer.length) {
      this.#buffer.set(vector);
      this.#length = vector.length;
      return;
    }
    await this.#write(vector);
    this.#flushed += vector.length;
  }

  async flush(): Promise<void> {
    await this.#write(this.#buffer.subarray(0, this.#length));
    this.#flushed += this.#length;
    this.#length = 0;
  }

  #write(bytes: Uint8Array): Promise<void> {
    return needingRoom(this.#path, writeAll(this.#handle, [bytes]));
  }
}
