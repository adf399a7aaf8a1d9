/**
 * Takes blobs out of packs and puts them into new ones, of the same repository or of another. Each is opened, unpacked and
 * hashed before it is trusted, so that damage is never carried on under a new name. It stays compressed as it is; for
 * another repository it is sealed anew with that one's key.
 */
import type { MemkeepError } from "../../../domain/errors.ts";
import type { Storage } from "../../../storages/storage.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import { asDamage } from "../check/as-damage.ts";
import { packName } from "../pack/pack-name.ts";
import { openJob } from "./open-job.ts";
import type { PackWriter } from "./pack-writer.ts";
import { type PackRange, planRanges } from "./read-plan.ts";
import { readInto } from "./read-into.ts";
import type { WorkerPool } from "./worker-pool.ts";

export interface Transfer {
  readonly storage: Storage;
  readonly index: BlobIndex;
  /** Their key 0 opens what is read. */
  readonly workers: WorkerPool;
  /** The number of the key that what is written is sealed with; as it was when undefined. */
  readonly sealWith?: number;
  readonly writer: PackWriter;
  /** The writer's index. What it has is not written again. */
  readonly written: BlobIndex;
}

/** Told of a blob that is not what its id says, or (`cause`) cannot be read; it is passed over. Throws to end the transfer. */
export type OnDamagedBlob = (entry: number, name: string, cause: MemkeepError | undefined) => void;

interface CheckedRange {
  readonly range: PackRange;
  readonly name: string;
  readonly input: SharedArrayBuffer;
  readonly damaged: ReadonlySet<number>;
  /** Why nothing of it could be read. */
  readonly cause?: MemkeepError;
}

/**
 * The writer is not flushed. Memory does not grow with what is transferred, but for its index. Neighbours are read together.
 *
 * @param packs entries of `transfer.index`, pack by pack.
 */
export async function transferBlobs(
  transfer: Transfer,
  packs: Iterable<readonly number[]>,
  onDamaged: OnDamagedBlob,
): Promise<void> {
  const { storage, index, workers, sealWith, writer, written } = transfer;

  async function check(range: PackRange): Promise<CheckedRange> {
    const name = packName(index.packId(range.pack));
    const input = workers.windows.take(range.length);
    try {
      await readInto(storage, name, range, input);
    } catch (error) {
      return { range, name, input, damaged: new Set(range.blobs.keys()), cause: asDamage(error) };
    }
    const job = openJob(index, range, input, undefined);
    const { damaged } = await workers.run(sealWith === undefined ? job : { ...job, sealWith });
    return { range, name, input, damaged: new Set(damaged) };
  }

  async function append({ range, name, input, damaged, cause }: CheckedRange): Promise<void> {
    for (const [number, { entry }] of range.blobs.entries()) {
      if (damaged.has(number)) {
        onDamaged(entry, name, cause);
        continue;
      }
      const { offset, length } = index.placeOf(entry);
      const id = index.id(entry);
      const type = index.type(entry);
      if (written.find(id, 0, type) >= 0) continue;
      written.reserve(id, 0, type);
      const sealed = new Uint8Array(input, offset - range.offset, length);
      const added = writer.add(type, sealed, id, 0, index.plainLength(entry), index.isCompressed(entry));
      if (added !== undefined) await added;
    }
    workers.windows.give(input);
  }

  const underWay: Promise<CheckedRange>[] = [];
  try {
    for (const entries of packs) {
      for (const range of planRanges(
        entries.map((entry) => ({ entry, outputOffset: 0 })),
        index,
      )) {
        const checking = check(range);
        // It may fail while an earlier one is being appended; whoever awaits it is told.
        checking.catch(() => undefined);
        underWay.push(checking);
        if (underWay.length > workers.size + 1) await append(await underWay.shift()!);
      }
    }
    while (underWay.length > 0) await append(await underWay.shift()!);
  } finally {
    await Promise.allSettled(underWay);
  }
}
