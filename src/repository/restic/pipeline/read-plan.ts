/**
 * Plans how the blobs of a file are fetched: in windows of a few megabytes of plain bytes, each window's blobs grouped
 * by pack into ranges. Neighbouring blobs become one request, and small gaps are read over: with blobs of 16 KiB a request
 * each would cost more than the bytes.
 */
import type { BlobIndex } from "../index/blob-index.ts";

export interface PlannedBlob {
  readonly entry: number;
  /** Offset of its plain bytes within the window. */
  readonly outputOffset: number;
}

export interface PackRange {
  readonly pack: number;
  readonly offset: number;
  length: number;
  readonly blobs: PlannedBlob[];
}

export interface Window {
  readonly plainBytes: number;
  readonly ranges: readonly PackRange[];
}

export const windowBytes: number = 2 * 2 ** 20;
/** restic's largest chunk, more or less. What is longer is the tree of a long list of chunks: it is alone in its range. */
export const largestSharedBytes: number = 8 * 2 ** 20;
const largestGapBytes = 256 * 2 ** 10;

/**
 * Cuts a list of entries into windows, full when the plain bytes are, or the stored ones: bytes that do not compress would
 * otherwise need a second range, and a buffer for it, for their last blob. A blob that is larger gets a window of its own.
 */
export function* planWindows(entries: Iterable<number>, index: BlobIndex): Generator<Window> {
  let blobs: PlannedBlob[] = [];
  let plainBytes = 0;
  let storedBytes = 0;
  for (const entry of entries) {
    const length = index.plainLength(entry);
    const stored = index.lengthOf(entry);
    if (blobs.length > 0 && (plainBytes + length > windowBytes || storedBytes + stored > windowBytes)) {
      yield { plainBytes, ranges: planRanges(blobs, index) };
      blobs = [];
      plainBytes = 0;
      storedBytes = 0;
    }
    blobs.push({ entry, outputOffset: plainBytes });
    plainBytes += length;
    storedBytes += stored;
  }
  if (blobs.length > 0) yield { plainBytes, ranges: planRanges(blobs, index) };
}

/** Blobs grouped into ranges, by pack and offset. A blob that stands twice in a window is fetched once. */
export function planRanges(blobs: readonly PlannedBlob[], index: BlobIndex): PackRange[] {
  const placed = blobs.map((blob) => ({ blob, place: index.placeOf(blob.entry) }));
  placed.sort((a, b) => a.place.pack - b.place.pack || a.place.offset - b.place.offset);
  const ranges: PackRange[] = [];
  let range: PackRange | undefined;
  for (const { blob, place } of placed) {
    const end = place.offset + place.length;
    const fits =
      range !== undefined &&
      range.pack === place.pack &&
      place.offset - (range.offset + range.length) <= largestGapBytes &&
      end - range.offset <= windowBytes;
    if (!range || !fits) {
      range = { pack: place.pack, offset: place.offset, length: 0, blobs: [] };
      ranges.push(range);
    }
    range.length = Math.max(range.length, end - range.offset);
    range.blobs.push(blob);
  }
  return ranges;
}
