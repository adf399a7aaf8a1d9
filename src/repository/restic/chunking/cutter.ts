/**
 * Cutters find where a chunk ends. They look at bytes and at the offset in the file, and keep no state of their
 * own: the same file gives the same chunks however its bytes arrive.
 */
export interface Cutter {
  /** No chunk is longer. A caller must be able to show that many bytes of a chunk at once. */
  readonly maximumBytes: number;

  /**
   * The length of the chunk that starts at `bytes[from]`, where `fileOffset` is that byte's place in the file.
   * Bytes from `to` on are not looked at. -1 when the end cannot be told before more bytes are there; at the end of
   * the file (`final`) the rest is the last chunk, so -1 is never given.
   */
  cut(bytes: Uint8Array, from: number, to: number, fileOffset: number, final: boolean): number;
}

/**
 * The average grows with the place in the file, not with its final size (which a stream does not know): 16 KiB in the
 * first 4 GiB, then 32 KiB, from 16 GiB on 64 KiB. So a file that grows keeps all earlier chunks, and the list of a
 * file's chunks, which every snapshot repeats, stays near 0.2 % of its bytes (facts: bench/RESULTS.md).
 */
export function averageShift(fileOffset: number): number {
  if (fileOffset < 4 * 2 ** 30) return 0;
  return fileOffset < 16 * 2 ** 30 ? 1 : 2;
}

/** Blocks of one size at multiples of that size: for files of fixed pages, where a page changes in place. */
export function createBlockCutter(blockBytes: number): Cutter {
  return {
    maximumBytes: blockBytes << 2,
    cut(_bytes, from, to, fileOffset, final) {
      const length = blockBytes << averageShift(fileOffset);
      if (to - from >= length) return length;
      return final ? to - from : -1;
    },
  };
}

/**
 * Content-defined cutting with a gear hash (Xia et al., "FastCDC", USENIX ATC 2016) and its normalisation: a mask
 * with two bits more up to the average and two bits less after it, so that sizes stay near the average. The hash sees
 * the last 32 bytes, so cuts find themselves again right after a change. min = average / 4, max = average * 4.
 */
export function createGearCutter(table: Int32Array, averageBytes: number): Cutter {
  const bits = Math.log2(averageBytes);
  if (!Number.isInteger(bits) || table.length !== 256) throw new RangeError("average must be a power of two");
  const doubled = table.map((word) => word << 1);

  /** The place behind the first byte from `at` on after which the hash has zeros under `mask`; -1 when there is none before `end`. */
  function scan(bytes: Uint8Array, from: number, end: number, mask: number): number {
    let hash = 0;
    for (let warm = from - windowBytes; warm < from; warm++) hash = ((hash << 1) + table[bytes[warm]!]!) | 0;
    let at = from;
    // Two bytes a turn: each step waits for the hash before it, so half the steps is nearly half the time.
    for (const last = end - 1; at < last; at += 2) {
      const first = bytes[at]!;
      const second = bytes[at + 1]!;
      const between = ((hash << 1) + table[first]!) | 0;
      hash = ((hash << 2) + ((doubled[first]! + table[second]!) | 0)) | 0;
      if ((between & mask) === 0) return at + 1;
      if ((hash & mask) === 0) return at + 2;
    }
    if (at < end && (((hash << 1) + table[bytes[at]!]!) & mask) === 0) return at + 1;
    return -1;
  }

  return {
    maximumBytes: (averageBytes * 4) << 2,
    cut(bytes, from, to, fileOffset, final) {
      const shift = averageShift(fileOffset);
      const average = averageBytes << shift;
      const end = Math.min(to, from + average * 4);
      const normal = Math.min(end, from + average);
      const first = from + (average >> 2);
      if (first < normal) {
        const cut = scan(bytes, first, normal, topBits(bits + shift + 2));
        if (cut >= 0) return cut - from;
      }
      if (normal < end) {
        const cut = scan(bytes, normal, end, topBits(bits + shift - 2));
        if (cut >= 0) return cut - from;
      }
      if (end - from === average * 4) return end - from;
      return final ? to - from : -1;
    },
  };
}

/** A byte has left a 32-bit hash that is shifted once a byte after as many bytes. */
const windowBytes = 32;

/** The oldest of the 32 bytes still acts on the top bits only, so the mask takes those. */
function topBits(count: number): number {
  return -1 << (32 - count);
}
