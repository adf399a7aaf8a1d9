/** How large a repository is, what each snapshot added to it, and what a prune would free. */
import type { PruneOptions, RepositoryStats, SnapshotGrowth } from "../../repository.ts";
import { PackContents } from "../index/pack-contents.ts";
import type { LoadedSnapshot } from "../objects/snapshot-info.ts";
import { type ListedPack, listPacks } from "../pack/pack-name.ts";
import { planSteps } from "../prune/plan.ts";
import { Bitmap } from "../use/bitmap.ts";
import { firstUsers, unused } from "../use/first-users.ts";
import type { TreeParts } from "../use/read-trees.ts";

/** All but the packs, and the locks, which come and go: that of this very look is among them. */
const smallFiles = ["index/", "snapshots/", "keys/", "memkeep/"];

/**
 * Numbers of each blob, never an object of it: memory is that of the index and some twenty bytes a blob. Rejects as a prune
 * would, with `REPOSITORY_DAMAGED`, where what is in use cannot be known.
 *
 * @param snapshots all there are, loaded before the index.
 */
export async function repositoryStats(
  parts: TreeParts,
  snapshots: readonly LoadedSnapshot[],
  options: PruneOptions,
): Promise<RepositoryStats> {
  const { index, storage } = parts;
  const oldestFirst = snapshots.toSorted(
    (a, b) => a.info.timeMs - b.info.timeMs || (a.info.id < b.info.id ? -1 : 1),
  );
  const { numbers, fileBytes } = await firstUsers(
    parts,
    oldestFirst.map(({ tree }) => tree),
  );
  const used = new Bitmap(index.size);
  const added = new Float64Array(oldestFirst.length);
  const addedPlain = new Float64Array(oldestFirst.length);
  let usedBlobs = 0;
  for (const [entry, number] of numbers.entries()) {
    if (number === unused) continue;
    used.add(entry);
    usedBlobs++;
    added[number]! += index.lengthOf(entry);
    addedPlain[number]! += index.plainLength(entry);
  }
  const packs: ListedPack[] = [];
  for await (const pack of listPacks(storage)) packs.push(pack);
  const { summary } = planSteps(index, new PackContents(index), used, packs, options);
  const packBytes = packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return {
    sizeBytes: packBytes + (await otherBytes(parts)),
    packs: packs.length,
    packBytes,
    usedBlobs,
    usedBytes: sum(added),
    plainBytes: sum(addedPlain),
    rawBytes: fileBytes,
    snapshots: oldestFirst.map((snapshot, number) => growth(snapshot, added[number]!)).toReversed(),
    prune: summary,
  };
}

function growth({ info }: LoadedSnapshot, addedBytes: number): SnapshotGrowth {
  const { id, time, stack, safety, readBytes } = info;
  return { id, time, stack, safety, readBytes, addedBytes };
}

async function otherBytes({ storage }: TreeParts): Promise<number> {
  let bytes = (await storage.stat("config"))?.sizeBytes ?? 0;
  for (const prefix of smallFiles) {
    for await (const { sizeBytes } of storage.list(prefix)) bytes += sizeBytes;
  }
  return bytes;
}

function sum(amounts: Float64Array): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}
