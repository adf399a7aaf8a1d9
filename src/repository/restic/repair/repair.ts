/**
 * Mends what can be mended from what is there. Every pack is read: whole ones are indexed as their headers say, whole
 * blobs of damaged ones are copied into new packs, and what is lost leaves the index, so that the next backup stores it again
 * instead of trusting it. No pack is removed: prune does that, once nothing needs it.
 */
import { hash } from "node:crypto";
import { isMemkeepError } from "../../../domain/errors.ts";
import type { Storage } from "../../../storages/storage.ts";
import { newConfig, readConfig, writeConfig } from "../config-file.ts";
import { faultOf } from "../check/check-packs.ts";
import { findBadEntries } from "../check/verify-entries.ts";
import { type VerifiedPack, verifyPacks } from "../check/verify-packs.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import { blobsPerFile, encodeIndex, type IndexedPack } from "../index/index-file.ts";
import { loadIndex } from "../index/load-index.ts";
import { PackContents } from "../index/pack-contents.ts";
import { decodeHeader, encodeHeader } from "../pack/pack-header.ts";
import { type ListedPack, listPacks, packName } from "../pack/pack-name.ts";
import { permission, type Premises } from "../premises.ts";
import { readProofs } from "../proofs.ts";
import { copyBlobs } from "../prune/copy-blobs.ts";
import { rewriteIndex } from "../prune/rewrite-index.ts";
import { bringHome } from "../strays/bring-home.ts";
import { Bitmap } from "../use/bitmap.ts";

/** Under an exclusive lock. Returns a sentence for each thing that was done. Interrupted, it can be run again. */
export async function repair(premises: Premises): Promise<readonly string[]> {
  await using lock = await premises.lock({ exclusive: true });
  const { objects } = premises;
  const mayWrite = permission(premises, lock);
  const done: string[] = [];
  if (await remakeConfig(premises, mayWrite)) {
    done.push("made a new config; the next backup stores everything once more");
  }
  const home = await bringHome(premises, mayWrite);
  if (home > 0) done.push(`brought ${count(home, "file")} back under the name that is theirs`);
  const { index, files, damaged } = await loadIndex(objects);
  const contents = new PackContents(index);

  const sorted = await sortPacks(premises, index, contents, mayWrite);
  if (sorted.indexed > 0)
    done.push(`indexed ${count(sorted.indexed, "pack")} that no index listed, or listed otherwise`);
  await copyBlobs(premises, { index, packs: sorted.saved }, mayWrite);
  if (sorted.damagedPacks > 0) {
    const saved = sorted.saved.reduce((sum, entries) => sum + entries.length, 0);
    done.push(
      `copied ${count(saved, "whole blob")} out of ${count(sorted.damagedPacks, "damaged pack")}; ${count(sorted.lostBlobs, "blob")} in them cannot be read`,
    );
  }
  if (sorted.missingPacks > 0)
    done.push(`took ${count(sorted.missingPacks, "missing pack")} out of the index`);
  await rewriteIndex(premises, index, contents, files, sorted.gone, mayWrite);
  for (const id of damaged.keys()) {
    await mayWrite();
    await objects.remove("index", id);
  }
  if (damaged.size > 0) done.push(`removed ${count(damaged.size, "damaged index file")}`);
  const proofs = (await readProofs(objects)).damaged;
  for (const id of proofs.keys()) {
    await mayWrite();
    await objects.remove("memkeep/proofs", id);
  }
  if (proofs.size > 0) done.push(`removed ${count(proofs.size, "damaged proof")}`);
  return done.length > 0 ? done : ["found nothing to repair"];
}

/** A config that is damaged or gone: a new one serves as well. One of another format version is left alone. */
async function remakeConfig({ storage, sealer }: Premises, mayWrite: () => Promise<void>): Promise<boolean> {
  try {
    await readConfig(storage, sealer);
    return false;
  } catch (error) {
    if (!isMemkeepError(error, "REPOSITORY_DAMAGED", "STORAGE_MISSING")) throw error;
  }
  await mayWrite();
  await keepForeign(storage);
  await storage.remove("config");
  await writeConfig(storage, sealer, newConfig());
  return true;
}

/** No config is longer than this. */
const longestConfigBytes = 4096;

/** What stands in the place of the config and is too long for one may be a pack: it gets the name that a pack would have. */
async function keepForeign(storage: Storage): Promise<void> {
  const there = await storage.stat("config");
  if (!there || there.sizeBytes <= longestConfigBytes) return;
  const bytes = await storage.read("config");
  const name = packName(hash("sha256", bytes));
  if (!(await storage.stat(name))) await storage.write(name, [bytes]);
}

interface SortedPacks {
  /** Numbers of packs that leave the index as it was read. */
  readonly gone: Bitmap;
  /** Whole entries of each damaged pack that lie nowhere else. */
  readonly saved: readonly (readonly number[])[];
  readonly indexed: number;
  readonly damagedPacks: number;
  readonly missingPacks: number;
  readonly lostBlobs: number;
}

/** Reads all packs. Whole ones that the index lacks are indexed at once, so that memory does not grow with them. */
async function sortPacks(
  premises: Premises,
  index: BlobIndex,
  contents: PackContents,
  mayWrite: () => Promise<void>,
): Promise<SortedPacks> {
  const listed: ListedPack[] = [];
  for await (const pack of listPacks(premises.storage)) listed.push(pack);
  const gone = new Bitmap(contents.packCount);
  const whole: number[][] = [];
  let indexed = 0;
  let damagedPacks = 0;
  const lost: number[] = [];
  let group: IndexedPack[] = [];
  let blobs = 0;

  async function writeGroup(): Promise<void> {
    if (group.length === 0) return;
    await mayWrite();
    await premises.objects.save("index", encodeIndex(group));
    group = [];
    blobs = 0;
  }

  for await (const verified of verifyPacks(premises, listed)) {
    const { id } = verified.pack;
    const number = index.findPack(id);
    const known =
      number !== undefined && number < contents.packCount && contents.entriesOf(number).length > 0;
    if (faultOf(verified) === undefined) {
      const header = Buffer.from(verified.answer!.header!);
      if (known && encodeHeader(contents.packEntries(number)).equals(header)) continue;
      if (known) gone.add(number);
      const entries = decodeHeader(header);
      if (blobs + entries.length > blobsPerFile) await writeGroup();
      group.push({ id, entries });
      blobs += entries.length;
      indexed++;
      continue;
    }
    damagedPacks++;
    if (known) gone.add(number);
    // Its own header is heard as well: two packs that were swapped are each whole under the other's name.
    const entries = new Set([...(known ? contents.entriesOf(number) : []), ...addHeader(index, verified)]);
    const { bad, good } = await sortEntries(premises, index, entries, verified);
    lost.push(...bad);
    whole.push(good);
  }
  await writeGroup();
  const missingPacks = dropMissing(index, contents, listed, gone);
  const saved = whole.map((entries) => entries.filter((entry) => !hasGoodCopy(index, entry, gone)));
  const isSaved = new Set(whole.flat().map((entry) => blobName(index, entry)));
  const lostBlobs = lost.filter(
    (entry) => !isSaved.has(blobName(index, entry)) && !hasGoodCopy(index, entry, gone),
  ).length;
  return { gone, saved, indexed, damagedPacks, missingPacks, lostBlobs };
}

/** Makes the entries of a damaged pack's own header known, whatever the index says of it. */
function addHeader(index: BlobIndex, { pack, answer }: VerifiedPack): number[] {
  if (!answer?.header) return [];
  const number = index.packNumber(pack.id);
  return decodeHeader(Buffer.from(answer.header)).map((entry) =>
    index.add(entry.id, 0, entry.type, { ...entry, pack: number }),
  );
}

async function sortEntries(
  premises: Premises,
  index: BlobIndex,
  entries: Iterable<number>,
  { pack }: VerifiedPack,
): Promise<{ bad: number[]; good: number[] }> {
  const all = [...entries];
  const bad = await findBadEntries(premises, index, index.packNumber(pack.id), pack.sizeBytes, all);
  const isBad = new Set(bad);
  return { bad, good: all.filter((entry) => !isBad.has(entry)) };
}

function blobName(index: BlobIndex, entry: number): string {
  return `${index.type(entry)}:${index.id(entry).toString("hex")}`;
}

function dropMissing(
  index: BlobIndex,
  contents: PackContents,
  listed: readonly ListedPack[],
  gone: Bitmap,
): number {
  const there = new Bitmap(index.packCount);
  for (const { id } of listed) {
    const number = index.findPack(id);
    if (number !== undefined) there.add(number);
  }
  let missing = 0;
  for (let pack = 0; pack < contents.packCount; pack++) {
    if (there.has(pack) || contents.entriesOf(pack).length === 0) continue;
    gone.add(pack);
    missing++;
  }
  return missing;
}

/** Whether a copy of the blob stays in the index as it is. Packs beyond `gone` are damaged ones without an index. */
function hasGoodCopy(index: BlobIndex, entry: number, gone: Bitmap): boolean {
  return index
    .copies(entry)
    .some((copy) => copy !== entry && index.packOf(copy) < gone.size && !gone.has(index.packOf(copy)));
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? "" : "s"}`;
}
