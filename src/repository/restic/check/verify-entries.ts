/** Checks single entries of the index in a pack that is known to be damaged, to tell what of it is still whole. */
import type { BlobIndex } from "../index/blob-index.ts";
import { packName } from "../pack/pack-name.ts";
import { openJob } from "../pipeline/open-job.ts";
import { planRanges } from "../pipeline/read-plan.ts";
import { readInto } from "../pipeline/read-into.ts";
import type { Premises } from "../premises.ts";
import { asDamage } from "./as-damage.ts";

/** Those of a pack's entries that are not what their ids say, or lie beyond its end. `sizeBytes` is its file's size. */
export async function findBadEntries(
  premises: Premises,
  index: BlobIndex,
  pack: number,
  sizeBytes: number,
  entries: Iterable<number>,
): Promise<number[]> {
  const bad: number[] = [];
  const inside: number[] = [];
  for (const entry of entries) {
    if (index.offsetOf(entry) + index.lengthOf(entry) <= sizeBytes) inside.push(entry);
    else bad.push(entry);
  }
  const blobs = inside.map((entry) => ({ entry, outputOffset: 0 }));
  for (const range of planRanges(blobs, index)) {
    try {
      const name = packName(index.packId(pack));
      const input = new SharedArrayBuffer(range.length);
      await readInto(premises.storage, name, range, input);
      const { damaged } = await premises.workers().run(openJob(index, range, input, undefined));
      for (const blob of damaged) bad.push(range.blobs[blob]!.entry);
    } catch (error) {
      asDamage(error);
      for (const blob of range.blobs) bad.push(blob.entry);
    }
  }
  return bad;
}
