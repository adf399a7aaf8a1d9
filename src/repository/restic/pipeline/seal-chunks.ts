/** What a worker does with the chunks of a slab: compress once, seal for every target that lacks them. */
import { type Compressor, compressBound, createCompressor } from "../crypto/compression.ts";
import { sealOverheadBytes, type Sealer } from "../crypto/seal.ts";
import type { SealAnswer, SealJob } from "./jobs.ts";

/** The compressed chunks of one slab, one after another. Kept between jobs. */
let packed: Buffer = Buffer.alloc(0);
const compressors = new Map<number, Compressor>();

export function sealChunks(
  { input, ends, wanted, level, keys, outputs }: SealJob,
  sealers: readonly Sealer[],
): SealAnswer {
  const count = ends.length;
  const bytes = Buffer.from(input);
  // Behind the last chunk there must be room for the worst case of one.
  const roomBytes = compressBound(bytes.length);
  if (packed.length < roomBytes) packed = Buffer.allocUnsafeSlow(roomBytes);
  const compressor = compressorOf(level);
  const offsets = new Uint32Array(count);
  const packedLengths = new Uint32Array(count);
  const lengths = new Uint32Array(count);
  const compressed = new Uint8Array(count);
  let used = 0;
  for (let chunk = 0, from = 0; chunk < count; from = ends[chunk++]!) {
    if (wanted[chunk] === 0) continue;
    const plain = bytes.subarray(from, ends[chunk]);
    const smaller = compressor.compressInto(plain, packed, used);
    if (smaller === 0) packed.set(plain, used);
    const length = smaller === 0 ? plain.length : smaller;
    offsets[chunk] = used;
    packedLengths[chunk] = length;
    lengths[chunk] = length + sealOverheadBytes;
    compressed[chunk] = smaller === 0 ? 0 : 1;
    used += length;
  }
  for (const [target, output] of outputs.entries()) {
    const chunks: number[] = [];
    for (let chunk = 0; chunk < count; chunk++)
      if ((wanted[chunk]! & (1 << target)) !== 0) chunks.push(chunk);
    const pieces = {
      buffer: packed,
      offsets: chunks.map((chunk) => offsets[chunk]!),
      lengths: chunks.map((chunk) => packedLengths[chunk]!),
      count: chunks.length,
    };
    sealers[keys[target]!]!.sealBatch(pieces, Buffer.from(output), 0);
  }
  return { lengths, compressed };
}

function compressorOf(level: number): Compressor {
  let compressor = compressors.get(level);
  if (!compressor) {
    compressor = createCompressor(level);
    compressors.set(level, compressor);
  }
  return compressor;
}
