/**
 * Reads packs whole, knowing nothing of them but their names: for those that no index lists, and for a repair, which trusts no
 * index. A few are under way at once; memory is bounded by bytes.
 */
import type { MemkeepError } from "../../../domain/errors.ts";
import { packTargetBytes } from "../pack/pack-builder.ts";
import { type ListedPack, packName } from "../pack/pack-name.ts";
import type { VerifyPackAnswer } from "../pipeline/jobs.ts";
import { readInto } from "../pipeline/read-into.ts";
import { SharedBuffers } from "../pipeline/shared-buffers.ts";
import type { Premises } from "../premises.ts";
import { asDamage } from "./as-damage.ts";

/** Other writers make packs of up to 128 MiB: such a one goes alone. */
const bytesAtOnce = 80 * 2 ** 20;

export interface VerifiedPack {
  readonly pack: ListedPack;
  /** Undefined when the file could not be read; `error` says why. */
  readonly answer: VerifyPackAnswer | undefined;
  readonly error: MemkeepError | undefined;
}

/** The packs in their order, each checked against its own name and header. */
export async function* verifyPacks(
  premises: Premises,
  packs: Iterable<ListedPack>,
): AsyncGenerator<VerifiedPack> {
  const workers = premises.workers();
  const buffers = new SharedBuffers(packTargetBytes + 2 * 2 ** 20, (buffer) => void workers.share(buffer));
  const underWay: { readonly sizeBytes: number; readonly done: Promise<VerifiedPack> }[] = [];

  async function verify(pack: ListedPack): Promise<VerifiedPack> {
    const input = buffers.take(pack.sizeBytes);
    try {
      await readInto(premises.storage, packName(pack.id), { offset: 0, length: pack.sizeBytes }, input);
    } catch (error) {
      return { pack, answer: undefined, error: asDamage(error) };
    }
    const answer = await workers.run({ op: "verify-pack", key: 0, input, length: pack.sizeBytes });
    buffers.give(input);
    return { pack, answer, error: undefined };
  }

  try {
    for (const pack of packs) {
      premises.signal.throwIfAborted();
      const busyBytes = (): number => underWay.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      while (
        underWay.length > workers.size ||
        (underWay.length > 0 && busyBytes() + pack.sizeBytes > bytesAtOnce)
      ) {
        yield await underWay.shift()!.done;
      }
      const done = verify(pack);
      // It may fail while an earlier one is being given out; whoever awaits it is told.
      done.catch(() => undefined);
      underWay.push({ sizeBytes: pack.sizeBytes, done });
    }
    while (underWay.length > 0) yield await underWay.shift()!.done;
  } finally {
    await Promise.allSettled(underWay.map(({ done }) => done));
  }
}
