/**
 * Where every blob of a repository lies. Held in typed arrays, at most 64 bytes a blob, in segments, so that it grows
 * without copying: a million blobs are 57 MB.
 *
 * A blob may lie in several packs (two writers at once); then it has several entries, and `find` gives the first.
 */

const ID_BYTES = 32;
const SEGMENT_BITS = 14;
const SEGMENT_SIZE = 1 << SEGMENT_BITS;
const SEGMENT_MASK = SEGMENT_SIZE - 1;
const TREE = 1;
/** The pack number of a blob that is being written: known, but not to be read yet. */
const UNPLACED = 0xffff_ffff;

export type BlobType = "data" | "tree";

interface Segment {
  readonly ids: Buffer;
  readonly packs: Uint32Array;
  readonly offsets: Uint32Array;
  /** Bytes in the pack, sealed. */
  readonly lengths: Uint32Array;
  /** Bytes before compression; 0 where the blob is stored as it is. */
  readonly uncompressed: Uint32Array;
  readonly types: Uint8Array;
}

export interface BlobPlace {
  readonly pack: number;
  readonly offset: number;
  readonly length: number;
  /** 0 where the blob is stored uncompressed. */
  readonly uncompressedLength: number;
}

export class BlobIndex {
  readonly #segments: Segment[] = [];
  #entries = 0;
  /** Open addressing; entry number + 1, 0 is free. */
  #slots = new Uint32Array(1024);
  readonly #packIds: Buffer[] = [];
  readonly #packNumbers = new Map<string, number>();

  /** How many entries there are, copies and unplaced ones included. */
  get size(): number {
    return this.#entries;
  }

  get packCount(): number {
    return this.#packIds.length;
  }

  /** The number of a pack, given to it when it is first named. */
  packNumber(id: string): number {
    let number = this.#packNumbers.get(id);
    if (number === undefined) {
      number = this.#packIds.length;
      this.#packIds.push(Buffer.from(id, "hex"));
      this.#packNumbers.set(id, number);
    }
    return number;
  }

  /** The number of a pack that is already named, or undefined. */
  findPack(id: string): number | undefined {
    return this.#packNumbers.get(id);
  }

  packId(number: number): string {
    return this.#packIds[number]!.toString("hex");
  }

  /** Adds a blob whose id stands in `ids` at `at`. Returns its entry number. A second copy gets an entry of its own. */
  add(ids: Uint8Array, at: number, type: BlobType, place: BlobPlace): number {
    const entry = this.#append(ids, at, type);
    this.place(entry, place);
    return entry;
  }

  /** Makes a blob known before it is stored, so that the same bytes further on are not stored twice. */
  reserve(ids: Uint8Array, at: number, type: BlobType): number {
    return this.#append(ids, at, type);
  }

  /** Says where a reserved blob now lies. */
  place(entry: number, place: BlobPlace): void {
    const segment = this.#segments[entry >>> SEGMENT_BITS]!;
    const index = entry & SEGMENT_MASK;
    segment.packs[index] = place.pack;
    segment.offsets[index] = place.offset;
    segment.lengths[index] = place.length;
    segment.uncompressed[index] = place.uncompressedLength;
  }

  /** The entry of the blob whose id stands in `ids` at `at`, or -1. */
  find(ids: Uint8Array, at: number, type: BlobType): number {
    const mask = this.#slots.length - 1;
    for (let slot = hashOf(ids, at) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]! - 1;
      if (entry < 0) return -1;
      if (this.#matches(entry, ids, at, type)) return entry;
    }
  }

  /** The entries of all copies of the blob that `entry` is one of, itself included, ascending: `find` gives the first. */
  copies(entry: number): number[] {
    const ids = this.id(entry);
    const type = this.type(entry);
    const mask = this.#slots.length - 1;
    const found: number[] = [];
    for (let slot = hashOf(ids, 0) & mask; ; slot = (slot + 1) & mask) {
      const copy = this.#slots[slot]! - 1;
      if (copy < 0) return found;
      if (this.#matches(copy, ids, 0, type)) found.push(copy);
    }
  }

  isPlaced(entry: number): boolean {
    return this.#segments[entry >>> SEGMENT_BITS]!.packs[entry & SEGMENT_MASK] !== UNPLACED;
  }

  type(entry: number): BlobType {
    return this.#segments[entry >>> SEGMENT_BITS]!.types[entry & SEGMENT_MASK] === TREE ? "tree" : "data";
  }

  packOf(entry: number): number {
    return this.#segments[entry >>> SEGMENT_BITS]!.packs[entry & SEGMENT_MASK]!;
  }

  offsetOf(entry: number): number {
    return this.#segments[entry >>> SEGMENT_BITS]!.offsets[entry & SEGMENT_MASK]!;
  }

  /** Sealed bytes. */
  lengthOf(entry: number): number {
    return this.#segments[entry >>> SEGMENT_BITS]!.lengths[entry & SEGMENT_MASK]!;
  }

  isCompressed(entry: number): boolean {
    return this.#segments[entry >>> SEGMENT_BITS]!.uncompressed[entry & SEGMENT_MASK] !== 0;
  }

  placeOf(entry: number): BlobPlace {
    const segment = this.#segments[entry >>> SEGMENT_BITS]!;
    const index = entry & SEGMENT_MASK;
    return {
      pack: segment.packs[index]!,
      offset: segment.offsets[index]!,
      length: segment.lengths[index]!,
      uncompressedLength: segment.uncompressed[index]!,
    };
  }

  /** Bytes of the blob itself: what a reader of it gets. */
  plainLength(entry: number): number {
    const segment = this.#segments[entry >>> SEGMENT_BITS]!;
    const index = entry & SEGMENT_MASK;
    const uncompressed = segment.uncompressed[index]!;
    return uncompressed === 0 ? segment.lengths[index]! - 32 : uncompressed;
  }

  /** The 32 bytes of a blob's id; a view, valid as long as the index. */
  id(entry: number): Buffer {
    const at = (entry & SEGMENT_MASK) * ID_BYTES;
    return this.#segments[entry >>> SEGMENT_BITS]!.ids.subarray(at, at + ID_BYTES);
  }

  #append(ids: Uint8Array, at: number, type: BlobType): number {
    const entry = this.#entries++;
    if ((entry & SEGMENT_MASK) === 0) this.#segments.push(newSegment());
    const segment = this.#segments[entry >>> SEGMENT_BITS]!;
    const index = entry & SEGMENT_MASK;
    segment.ids.set(ids.subarray(at, at + ID_BYTES), index * ID_BYTES);
    segment.packs[index] = UNPLACED;
    segment.types[index] = type === "tree" ? TREE : 0;
    // 4 bytes a slot at a load between 0.375 and 0.75.
    if (this.#entries * 4 > this.#slots.length * 3) this.#grow();
    else this.#link(entry);
    return entry;
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let entry = 0; entry < this.#entries; entry++) this.#link(entry);
  }

  #link(entry: number): void {
    const ids = this.#segments[entry >>> SEGMENT_BITS]!.ids;
    const mask = this.#slots.length - 1;
    let slot = hashOf(ids, (entry & SEGMENT_MASK) * ID_BYTES) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry + 1;
  }

  #matches(entry: number, ids: Uint8Array, at: number, type: BlobType): boolean {
    const segment = this.#segments[entry >>> SEGMENT_BITS]!;
    const index = entry & SEGMENT_MASK;
    if ((segment.types[index] === TREE) !== (type === "tree")) return false;
    const own = index * ID_BYTES;
    for (let byte = 0; byte < ID_BYTES; byte++) {
      if (segment.ids[own + byte] !== ids[at + byte]) return false;
    }
    return true;
  }
}

/** Ids are SHA-256, so any four of their bytes are as good as a hash. */
function hashOf(ids: Uint8Array, at: number): number {
  return (ids[at]! << 24) | (ids[at + 1]! << 16) | (ids[at + 2]! << 8) | ids[at + 3]!;
}

function newSegment(): Segment {
  return {
    ids: Buffer.allocUnsafeSlow(SEGMENT_SIZE * ID_BYTES),
    packs: new Uint32Array(SEGMENT_SIZE),
    offsets: new Uint32Array(SEGMENT_SIZE),
    lengths: new Uint32Array(SEGMENT_SIZE),
    uncompressed: new Uint32Array(SEGMENT_SIZE),
    types: new Uint8Array(SEGMENT_SIZE),
  };
}
