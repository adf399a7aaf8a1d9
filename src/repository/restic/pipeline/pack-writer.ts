/**
 * Puts sealed blobs into packs and packs into one repository's storage, in the order that keeps every crash
 * harmless: a pack is indexed only after it is durable, and index files are written before the snapshot.
 */
import type { Clock } from "../../../util/clock/clock.ts";
import type { Storage } from "../../../storages/storage.ts";
import { isMemkeepError } from "../../../domain/errors.ts";
import type { Sealer } from "../crypto/seal.ts";
import type { BlobIndex, BlobType } from "../index/blob-index.ts";
import {
  blobsPerFile,
  encodeIndex,
  indexRoom,
  type IndexedPack,
  type PackEntries,
} from "../index/index-file.ts";
import type { Objects } from "../objects/objects.ts";
import { type Digest, PackBuilder, packTargetBytes } from "../pack/pack-builder.ts";
import { readEntries } from "../pack/pack-header.ts";
import { packName } from "../pack/pack-name.ts";

export interface PackWriterParts {
  readonly storage: Storage;
  readonly sealer: Sealer;
  readonly objects: Objects;
  readonly index: BlobIndex;
  readonly clock: Clock;
  readonly digest: Digest;
  /** Rejects when the run must not write any more, as when its lock is lost. Asked before every pack and index file. */
  readonly mayWrite: () => Promise<void>;
}

/** An index file is due this long after the last, so that an interrupted upload is found again by the next run. */
const indexEveryMs = 5 * 60_000;

export class PackWriter {
  readonly #parts: PackWriterParts;
  readonly #uploadsAtOnce: number;
  readonly #targetBytes: number;
  readonly #open = new Map<BlobType, PackBuilder>();
  /** For blobs of either type: a builder keeps the memory that it has touched (law 11). */
  readonly #spare: PackBuilder[] = [];
  readonly #uploads = new Set<Promise<void>>();
  #unindexed: IndexedPack[] = [];
  #unindexedBlobs = 0;
  /** Used again for every index file: `Objects.save` has read it before it first waits. */
  #indexJson: Buffer = Buffer.alloc(0);
  #indexedAtMs: number;
  #failure: Error | undefined;
  /** Set while a full pack waits for an upload to end: whoever adds then has to wait as well, or packs would pile up. */
  #blocked: Promise<void> | undefined;
  #waitedMs = 0;
  addedBytes = 0;
  addedPackedBytes = 0;
  readonly blobs: Record<BlobType, number> = { data: 0, tree: 0 };

  constructor(parts: PackWriterParts) {
    this.#parts = parts;
    this.#uploadsAtOnce = parts.storage.properties.uploads;
    // A pack under way takes its own memory: where several are, they are smaller (law 11).
    this.#targetBytes = this.#uploadsAtOnce > 1 ? packTargetBytes / 2 : packTargetBytes;
    this.#indexedAtMs = parts.clock.monotonicMs();
  }

  get location(): string {
    return this.#parts.storage.location;
  }

  /** How long a full pack has waited for its turn, in all. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /**
   * Adds a sealed blob, whose bytes are copied; its id stands in `ids` at `idAt`. `plainBytes` is its length before compression. The blob must have been
   * reserved in the index. Gives a promise only when the caller has to wait, since enough packs are under way: a
   * promise for each of millions of blobs would cost more than adding them.
   */
  add(
    type: BlobType,
    sealed: Uint8Array,
    ids: Uint8Array,
    idAt: number,
    plainBytes: number,
    compressed: boolean,
  ): Promise<void> | undefined {
    if (this.#failure) throw this.#failure;
    let pack = this.#open.get(type);
    if (!pack) {
      pack = this.#spare.pop() ?? new PackBuilder(this.#targetBytes);
      this.#open.set(type, pack);
    }
    pack.add(type, sealed, ids, idAt, compressed ? plainBytes : 0);
    this.blobs[type]++;
    this.addedBytes += plainBytes;
    this.addedPackedBytes += sealed.length;
    if (pack.isFull) {
      this.#open.delete(type);
      this.#blocked = this.#startUpload(pack).finally(() => {
        this.#blocked = undefined;
      });
    }
    return this.#blocked;
  }

  /** Adds one large blob, compressed and sealed, that comes in parts; it gets a pack of its own. `id` as for `add`. */
  async addLarge(
    type: BlobType,
    parts: AsyncIterable<Uint8Array>,
    expectedBytes: number,
    id: Buffer,
    plainBytes: number,
  ): Promise<void> {
    if (this.#failure) throw this.#failure;
    const pack = this.#spare.pop() ?? new PackBuilder(this.#targetBytes);
    this.addedPackedBytes += await pack.addParts(type, parts, expectedBytes, id, plainBytes);
    this.addedBytes += plainBytes;
    this.blobs[type]++;
    await this.#startUpload(pack);
  }

  /** Stores what is left, then the index. All blobs added before are readable for others when it resolves. */
  async flush(): Promise<void> {
    for (const [type, pack] of this.#open) {
      this.#open.delete(type);
      await this.#startUpload(pack);
    }
    await Promise.all(this.#uploads);
    if (this.#failure) throw this.#failure;
    await this.#writeIndex();
  }

  /** Ends without the unfinished packs; what is stored already is indexed, so that the next run need not store it again. */
  async abandon(): Promise<void> {
    this.#open.clear();
    await Promise.allSettled(this.#uploads);
    if (this.#unindexed.length > 0) await this.#writeIndex();
  }

  async #startUpload(pack: PackBuilder): Promise<void> {
    if (this.#uploads.size >= this.#uploadsAtOnce) {
      const { clock } = this.#parts;
      const sinceMs = clock.monotonicMs();
      while (this.#uploads.size >= this.#uploadsAtOnce) await Promise.race(this.#uploads);
      this.#waitedMs += clock.monotonicMs() - sinceMs;
    }
    if (this.#failure) throw this.#failure;
    const upload = this.#upload(pack)
      .catch((error: unknown) => {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => this.#uploads.delete(upload));
    this.#uploads.add(upload);
  }

  async #upload(pack: PackBuilder): Promise<void> {
    const { storage, sealer, index, clock, digest, mayWrite } = this.#parts;
    const { id, header, bytes } = await pack.finish(sealer, digest);
    await mayWrite();
    try {
      await storage.write(packName(id), [bytes], id);
    } catch (error) {
      // The name is the content's hash: a write whose answer was lost did arrive.
      if (!isMemkeepError(error, "STORAGE_EXISTS")) throw error;
    }
    const entries = placeBlobs(index, index.packNumber(id), header);
    this.#unindexed.push({ id, entries });
    this.#unindexedBlobs += entries.length;
    pack.reset();
    this.#spare.push(pack);
    if (this.#unindexedBlobs >= blobsPerFile || clock.monotonicMs() - this.#indexedAtMs > indexEveryMs) {
      await this.#writeIndex();
    }
  }

  async #writeIndex(): Promise<void> {
    const packs = this.#unindexed;
    this.#unindexed = [];
    this.#unindexedBlobs = 0;
    this.#indexedAtMs = this.#parts.clock.monotonicMs();
    for (const group of groupByBlobs(packs)) {
      await this.#parts.mayWrite();
      const needed = indexRoom(group);
      if (this.#indexJson.length < needed) this.#indexJson = Buffer.allocUnsafeSlow(needed);
      await this.#parts.objects.save("index", encodeIndex(group, this.#indexJson));
    }
  }
}

/** Says in the index where the blobs of a stored pack lie, and gives them as they now stand there: four bytes a blob. */
function placeBlobs(index: BlobIndex, pack: number, header: Buffer): PackEntries {
  const numbers: number[] = [];
  for (const entry of readEntries(header)) {
    const number = index.find(entry.id, 0, entry.type);
    const { offset, length, uncompressedLength } = entry;
    index.place(number, { pack, offset, length, uncompressedLength });
    numbers.push(number);
  }
  const compact = Uint32Array.from(numbers);
  return {
    length: compact.length,
    *[Symbol.iterator]() {
      for (const number of compact) {
        yield { ...index.placeOf(number), id: index.id(number), type: index.type(number) };
      }
    },
  };
}

/** Packs in groups of at most `blobsPerFile` blobs (a pack is never split). */
export function* groupByBlobs(packs: Iterable<IndexedPack>): Generator<IndexedPack[]> {
  let group: IndexedPack[] = [];
  let blobs = 0;
  for (const pack of packs) {
    if (group.length > 0 && blobs + pack.entries.length > blobsPerFile) {
      yield group;
      group = [];
      blobs = 0;
    }
    group.push(pack);
    blobs += pack.entries.length;
  }
  if (group.length > 0) yield group;
}
