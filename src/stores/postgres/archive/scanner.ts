/**
 * Reads a pg_dump archive as it passes: the table of contents, then the data of one entry after another. What is kept in
 * memory is the table of contents and what the sinks keep.
 *
 * After the contents (`pg_backup_custom.c`): a byte, 1 for data or 3 for large objects; the entry's id; for data, chunks
 * of a length and as many bytes, ended by a length of 0; for large objects the same for each, with its oid before, ended
 * by an oid of 0.
 */
import { MemkeepError } from "../../../domain/errors.ts";
import { type ArchiveContents, type ArchiveEntry, readContents, unreadable } from "./contents.ts";

/** Takes the data of one entry. */
export interface DataSink {
  /** Before the bytes of each large object; not called for a table. */
  begin?(oid: number): void;
  /** Bytes in `[from, to)`; not to be kept, the buffer is used again. */
  data(bytes: Buffer, from: number, to: number): void;
  /** After the last byte of a table, or of each large object. */
  end(): void;
}

export interface ArchiveReader {
  contents(contents: ArchiveContents): void;
  /** Data begins, at `offset` bytes into the archive. `finished` is told the offset after it. */
  entry(entry: ArchiveEntry, offset: number): { sink: DataSink; finished: (offset: number) => void };
}

const Step = { blockType: 0, blockId: 1, largeObjectId: 2, chunkLength: 3, chunk: 4 } as const;
type Step = (typeof Step)[keyof typeof Step];

const dataBlock = 1;
const largeObjectsBlock = 3;

export class ArchiveScanner {
  readonly #reader: ArchiveReader;
  #head: Buffer[] = [];
  #headBytes = 0;
  #tryAtBytes = 0;
  #contents: ArchiveContents | undefined;
  #entries = new Map<number, ArchiveEntry>();
  /** Entries whose data has not been seen. */
  #awaited = new Set<number>();
  #step: Step = Step.blockType;
  #isLargeObjects = false;
  #sink: DataSink | undefined;
  #finished: ((offset: number) => void) | undefined;
  #blockAt = 0;
  #left = 0;
  // An integer under construction: bytes of it read so far, with its sign byte.
  #intRead = 0;
  #intValue = 0;
  #intWeight = 1;
  #isNegative = false;
  #offset = 0;

  constructor(reader: ArchiveReader) {
    this.#reader = reader;
  }

  push(bytes: Buffer): void {
    if (this.#contents) this.#scan(bytes);
    else this.#readHead(bytes);
  }

  /** The archive's end. `DUMP_INCOMPLETE` when it ends early, or without data that the table of contents promises. */
  end(): void {
    if (!this.#contents) this.#tryHead();
    const atEnd = this.#contents !== undefined && this.#step === Step.blockType && this.#intRead === 0;
    if (!atEnd || this.#awaited.size > 0) {
      const [missing] = this.#awaited;
      const entry = missing === undefined ? undefined : this.#entries.get(missing);
      throw new MemkeepError("DUMP_INCOMPLETE", {
        tried: "read a pg_dump archive",
        happened: entry
          ? `it ends before the data of ${entry.schema}.${entry.tag}`
          : `it ends early, after ${this.#offset} bytes`,
      });
    }
  }

  #readHead(bytes: Buffer): void {
    this.#head.push(Buffer.from(bytes));
    this.#headBytes += bytes.length;
    // Reading it again from the start for every piece would take time that grows with its square.
    if (this.#headBytes < this.#tryAtBytes) return;
    this.#tryAtBytes = this.#headBytes * 1.5;
    this.#tryHead();
  }

  #tryHead(): void {
    const head = Buffer.concat(this.#head);
    const contents = readContents(head);
    this.#head = contents ? [] : [head];
    if (!contents) return;
    this.#contents = contents;
    for (const entry of contents.entries) {
      this.#entries.set(entry.id, entry);
      if (entry.hasData) this.#awaited.add(entry.id);
    }
    this.#offset = contents.sizeBytes;
    this.#reader.contents(contents);
    this.#scan(head.subarray(contents.sizeBytes));
  }

  #scan(bytes: Buffer): void {
    let at = 0;
    const base = this.#offset;
    while (at < bytes.length) {
      if (this.#step === Step.chunk) {
        const to = Math.min(bytes.length, at + this.#left);
        this.#sink!.data(bytes, at, to);
        this.#left -= to - at;
        at = to;
        if (this.#left === 0) this.#step = Step.chunkLength;
      } else if (this.#step === Step.blockType) {
        this.#blockAt = base + at;
        const type = bytes[at++]!;
        if (type !== dataBlock && type !== largeObjectsBlock) {
          throw unreadable(`there is no block at ${this.#blockAt}`);
        }
        this.#isLargeObjects = type === largeObjectsBlock;
        this.#step = Step.blockId;
      } else {
        at = this.#integer(bytes, at);
        if (this.#intRead > this.#contents!.intSize) this.#took(base + at);
      }
    }
    this.#offset = base + bytes.length;
  }

  #integer(bytes: Buffer, start: number): number {
    let at = start;
    if (this.#intRead === 0) {
      this.#isNegative = bytes[at++] !== 0;
      this.#intRead = 1;
      this.#intValue = 0;
      this.#intWeight = 1;
    }
    const { intSize } = this.#contents!;
    while (this.#intRead <= intSize && at < bytes.length) {
      this.#intValue += bytes[at++]! * this.#intWeight;
      this.#intWeight *= 256;
      this.#intRead++;
    }
    return at;
  }

  /** An integer is complete; it ends at `offset`. */
  #took(offset: number): void {
    const value = this.#isNegative ? -this.#intValue : this.#intValue;
    this.#intRead = 0;
    switch (this.#step) {
      case Step.blockId:
        this.#beginEntry(value);
        break;
      case Step.largeObjectId:
        if (value === 0) {
          this.#endEntry(offset);
        } else {
          // An oid is unsigned, but written as a signed integer.
          this.#sink!.begin?.(value >>> 0);
          this.#step = Step.chunkLength;
        }
        break;
      case Step.chunkLength:
        if (value > 0) {
          this.#left = value;
          this.#step = Step.chunk;
        } else {
          this.#sink!.end();
          if (this.#isLargeObjects) this.#step = Step.largeObjectId;
          else this.#endEntry(offset);
        }
        break;
      case Step.blockType:
      case Step.chunk:
        throw unreadable(`it is not understood at ${offset}`);
    }
  }

  #beginEntry(id: number): void {
    const entry = this.#entries.get(id);
    if (!entry || !this.#awaited.delete(id))
      throw unreadable(`there is data for entry ${id} that should not be`);
    const { sink, finished } = this.#reader.entry(entry, this.#blockAt);
    this.#sink = sink;
    this.#finished = finished;
    this.#step = this.#isLargeObjects ? Step.largeObjectId : Step.chunkLength;
  }

  #endEntry(offset: number): void {
    this.#finished!(offset);
    this.#sink = undefined;
    this.#step = Step.blockType;
  }
}
