/**
 * Frees what no snapshot uses. The order of writes keeps every crash harmless: copies are durable and indexed before an
 * index loses sight of the old ones, and a pack is removed only when no index names it any more.
 */
import { MemkeepError } from "../../../domain/errors.ts";
import { removeAll } from "../../../storages/remove-all.ts";
import type { PruneOptions, PrunePlan } from "../../repository.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import { type IndexFile, loadIndex, wholeIndex } from "../index/load-index.ts";
import { PackContents } from "../index/pack-contents.ts";
import type { LoadedSnapshot } from "../objects/snapshot-info.ts";
import { type ListedPack, listPacks, packName } from "../pack/pack-name.ts";
import { permission, type Premises } from "../premises.ts";
import { Bitmap } from "../use/bitmap.ts";
import { markUsed } from "../use/mark-used.ts";
import { copyBlobs } from "./copy-blobs.ts";
import { planSteps, type PruneSteps } from "./plan.ts";
import { rewriteIndex } from "./rewrite-index.ts";

export interface PruneParts extends Premises {
  /** All snapshots; rejects when one cannot be read, for what it uses cannot be known then. */
  loadSnapshots(): Promise<readonly LoadedSnapshot[]>;
}

interface Survey {
  readonly index: BlobIndex;
  readonly contents: PackContents;
  readonly files: readonly IndexFile[];
  readonly steps: PruneSteps;
}

/** Under a shared lock, so that no other prune moves what it looks at. */
export async function planPrune(parts: PruneParts, options: PruneOptions): Promise<PrunePlan> {
  await using _lock = await parts.lock({ exclusive: false });
  return (await survey(parts, options)).steps.summary;
}

/** Under an exclusive lock: nobody else writes, so what no index names is nobody's. */
export async function prune(parts: PruneParts, options: PruneOptions): Promise<PrunePlan> {
  await using lock = await parts.lock({ exclusive: true });
  const { index, contents, files, steps } = await survey(parts, options);
  const mayWrite = permission(parts, lock);
  const remove = (packs: Iterable<string>): Promise<void> =>
    removeAll(parts.storage, Iterator.from(packs).map(packName), mayWrite);
  const ids = (packs: readonly number[]): string[] => packs.map((pack) => index.packId(pack));

  // What can go whole goes first: it makes the room that copying may need.
  await remove(steps.unindexed);
  const gone = new Bitmap(contents.packCount);
  for (const pack of steps.remove) gone.add(pack);
  const left = await rewriteIndex(parts, index, contents, files, gone, mayWrite);
  await remove(ids(steps.remove));
  if (steps.repack.length > 0) {
    for (const pack of steps.repack) gone.add(pack);
    await copyBlobs(parts, { index, packs: entriesToCopy(index, contents, steps, gone) }, mayWrite);
    await rewriteIndex(parts, index, contents, left, gone, mayWrite);
    await remove(ids(steps.repack));
  }
  return steps.summary;
}

async function survey(parts: PruneParts, options: PruneOptions): Promise<Survey> {
  const snapshots = await parts.loadSnapshots();
  const loaded = await loadIndex(parts.objects);
  const index = wholeIndex(loaded);
  const { storage, signal } = parts;
  const used = await markUsed({ storage, index, workers: parts.workers(), signal }, snapshots);
  const contents = new PackContents(index);
  const packs: ListedPack[] = [];
  for await (const pack of listPacks(storage)) packs.push(pack);
  const steps = planSteps(index, contents, used, packs, options);
  assertComplete(index, contents, used, steps);
  return { index, contents, files: loaded.files, steps };
}

/** The chosen entries of packs that are rewritten, but for blobs of which another copy lies in a pack that stays. */
function* entriesToCopy(
  index: BlobIndex,
  contents: PackContents,
  { repack, chosen }: PruneSteps,
  gone: Bitmap,
): Generator<number[]> {
  for (const pack of repack) {
    yield Array.from(contents.entriesOf(pack)).filter(
      (entry) => chosen.has(entry) && index.copies(entry).every((copy) => gone.has(index.packOf(copy))),
    );
  }
}

/** A last look before anything is removed: as many blobs are kept as are used. */
function assertComplete(
  index: BlobIndex,
  contents: PackContents,
  used: Bitmap,
  { chosen }: PruneSteps,
): void {
  let wanted = 0;
  let kept = 0;
  for (let entry = 0; entry < index.size; entry++) if (used.has(entry)) wanted++;
  for (let pack = 0; pack < contents.packCount; pack++) {
    for (const entry of contents.entriesOf(pack)) if (chosen.has(entry)) kept++;
  }
  if (wanted === kept) return;
  throw new MemkeepError("REPOSITORY_DAMAGED", {
    tried: "decide what can be removed",
    happened: `${wanted} blobs are in use, and ${kept} would be kept; nothing was removed`,
    next: "This is an error in memkeep: please report it.",
  });
}
