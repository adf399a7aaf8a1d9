/**
 * Brings records into the order of their keys, with bounded memory. Records are collected, sorted and written to the
 * spool folder as runs; reading merges the runs. A collection that fits into memory touches no disk.
 *
 * Lines and vectors are read in two passes, because dump files are written one after another. Each run holds its vectors
 * apart, by field and shape; the first pass notes from which run each record came, and the second follows that.
 */
import { MultisetDigest, recordDigest } from "../../domain/digest.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { contentDigest } from "./digest.ts";
import { LineChunks } from "./lines.ts";
import { OrderFile } from "./order-file.ts";
import { mergeRuns } from "./merge.ts";
import { Run, compareEntries, spoolWriteBytes } from "./run.ts";
import type { Entry } from "./run.ts";
import { VectorGroups } from "./vector-groups.ts";
import type { VectorGroup } from "./vector-groups.ts";
import { elementBytes } from "./value.ts";
import type { PlacedVector } from "./value.ts";

export interface SortOptions {
  /** Where runs are written; the caller removes it. */
  readonly folder: string;
  /** Begins the names of this sorter's files, so that several can share the folder: `[A-Za-z0-9._-]+`. */
  readonly stem: string;
  /** Bytes of records that are held before a run is written; twice as much is in use while it is. */
  readonly memoryBytes?: number;
}

export interface KeyedRecord {
  readonly key: Uint8Array;
  readonly line: string;
  /** Their bytes belong to the sorter from now on: the caller must not change them. */
  readonly vectors: readonly PlacedVector[];
  /** `contentDigest` of the line and the vectors, where the caller has it already. */
  readonly digest?: Uint8Array;
  /** Orders records of equal key and content, where something else refers to them by their place. */
  readonly tie?: number;
}

const defaultMemoryBytes = 16 * 1024 * 1024;
/** What an entry costs beside its text and vectors, roughly. */
const entryBytes = 700;

export class RecordSorter implements AsyncDisposable {
  readonly #options: SortOptions;
  readonly #memoryBytes: number;
  readonly #groups = new VectorGroups();
  readonly #keys = new MultisetDigest();
  readonly #content = new MultisetDigest();
  #count = 0;
  readonly #runs: Run[] = [];
  #entries: Entry[] = [];
  #heldBytes = 0;
  #writing: Promise<void> | undefined;
  /** Runs are written one after another, by way of this. */
  #spoolMemory: Buffer | undefined;
  #order: OrderFile | undefined;

  constructor(options: SortOptions) {
    this.#options = options;
    this.#memoryBytes = options.memoryBytes ?? defaultMemoryBytes;
  }

  /** Takes a record. When a promise comes back, memory is full: wait for it before the next one. */
  add({ key, line, vectors, digest: known, tie = 0 }: KeyedRecord): Promise<void> | undefined {
    const digest = known ?? contentDigest(line, vectors);
    this.#count++;
    if (known === undefined) {
      this.#keys.add(recordDigest(key));
      this.#content.add(digest);
    }
    const { signature, bytes } = this.#groups.place(vectors);
    this.#entries.push({
      key: binaryText(key),
      digest: binaryText(digest),
      line,
      signature,
      tie,
      vectors: bytes,
    });
    this.#heldBytes += entryBytes + key.length + line.length + signature.bytes;
    return this.#heldBytes < this.#memoryBytes ? undefined : this.#spill();
  }

  get count(): number {
    return this.#count;
  }

  /** Counts and digests of all records that were added without a digest: a caller who has digests keeps facts of its own. */
  facts(name: string): CollectionFacts {
    return {
      name,
      records: this.#content.count,
      keyDigest: this.#keys.hex(),
      contentDigest: this.#content.hex(),
    };
  }

  /** The fields and shapes of all vectors that were added, in a fixed order. */
  get vectorGroups(): readonly VectorGroup[] {
    return this.#groups.sorted();
  }

  /** Pass one: the bytes of the records' file. May be read again. Rejects when a record was lost on the way. */
  async *lines(): AsyncGenerator<Buffer> {
    await this.#finish();
    await this.#order?.[Symbol.asyncDispose]();
    const order = this.#groups.size > 0 ? await OrderFile.create(this.#path("order")) : undefined;
    this.#order = order;
    const chunks = new LineChunks();
    let written = 0;
    for await (const batch of mergeRuns(this.#runs)) {
      for (const { entry, run } of batch) {
        chunks.add(entry.line);
        order?.add(run, entry.signature.id);
        written++;
        if (chunks.isFull) {
          yield chunks.take();
          await order?.flush();
        }
      }
    }
    await order?.flush();
    const last = chunks.take();
    if (last.length > 0) yield last;
    if (written !== this.count)
      throw new RangeError(`${written} records left the sorter, ${this.count} came in`);
  }

  /** Pass two, after `lines` was read to its end: the bytes of one group's vectors in the records' order. */
  async *vectors(group: VectorGroup): AsyncGenerator<Buffer> {
    if (!this.#order) throw new TypeError("vectors are read after lines");
    const cursors = this.#runs.map((run) => run.vectors(group.id, this.#runs.length));
    const chunkBytes = 1024 * 1024;
    let parts: Uint8Array[] = [];
    let partsBytes = 0;
    for await (const order of this.#order.read()) {
      for (let at = 0; at < order.length; at += 2) {
        const byteCount = this.#groups.signature(order[at + 1]!).bytesOf(group.id);
        if (byteCount === 0) continue;
        const taken = cursors[order[at]!]!.take(byteCount);
        const part = taken instanceof Promise ? await taken : taken;
        parts.push(part);
        partsBytes += part.length;
        if (partsBytes < chunkBytes) continue;
        yield Buffer.concat(parts, partsBytes);
        parts = [];
        partsBytes = 0;
      }
    }
    if (partsBytes > 0) yield Buffer.concat(parts, partsBytes);
    const expected = group.rows * group.columns * elementBytes[group.type];
    const given = cursors.reduce((sum, cursor) => sum + cursor.taken, 0);
    if (given !== expected)
      throw new RangeError(`${given} bytes of vectors left the sorter, ${expected} came in`);
  }

  /** All keys with their digests and ties, in the order of the keys' bytes. */
  async *keys(): AsyncGenerator<
    { readonly key: Buffer; readonly digest: Uint8Array; readonly tie: number }[]
  > {
    await this.#finish();
    for await (const batch of mergeRuns(this.#runs)) {
      yield batch.map(({ entry: { key, digest, tie } }) => ({
        key: Buffer.from(key, "latin1"),
        digest: Buffer.from(digest, "latin1"),
        tie,
      }));
    }
  }

  #spill(): Promise<void> {
    const entries = this.#entries.sort(compareEntries);
    const number = this.#runs.length;
    const run = Run.onDisk(this.#path(`run-${number}`), this.#groups);
    this.#runs.push(run);
    this.#entries = [];
    this.#heldBytes = 0;
    const before = this.#writing ?? Promise.resolve();
    const memory = (this.#spoolMemory ??= Buffer.allocUnsafeSlow(spoolWriteBytes));
    this.#writing = before.then(() => run.write(entries, memory));
    return this.#writing;
  }

  async #finish(): Promise<void> {
    if (this.#entries.length > 0 && this.#runs.length > 0) await this.#spill();
    await this.#writing;
    this.#spoolMemory = undefined;
    if (this.#entries.length === 0) return;
    this.#runs.push(Run.inMemory(this.#entries.sort(compareEntries), this.#groups));
    this.#entries = [];
  }

  #path(name: string): string {
    return `${this.#options.folder}/${this.#options.stem}.${name}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing?.catch(() => undefined);
    await this.#order?.[Symbol.asyncDispose]();
    for (const run of this.#runs) await run[Symbol.asyncDispose]();
  }
}

/** One character a byte: compares like the bytes, and faster than a buffer. */
function binaryText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
