/** Replaces index files, so that packs which are about to go are named nowhere. */
import type { BlobIndex } from "../index/blob-index.ts";
import { blobsPerFile, encodeIndex, type IndexedPack } from "../index/index-file.ts";
import type { IndexFile } from "../index/load-index.ts";
import type { PackContents } from "../index/pack-contents.ts";
import { groupByBlobs } from "../pipeline/pack-writer.ts";
import type { Premises } from "../premises.ts";
import { Bitmap } from "../use/bitmap.ts";

/** So many small index files are made into one: each is a request for everybody who opens the repository. */
const smallFilesAtLeast = 5;

/**
 * Writes what the files list without the packs in `gone`, then removes the old files: at every moment all other
 * packs are in an index. Files without such a pack stay, unless they are many small ones. Returns the files as they are
 * then.
 */
export async function rewriteIndex(
  premises: Premises,
  index: BlobIndex,
  contents: PackContents,
  files: readonly IndexFile[],
  gone: Bitmap,
  mayWrite: () => Promise<void>,
): Promise<IndexFile[]> {
  const small = files.filter((file) => file.blobs < blobsPerFile / 2).length >= smallFilesAtLeast;
  const stays = (file: IndexFile): boolean =>
    !file.packs.some((pack) => gone.has(pack)) && !(small && file.blobs < blobsPerFile / 2);
  const kept = files.filter(stays);
  const replaced = files.filter((file) => !stays(file));
  if (replaced.length === 0) return kept;

  const listed = new Bitmap(contents.packCount);
  for (const file of kept) for (const pack of file.packs) listed.add(pack);
  const written: IndexFile[] = [];
  for (const group of groupByBlobs(packsOf(replaced))) {
    await mayWrite();
    const id = await premises.objects.save("index", encodeIndex(group));
    const packs = Uint32Array.from(group, (pack) => index.packNumber(pack.id));
    written.push({ id, packs, blobs: group.reduce((sum, pack) => sum + pack.entries.length, 0) });
  }
  for (const file of replaced) {
    await mayWrite();
    await premises.objects.remove("index", file.id);
  }
  return [...kept, ...written];

  function* packsOf(from: readonly IndexFile[]): Generator<IndexedPack> {
    for (const file of from) {
      for (const pack of file.packs) {
        if (gone.has(pack) || !listed.add(pack)) continue;
        yield { id: index.packId(pack), entries: contents.packEntries(pack) };
      }
    }
  }
}
