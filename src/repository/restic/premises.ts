/** What the rooms that take care of a repository (check, prune, repair) need of it. */
import type { Storage } from "../../storages/storage.ts";
import type { Clock } from "../../util/clock/clock.ts";
import type { MasterKey } from "./crypto/master-key.ts";
import type { Sealer } from "./crypto/seal.ts";
import type { HeldLock } from "./lock/lock.ts";
import type { Objects } from "./objects/objects.ts";
import type { WorkerPool } from "./pipeline/worker-pool.ts";

export interface Premises {
  readonly storage: Storage;
  readonly objects: Objects;
  readonly key: MasterKey;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Threads whose key 0 is this repository's. */
  workers(): WorkerPool;
  lock(options: { exclusive: boolean }): Promise<HeldLock>;
}

/** Asked before everything that is written or removed: rejects once the run was interrupted or its lock is lost. */
export function permission(premises: Premises, lock: HeldLock): () => Promise<void> {
  return async () => {
    premises.signal.throwIfAborted();
    await lock.assertHeld();
  };
}
