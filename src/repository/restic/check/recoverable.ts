/** Lost blobs that lie in packs of no index: a repair finds them again. */
import type { BlobIndex } from "../index/blob-index.ts";
import type { ListedPack } from "../pack/pack-name.ts";
import { readPackHeader } from "../pack/read-header.ts";
import type { Premises } from "../premises.ts";
import { Bitmap } from "../use/bitmap.ts";
import { asDamage } from "./as-damage.ts";

/** How many of the lost blobs the headers of the packs name. */
export async function countRecoverable(
  { storage, sealer }: Premises,
  packs: readonly ListedPack[],
  lost: BlobIndex,
): Promise<number> {
  const found = new Bitmap(lost.size);
  let count = 0;
  for (const pack of packs) {
    try {
      for (const { id, type } of await readPackHeader(storage, sealer, pack)) {
        const blob = lost.find(id, 0, type);
        if (blob >= 0 && found.add(blob)) count++;
      }
    } catch (error) {
      // A pack whose header is damaged gives nothing back.
      asDamage(error);
    }
  }
  return count;
}
