/** Packs against the index: is each there, of the right size, and (with data) what its name, header and blobs say? */
import { amountText, countText } from "../../../domain/words.ts";
import { reasonOf } from "../../../domain/errors.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import type { PackContents } from "../index/pack-contents.ts";
import { type ListedPack, listPacks, packName } from "../pack/pack-name.ts";
import type { Premises } from "../premises.ts";
import type { Damage } from "./damage.ts";
import { findBadEntries } from "./verify-entries.ts";
import { verifyIndexed } from "./verify-indexed.ts";
import { type VerifiedPack, verifyPacks } from "./verify-packs.ts";

export interface CheckedPacks {
  readonly unindexed: readonly ListedPack[];
  readonly packs: number;
  readonly readBytes: number;
  /** Unindexed packs that are damaged: told, but nobody needs them. */
  readonly damagedUnindexed: readonly string[];
}

export async function checkPacks(
  premises: Premises,
  index: BlobIndex,
  contents: PackContents,
  damage: Damage,
  data: boolean,
): Promise<CheckedPacks> {
  const sizes = new Map<number, number>();
  const unindexed: ListedPack[] = [];
  let packs = 0;
  for await (const pack of listPacks(premises.storage)) {
    packs++;
    const number = numberOf(index, contents, pack.id);
    if (number === undefined) unindexed.push(pack);
    else sizes.set(number, pack.sizeBytes);
  }
  const sound: number[] = [];
  for (let pack = 0; pack < contents.packCount; pack++) {
    if (contents.entriesOf(pack).length === 0) continue;
    if (await checkOutline(premises, index, contents, damage, pack, sizes.get(pack))) sound.push(pack);
  }
  if (!data) return { unindexed, packs, readBytes: 0, damagedUnindexed: [] };
  const damagedUnindexed: string[] = [];
  let readBytes = 0;
  for await (const { pack, bad, faults } of verifyIndexed(premises, index, contents, sound)) {
    readBytes += sizes.get(pack)!;
    const blobs =
      bad.length > 0
        ? [
            `${countText(bad.length)} of its ${amountText(contents.entriesOf(pack).length, "blob")} ${bad.length === 1 ? "is" : "are"} damaged`,
          ]
        : [];
    for (const text of [...faults, ...blobs]) damage.addPack(pack, text, bad);
  }
  for await (const verified of verifyPacks(premises, unindexed)) {
    readBytes += verified.pack.sizeBytes;
    if (faultOf(verified) !== undefined) damagedUnindexed.push(verified.pack.id);
  }
  return { unindexed, packs, readBytes, damagedUnindexed };
}

function numberOf(index: BlobIndex, contents: PackContents, id: string): number | undefined {
  const number = index.findPack(id);
  return number === undefined || contents.entriesOf(number).length === 0 ? undefined : number;
}

/** What can be told without reading the pack; true when nothing is wrong so far. */
async function checkOutline(
  premises: Premises,
  index: BlobIndex,
  contents: PackContents,
  damage: Damage,
  pack: number,
  sizeBytes: number | undefined,
): Promise<boolean> {
  const entries = contents.entriesOf(pack);
  if (sizeBytes === undefined) {
    damage.addPack(pack, `is missing, with ${amountText(entries.length, "blob")}`, entries);
    return false;
  }
  const expected = contents.fileBytes(pack);
  let end = 0;
  let gaps = false;
  for (const entry of entries) {
    if (index.offsetOf(entry) !== end) gaps = true;
    end = index.offsetOf(entry) + index.lengthOf(entry);
  }
  if (sizeBytes === expected && !gaps) return true;
  const text = gaps
    ? "holds other blobs than the index says: its blobs do not stand one behind the other"
    : `has ${sizeBytes} bytes, by the index it must have ${expected}`;
  // Which of its blobs can still be read is worth knowing, and it is one pack.
  damage.addPack(pack, text, await findBadEntries(premises, index, pack, sizeBytes, entries));
  return false;
}

/** What is wrong with a pack that was read; undefined when nothing is. */
export function faultOf({ pack, answer, error }: VerifiedPack): string | undefined {
  if (!answer) return `could not be read: ${reasonOf(error)}`;
  if (answer.sha256 !== pack.id) return "its content does not match its name";
  if (!answer.header) return "its header cannot be read";
  return answer.damaged.length > 0 ? `${answer.damaged.length} of its blobs are damaged` : undefined;
}

/** Sentence for the report. */
export function tellUnindexed(packs: CheckedPacks): string[] {
  const notes: string[] = [];
  if (packs.unindexed.length > 0) {
    notes.push(
      packs.unindexed.length === 1
        ? "1 pack is in no index, as an interrupted run leaves it; `memkeep prune` removes it"
        : `${countText(packs.unindexed.length)} packs are in no index, as an interrupted run leaves them; \`memkeep prune\` removes them`,
    );
  }
  for (const id of packs.damagedUnindexed) notes.push(`${packName(id)}, which is in no index, is damaged`);
  return notes;
}
