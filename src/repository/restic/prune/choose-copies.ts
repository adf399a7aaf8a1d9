/** Where a used blob lies in several packs, prune keeps one copy: this room says which. */
import type { BlobIndex } from "../index/blob-index.ts";
import type { PackContents } from "../index/pack-contents.ts";
import { Bitmap } from "../use/bitmap.ts";

/**
 * One bit for each entry that is worth keeping. `used` has the bit of the entry that `find` gives for each used blob;
 * copies of a blob are judged together. A copy in a pack that has other blobs to keep wins over one in a pack that could go
 * whole; among equals the larger share of blobs that somebody uses wins: an interrupted prune leaves packs of nothing but copies, and these
 * must win over what they were copied from.
 */
export function chooseCopies(index: BlobIndex, contents: PackContents, used: Bitmap): Bitmap {
  const chosen = new Bitmap(index.size);
  const several: number[] = [];
  const single = new Uint32Array(contents.packCount);
  const wanted = new Uint32Array(contents.packCount);
  for (let pack = 0; pack < contents.packCount; pack++) {
    for (const entry of contents.entriesOf(pack)) {
      const copies = index.copies(entry);
      if (!used.has(copies[0]!)) continue;
      wanted[pack]!++;
      if (copies.length === 1) {
        chosen.add(entry);
        single[pack]!++;
      } else if (entry === copies[0]) {
        several.push(entry);
      }
    }
  }
  const share = (entry: number): number => {
    const pack = index.packOf(entry);
    return wanted[pack]! / contents.entriesOf(pack).length;
  };
  for (const entry of several) {
    let best = entry;
    // Ties go to the lower entry: where two index files list one place, that is the one which the contents name.
    for (const copy of index.copies(entry)) {
      const gain = Math.sign(single[index.packOf(copy)]!) - Math.sign(single[index.packOf(best)]!);
      if (gain > 0 || (gain === 0 && share(copy) > share(best))) best = copy;
    }
    chosen.add(best);
  }
  return chosen;
}
