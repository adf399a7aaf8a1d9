/**
 * Reads packs as the index describes them, some megabytes at a time: every blob against its id, the header against the index.
 * With the sizes checked before, that is every byte of the file. The SHA-256 of the whole file is not made: the seals already
 * tell every change, and it would need the whole file in memory.
 */
import { isMemkeepError } from "../../../domain/errors.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import type { PackContents } from "../index/pack-contents.ts";
import { encodeHeader } from "../pack/pack-header.ts";
import { packName } from "../pack/pack-name.ts";
import { LargeBlobs } from "../pipeline/large-blobs.ts";
import { openJob } from "../pipeline/open-job.ts";
import { readInto } from "../pipeline/read-into.ts";
import { largestSharedBytes, type PackRange, planRanges } from "../pipeline/read-plan.ts";
import type { Premises } from "../premises.ts";
import { asDamage } from "./as-damage.ts";

export interface VerifiedIndexed {
  readonly pack: number;
  /** Entries that are not what their ids say. */
  readonly bad: readonly number[];
  /** What else is wrong with the file. */
  readonly faults: readonly string[];
}

interface Part {
  readonly pack: number;
  readonly bad: readonly number[];
  readonly fault: string | undefined;
}

/** The packs in their order. Each must have the size that its entries give, without gaps between them. */
export async function* verifyIndexed(
  premises: Premises,
  index: BlobIndex,
  contents: PackContents,
  packs: Iterable<number>,
): AsyncGenerator<VerifiedIndexed> {
  const { storage, sealer, signal } = premises;
  const workers = premises.workers();
  const { windows } = workers;

  const large = new LargeBlobs(storage, index, workers.key);

  async function verifyRange(range: PackRange): Promise<Part> {
    if (range.length > largestSharedBytes) return verifyLarge(range);
    const input = windows.take(range.length);
    try {
      await readInto(storage, packName(index.packId(range.pack)), range, input);
    } catch (error) {
      const { message } = asDamage(error);
      const bad = range.blobs.map(({ entry }) => entry);
      return { pack: range.pack, bad, fault: `it could not be read: ${message}` };
    }
    const { damaged } = await workers.run(openJob(index, range, input, undefined));
    windows.give(input);
    return { pack: range.pack, bad: damaged.map((blob) => range.blobs[blob]!.entry), fault: undefined };
  }

  async function verifyLarge({ pack, blobs }: PackRange): Promise<Part> {
    const entries = blobs.map(({ entry }) => entry);
    try {
      (await large.load(entries[0]!)).release();
      return { pack, bad: [], fault: undefined };
    } catch (error) {
      if (isMemkeepError(error, "REPOSITORY_DAMAGED")) return { pack, bad: entries, fault: undefined };
      return { pack, bad: entries, fault: `it could not be read: ${asDamage(error).message}` };
    }
  }

  async function verifyHeader(pack: number): Promise<Part> {
    const expected = encodeHeader(contents.packEntries(pack));
    const fileBytes = contents.fileBytes(pack);
    const length = expected.length + 36;
    try {
      const tail = await storage.read(packName(index.packId(pack)), { offset: fileBytes - length, length });
      if (tail.readUInt32LE(length - 4) !== length - 4) return { pack, bad: [], fault: unreadableHeader };
      const fits = sealer.open(tail.subarray(0, -4)).equals(expected);
      return { pack, bad: [], fault: fits ? undefined : "its header names other blobs than the index does" };
    } catch (error) {
      asDamage(error);
      return { pack, bad: [], fault: unreadableHeader };
    }
  }

  function* parts(): Generator<Promise<Part>> {
    for (const pack of packs) {
      signal.throwIfAborted();
      const blobs = Array.from(contents.entriesOf(pack), (entry) => ({ entry, outputOffset: 0 }));
      for (const range of planRanges(blobs, index)) yield verifyRange(range);
      yield verifyHeader(pack);
    }
  }

  let current: { pack: number; bad: number[]; faults: string[] } | undefined;
  for await (const { pack, bad, fault } of inOrder(parts(), workers.size + 2)) {
    if (current && current.pack !== pack) yield current;
    if (current?.pack !== pack) current = { pack, bad: [], faults: [] };
    for (const entry of bad) current.bad.push(entry);
    if (fault !== undefined && !current.faults.includes(fault)) current.faults.push(fault);
  }
  if (current) yield current;
}

const unreadableHeader = "its header cannot be read";

/** The answers in the order of the questions, `atOnce` of which are under way. */
async function* inOrder<T>(questions: Iterable<Promise<T>>, atOnce: number): AsyncGenerator<T> {
  const underWay: Promise<T>[] = [];
  try {
    for (const question of questions) {
      // It may fail while an earlier one is being given out; whoever awaits it is told.
      question.catch(() => undefined);
      underWay.push(question);
      if (underWay.length >= atOnce) yield await underWay.shift()!;
    }
    while (underWay.length > 0) yield await underWay.shift()!;
  } finally {
    await Promise.allSettled(underWay);
  }
}
