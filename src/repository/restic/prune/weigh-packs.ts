/** How much of each pack is worth keeping. */
import type { BlobIndex, BlobType } from "../index/blob-index.ts";
import type { PackContents } from "../index/pack-contents.ts";
import type { ListedPack } from "../pack/pack-name.ts";
import type { Bitmap } from "../use/bitmap.ts";

export interface PackWeight {
  /** Size of its file; undefined when it is missing. */
  readonly fileBytes: number | undefined;
  /** Stored bytes of the entries to keep, with their places in the header. */
  readonly keptBytes: number;
  readonly unusedBytes: number;
  readonly type: BlobType;
  /** Trees and data in one pack, as old programs wrote it. */
  readonly mixed: boolean;
}

export interface WeighedPacks {
  /** By pack number. */
  readonly weights: readonly PackWeight[];
  readonly unindexed: readonly string[];
  readonly unindexedBytes: number;
}

export function weighPacks(
  index: BlobIndex,
  contents: PackContents,
  chosen: Bitmap,
  packs: Iterable<ListedPack>,
): WeighedPacks {
  const fileBytes = new Map<number, number>();
  const unindexed: string[] = [];
  let unindexedBytes = 0;
  for (const { id, sizeBytes } of packs) {
    const pack = index.findPack(id);
    if (pack === undefined || contents.entriesOf(pack).length === 0) {
      unindexed.push(id);
      unindexedBytes += sizeBytes;
    } else {
      fileBytes.set(pack, sizeBytes);
    }
  }
  const weights = Array.from({ length: contents.packCount }, (_, pack): PackWeight => {
    let keptBytes = 0;
    let unusedBytes = 0;
    let trees = 0;
    const entries = contents.entriesOf(pack);
    for (const entry of entries) {
      const bytes = index.lengthOf(entry) + contents.headerBytes(entry);
      if (chosen.has(entry)) keptBytes += bytes;
      else unusedBytes += bytes;
      if (index.type(entry) === "tree") trees++;
    }
    return {
      fileBytes: fileBytes.get(pack),
      keptBytes,
      unusedBytes,
      type: trees > 0 ? "tree" : "data",
      mixed: trees > 0 && trees < entries.length,
    };
  });
  return { weights, unindexed, unindexedBytes };
}
