/** What a prune would do, decided from the index, the list of packs and the set of used blobs. */
import { MemkeepError } from "../../../domain/errors.ts";
import type { PruneOptions, PrunePlan } from "../../repository.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import type { PackContents } from "../index/pack-contents.ts";
import type { ListedPack } from "../pack/pack-name.ts";
import type { Bitmap } from "../use/bitmap.ts";
import { chooseCopies } from "./choose-copies.ts";
import { type PackWeight, weighPacks } from "./weigh-packs.ts";

/** A pack below this size is merged with others of its kind: the smallest size that restic can be told to make. */
const smallPackBytes = 4 * 2 ** 20;
/** Merging is worth it from this many on; it also keeps a prune from rewriting one small pack for ever. */
const smallPacksAtLeast = 10;

export interface PruneSteps {
  readonly summary: PrunePlan;
  /** Ids of packs that no index lists: the remains of an interrupted run. */
  readonly unindexed: readonly string[];
  /** Numbers of packs of which nothing is used, those that are missing already among them. */
  readonly remove: readonly number[];
  /** Numbers of packs whose chosen blobs move to new packs. */
  readonly repack: readonly number[];
  /** Entries to keep, one for each used blob. */
  readonly chosen: Bitmap;
}

/** `REPOSITORY_DAMAGED` when a pack that is needed is missing or has another size than its entries say. */
export function planSteps(
  index: BlobIndex,
  contents: PackContents,
  used: Bitmap,
  packs: Iterable<ListedPack>,
  options: PruneOptions,
): PruneSteps {
  const chosen = chooseCopies(index, contents, used);
  const { weights, unindexed, unindexedBytes } = weighPacks(index, contents, chosen, packs);
  const remove: number[] = [];
  const partly: number[] = [];
  const small: Record<"data" | "tree", number[]> = { data: [], tree: [] };
  let removeBytes = unindexedBytes;
  let keptBytes = 0;
  let unusedBytes = 0;
  for (const [pack, weight] of weights.entries()) {
    if (weight.keptBytes === 0) {
      remove.push(pack);
      removeBytes += weight.fileBytes ?? 0;
      continue;
    }
    refuseDamaged(index.packId(pack), weight, contents.fileBytes(pack));
    keptBytes += weight.keptBytes;
    unusedBytes += weight.unusedBytes;
    if (weight.unusedBytes > 0 || weight.mixed) partly.push(pack);
    else if (weight.fileBytes! < smallPackBytes) small[weight.type].push(pack);
  }
  for (const type of ["data", "tree"] as const) {
    if (small[type].length >= smallPacksAtLeast) partly.push(...small[type]);
  }
  const candidates = partly.map((pack) => ({ pack, weight: weights[pack]! }));
  const repack = chooseRepack(candidates, keptBytes, unusedBytes, options);
  const freed = repack.reduce((sum, { weight }) => sum + weight.unusedBytes, 0);
  return {
    unindexed,
    remove,
    repack: repack.map(({ pack }) => pack),
    chosen,
    summary: {
      removePacks: remove.length + unindexed.length,
      removeBytes,
      repackPacks: repack.length,
      repackBytes: repack.reduce((sum, { weight }) => sum + weight.fileBytes!, 0),
      keptBytes,
      unusedBytesAfter: unusedBytes - freed,
      freedBytes: removeBytes + freed,
    },
  };
}

interface Candidate {
  readonly pack: number;
  readonly weight: PackWeight;
}

/**
 * Trees first, since every run reads them, then small packs, then those with the largest unused share. Data packs stop
 * when little enough is unused; everything stops at the limit of rewritten bytes.
 */
function chooseRepack(
  candidates: Candidate[],
  keptBytes: number,
  unusedBytes: number,
  { maxUnused, maxRepackBytes = Number.POSITIVE_INFINITY }: PruneOptions,
): Candidate[] {
  const mayStayBytes = maxUnused >= 1 ? Number.POSITIVE_INFINITY : (maxUnused / (1 - maxUnused)) * keptBytes;
  const rank = ({ weight }: Candidate): number => {
    if (weight.type === "tree" || weight.mixed) return 0;
    return weight.fileBytes! < smallPackBytes ? 1 : 2;
  };
  const share = ({ weight }: Candidate): number => weight.unusedBytes / weight.fileBytes!;
  candidates.sort((a, b) => rank(a) - rank(b) || share(b) - share(a) || a.pack - b.pack);
  const chosen: Candidate[] = [];
  let leftBytes = unusedBytes;
  let repackBytes = 0;
  for (const candidate of candidates) {
    const { fileBytes, unusedBytes: freedBytes } = candidate.weight;
    if (repackBytes + fileBytes! > maxRepackBytes) continue;
    if (rank(candidate) > 0 && freedBytes > 0 && leftBytes <= mayStayBytes) continue;
    chosen.push(candidate);
    repackBytes += fileBytes!;
    leftBytes -= freedBytes;
  }
  return chosen;
}

function refuseDamaged(id: string, { fileBytes }: PackWeight, expectedBytes: number): void {
  if (fileBytes === expectedBytes) return;
  throw new MemkeepError("REPOSITORY_DAMAGED", {
    tried: "find out what can be removed",
    happened:
      fileBytes === undefined
        ? `pack ${id.slice(0, 8)}, which snapshots need, is missing`
        : `pack ${id.slice(0, 8)}, which snapshots need, has ${fileBytes} bytes instead of ${expectedBytes}`,
    next: "Nothing was removed. Run `memkeep repository repair`, then `memkeep verify --level stored`.",
    details: { pack: id },
  });
}
