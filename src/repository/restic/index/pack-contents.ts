/**
 * The index the other way round: the entries of each pack, in the order in which they lie in it. Two numbers for every
 * entry, whatever the packs.
 */
import type { BlobIndex } from "./blob-index.ts";
import {
  compressedEntryBytes,
  packTrailerBytes,
  type PackEntry,
  plainEntryBytes,
} from "../pack/pack-header.ts";

export class PackContents {
  readonly #index: BlobIndex;
  /** Where each pack's entries begin in `#order`; one more than there are packs. */
  readonly #starts: Uint32Array;
  readonly #order: Uint32Array;
  readonly #counts: Uint32Array;

  /** As the index is now; what is added later is not seen. */
  constructor(index: BlobIndex) {
    this.#index = index;
    this.#starts = new Uint32Array(index.packCount + 1);
    this.#counts = new Uint32Array(index.packCount);
    const packs = this.#starts;
    let placed = 0;
    for (let entry = 0; entry < index.size; entry++) {
      if (!index.isPlaced(entry)) continue;
      packs[index.packOf(entry) + 1]!++;
      placed++;
    }
    for (let pack = 0; pack < index.packCount; pack++) packs[pack + 1]! += packs[pack]!;
    this.#order = new Uint32Array(placed);
    for (let entry = 0; entry < index.size; entry++) {
      if (!index.isPlaced(entry)) continue;
      const pack = index.packOf(entry);
      this.#order[packs[pack]! + this.#counts[pack]!++] = entry;
    }
    for (let pack = 0; pack < index.packCount; pack++) this.#counts[pack] = this.#tidy(pack);
  }

  get packCount(): number {
    return this.#counts.length;
  }

  /** Entries of a pack by offset. A blob that two index files list at the same place is there once. */
  entriesOf(pack: number): Uint32Array {
    const start = this.#starts[pack]!;
    return this.#order.subarray(start, start + this.#counts[pack]!);
  }

  /** The size that the pack's file must have: its blobs without gaps, the sealed header, the header's length. */
  fileBytes(pack: number): number {
    let bytes = packTrailerBytes;
    for (const entry of this.entriesOf(pack)) bytes += this.#index.lengthOf(entry) + this.headerBytes(entry);
    return bytes;
  }

  headerBytes(entry: number): number {
    return this.#index.isCompressed(entry) ? compressedEntryBytes : plainEntryBytes;
  }

  /** As a pack's header would list them. */
  packEntries(pack: number): PackEntry[] {
    const index = this.#index;
    return Array.from(this.entriesOf(pack), (entry) => {
      const { offset, length, uncompressedLength } = index.placeOf(entry);
      return { id: index.id(entry), type: index.type(entry), offset, length, uncompressedLength };
    });
  }

  /** Sorts a pack's entries and moves repetitions out of sight; returns how many are left. */
  #tidy(pack: number): number {
    const index = this.#index;
    const entries = this.entriesOf(pack);
    let sorted = true;
    for (let at = 1; at < entries.length && sorted; at++) {
      sorted = index.offsetOf(entries[at - 1]!) < index.offsetOf(entries[at]!);
    }
    // Written in order by everybody, so this is the case of a pack that two index files list.
    if (sorted) return entries.length;
    entries.sort((a, b) => index.offsetOf(a) - index.offsetOf(b) || a - b);
    let kept = 0;
    for (const entry of entries) {
      const previous = kept === 0 ? -1 : entries[kept - 1]!;
      if (previous >= 0 && this.#sameBlob(previous, entry)) continue;
      entries[kept++] = entry;
    }
    return kept;
  }

  #sameBlob(a: number, b: number): boolean {
    const index = this.#index;
    return (
      index.offsetOf(a) === index.offsetOf(b) &&
      index.lengthOf(a) === index.lengthOf(b) &&
      index.type(a) === index.type(b) &&
      index.id(a).equals(index.id(b))
    );
  }
}
