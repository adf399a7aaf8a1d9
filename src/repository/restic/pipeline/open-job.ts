/** Makes the job that opens the blobs of a range. */
import type { BlobIndex } from "../index/blob-index.ts";
import type { OpenJob } from "./jobs.ts";
import type { PackRange } from "./read-plan.ts";

/** The range's bytes stand at the start of `input`. Without `output` the blobs are only checked. */
export function openJob(
  index: BlobIndex,
  range: PackRange,
  input: SharedArrayBuffer,
  output: SharedArrayBuffer | undefined,
): OpenJob {
  const places = new Uint32Array(range.blobs.length * 4);
  const ids = new Uint8Array(range.blobs.length * 32);
  for (const [number, blob] of range.blobs.entries()) {
    const place = index.placeOf(blob.entry);
    places.set(
      [place.offset - range.offset, place.length, place.uncompressedLength, blob.outputOffset],
      number * 4,
    );
    ids.set(index.id(blob.entry), number * 32);
  }
  return { op: "open", key: 0, input, places, ids, output };
}
