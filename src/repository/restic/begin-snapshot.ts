/** Begins a snapshot in one or several restic repositories. */
import { noneLeft } from "../none-left.ts";
import type { NewSnapshotOptions, SnapshotWriter } from "../repository.ts";
import { gearTable } from "./chunking/gear.ts";
import { longestChunkBytes } from "./chunking/policy.ts";
import { wholeIndex } from "./index/load-index.ts";
import type { HeldLock } from "./lock/lock.ts";
import { PackWriter } from "./pipeline/pack-writer.ts";
import { Patience } from "./pipeline/patience.ts";
import { SlabPool } from "./pipeline/slab-pool.ts";
import { StreamSaver, targetsAtMost } from "./pipeline/stream-saver.ts";
import type { WorkerPool } from "./pipeline/worker-pool.ts";
import type { ResticRepository } from "./restic-repository.ts";
import { type FailedTarget, type Lane, ResticSnapshotWriter, type WriteTarget } from "./snapshot-writer.ts";

/**
 * Locks every repository (shared, and against a second backup of the same stack), reads their indexes and starts the
 * workers. One that is locked or cannot be read is left out and told by `commit`; rejects when none is left. Files are cut
 * once for all repositories that have one polynomial, and once more for each other polynomial.
 */
export async function beginSnapshot(
  repositories: readonly ResticRepository[],
  options: NewSnapshotOptions,
): Promise<SnapshotWriter> {
  const [first, ...others] = repositories;
  // One pool for all: a thread costs 20 MB (law 11). It belongs to the first repository, which ends it.
  const workers = first!.workers();
  const keyNumbers = [0, ...others.map(({ key }) => workers.addKey(key))];
  const participants = await Promise.all(
    repositories.map((repository, number) => begin(repository, workers, keyNumbers[number]!, options)),
  );
  const begun = participants.flatMap((participant, number) =>
    "lock" in participant ? { target: participant, repository: repositories[number]! } : [],
  );
  if (begun.length === 0) {
    first!.signal.throwIfAborted();
    throw noneLeft(participants.map((failed) => ({ repository: failed.location, error: failed.failure! })));
  }
  return new ResticSnapshotWriter({
    lanes: lanesOf(begun, workers, options.holdLimitMs ?? Number.POSITIVE_INFINITY),
    participants,
    clock: first!.clock,
    program: first!.program,
    options,
  });
}

interface Begun {
  readonly target: WriteTarget;
  readonly repository: ResticRepository;
}

function lanesOf(begun: readonly Begun[], workers: WorkerPool, holdLimitMs: number): Lane[] {
  // One for all lanes: they take the source in step.
  const patience = new Patience(
    begun.map(({ target }) => target),
    holdLimitMs,
  );
  const lanes: Lane[] = [];
  for (const [polynomial, same] of Map.groupBy(begun, ({ repository }) => repository.config.polynomial)) {
    for (let from = 0; from < same.length; from += targetsAtMost) {
      const targets = same.slice(from, from + targetsAtMost).map(({ target }) => target);
      const slabs = new SlabPool(workers, targets.length, longestChunkBytes);
      lanes.push({
        targets,
        saver: new StreamSaver(targets, workers, slabs, patience),
        gear: gearTable(polynomial),
      });
    }
  }
  return lanes;
}

async function begin(
  repository: ResticRepository,
  workers: WorkerPool,
  keyNumber: number,
  options: NewSnapshotOptions,
): Promise<WriteTarget | FailedTarget> {
  let lock: HeldLock | undefined;
  try {
    lock = await repository.lock({ exclusive: false, purpose: `memkeep:${options.stack}` });
    return await openTarget(repository, lock, workers, keyNumber, options);
  } catch (error) {
    // A lock that cannot be removed either grows stale by itself; the first failure is the one to tell.
    await Promise.allSettled([lock?.[Symbol.asyncDispose]()]);
    const failure = error instanceof Error ? error : new Error(String(error));
    return { location: repository.location, failure };
  }
}

async function openTarget(
  repository: ResticRepository,
  lock: HeldLock,
  workers: WorkerPool,
  keyNumber: number,
  options: NewSnapshotOptions,
): Promise<WriteTarget> {
  repository.assertWritable();
  const parent = await repository.parentOf(options);
  // Read under the lock, so that no prune can remove what it names.
  repository.forgetIndex();
  const index = wholeIndex(await repository.index());
  repository.forgetIndex();
  const { location, storage, sealer, objects, clock } = repository;
  return {
    location,
    lock,
    index,
    objects,
    key: repository.key,
    keyNumber,
    parent,
    failure: undefined,
    writer: new PackWriter({
      storage,
      sealer,
      objects,
      index,
      clock,
      digest: (input, length) => workers.digest(input, length),
      mayWrite: () => lock.assertHeld(),
    }),
  };
}
