/**
 * Locks of a repository. Shared while something is added, exclusive while something is removed; the same files and rules
 * as restic's, so both respect each other.
 */
import { MemkeepError, isMemkeepError } from "../../../domain/errors.ts";
import type { LockInfo } from "../../repository.ts";
import type { Clock } from "../../../util/clock/clock.ts";
import type { Objects } from "../objects/objects.ts";
import {
  distrustAfterMs,
  encodeLock,
  type Here,
  isStale,
  LockFile,
  type LockOwner,
  refreshEveryMs,
} from "./lock-file.ts";

export interface LockParts {
  readonly objects: Objects;
  readonly clock: Clock;
  readonly owner: LockOwner;
  readonly here: () => Here;
}

export interface LockOptions {
  readonly exclusive: boolean;
  /** Two holders with the same purpose exclude each other although both are shared: two backups of one stack. */
  readonly purpose: string | undefined;
  /** How long to try when others hold the repository, milliseconds. */
  readonly retryMs: number;
  readonly signal: AbortSignal;
}

/**
 * The times of the locks that this process holds, or is about to write, and how many have it. One that bears its pid and is not among them is left of
 * a run that could not remove it, as when the connection was cut for good: nobody's.
 */
const held = new Map<string, number>();

function count(time: string, by: 1 | -1): void {
  const left = (held.get(time) ?? 0) + by;
  if (left > 0) held.set(time, left);
  else held.delete(time);
}

/** How long restic waits between writing its lock and looking again. */
const settleMs = 200;
const longestWaitMs = 10_000;

export interface HeldLock extends AsyncDisposable {
  /**
   * Rejects with `LOCK_LOST` when the lock could not be kept. Called before anything is written: after a long sleep of
   * the machine it proves first that the lock is still there.
   */
  assertHeld(): Promise<void>;
}

/** `REPOSITORY_LOCKED` when others hold the repository longer than `retryMs`. */
export async function acquireLock(parts: LockParts, options: LockOptions): Promise<HeldLock> {
  const deadline = parts.clock.monotonicMs() + options.retryMs;
  for (let waitMs = 1000; ; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
    try {
      return await tryLock(parts, options);
    } catch (error) {
      const leftMs = deadline - parts.clock.monotonicMs();
      if (!isMemkeepError(error, "REPOSITORY_LOCKED") || leftMs <= 0) throw error;
      // By chance, or two that back off from each other would meet again and again.
      const pauseMs = waitMs * (0.5 + Math.random());
      await parts.clock.sleep(Math.min(pauseMs, leftMs), options.signal);
    }
  }
}

/** All locks, with what is known of their holders. An unreadable one is told as held by nobody known. */
export async function listLocks(parts: LockParts): Promise<LockInfo[]> {
  const here = parts.here();
  const locks: LockInfo[] = [];
  for await (const entry of parts.objects.list("locks")) {
    // restic ignores empty files: the remains of a crash of the file system.
    if (entry.sizeBytes === 0) continue;
    const lock = await readLock(parts.objects, entry.id);
    if (lock === undefined) continue;
    locks.push({
      id: entry.id,
      time: lock.time,
      exclusive: lock.exclusive ?? false,
      hostname: lock.hostname ?? "",
      username: lock.username ?? "",
      pid: lock.pid ?? 0,
      stale: isStale(lock, here) || isLeftBehind(lock, here),
    });
  }
  return locks;
}

/** Removes the stale locks, or all. Returns how many. */
export async function removeLocks(parts: LockParts, all: boolean): Promise<number> {
  let removed = 0;
  for (const lock of await listLocks(parts)) {
    if (!all && !lock.stale) continue;
    await parts.objects.remove("locks", lock.id);
    removed++;
  }
  return removed;
}

/** Undefined when it was released between the listing and the reading. */
async function readLock(objects: Objects, id: string): Promise<LockFile | undefined> {
  let json: Buffer;
  try {
    json = await objects.load("locks", id);
  } catch (error) {
    if (isMemkeepError(error, "STORAGE_MISSING")) return undefined;
    if (isMemkeepError(error, "REPOSITORY_DAMAGED")) return unreadableLock;
    throw error;
  }
  try {
    return LockFile.parse(JSON.parse(json.toString("utf8")));
  } catch {
    // Sealed by somebody who has the key, and no lock as we know it: held by we cannot tell whom.
    return unreadableLock;
  }
}

/** Held by nobody known, for itself, and never stale: only a person can tell that it is nobody's. */
const unreadableLock: LockFile = { time: "an unknown time", exclusive: true };

function isLeftBehind(lock: LockFile, here: Here): boolean {
  return lock.hostname === here.hostname && lock.pid === here.pid && !held.has(lock.time);
}

async function tryLock(parts: LockParts, options: LockOptions): Promise<HeldLock> {
  await refuseConflicts(parts, options, undefined);
  const written = await writeLock(parts, options);
  try {
    await parts.clock.sleep(settleMs, options.signal);
    await refuseConflicts(parts, options, written.id);
  } catch (error) {
    // The conflict is what the reader must know.
    await Promise.allSettled([removeLock(parts, written)]);
    throw error;
  }
  return new RefreshedLock(parts, options, written);
}

/** A dead lock that an append-only key cannot remove counts as little as one that is gone. */
async function removeIfAllowed(objects: Objects, id: string): Promise<void> {
  try {
    await objects.remove("locks", id);
  } catch (error) {
    if (!isMemkeepError(error, "STORAGE_DENIED")) throw error;
  }
}

interface WrittenLock {
  readonly id: string;
  readonly time: string;
}

async function writeLock({ objects, owner, clock }: LockParts, options: LockOptions): Promise<WrittenLock> {
  const named = options.purpose === undefined ? owner : { ...owner, username: options.purpose };
  const json = encodeLock(named, options.exclusive, clock.now());
  const { time } = LockFile.parse(JSON.parse(json));
  // Before it is written: nobody in this process may see it and take it for left behind.
  count(time, 1);
  try {
    return { id: await objects.save("locks", json), time };
  } catch (error) {
    count(time, -1);
    if (!isMemkeepError(error, "STORAGE_FULL")) throw error;
    // To run forget and prune, as for any other full storage, would be advice that goes round in a circle.
    throw new MemkeepError("STORAGE_FULL", {
      tried: "lock the repository",
      happened: "there is no room left, not even for a lock of 300 bytes",
      next: "Move another file off that disk, then run `memkeep forget` and `memkeep prune --max-repack-size 0`: they need no more room than that.",
      cause: error,
    });
  }
}

async function removeLock({ objects }: LockParts, { id, time }: WrittenLock): Promise<void> {
  count(time, -1);
  await objects.remove("locks", id);
}

async function refuseConflicts(
  parts: LockParts,
  options: LockOptions,
  own: string | undefined,
): Promise<void> {
  for (const lock of await listLocks(parts)) {
    if (lock.id === own) continue;
    const samePurpose = options.purpose !== undefined && lock.username === options.purpose;
    if (!lock.exclusive && !options.exclusive && !samePurpose) continue;
    // A lock that this machine can tell to be dead is removed at once: the next run works without help (law 4).
    if (lock.stale) {
      await removeIfAllowed(parts.objects, lock.id);
      continue;
    }
    throw new MemkeepError("REPOSITORY_LOCKED", {
      tried: options.exclusive ? "lock the repository for itself" : "lock the repository",
      happened: `${lock.username || "somebody"} on ${lock.hostname || "another host"} (pid ${lock.pid}) has held it${
        lock.exclusive ? " for itself" : ""
      } since ${lock.time}`,
      next:
        lock.time === unreadableLock.time
          ? `The lock cannot be read. When nobody works on the repository, run \`memkeep unlock --all\`.`
          : "Wait, or use --retry-lock 5m. If that process is gone for certain, run `memkeep unlock --all`; else the lock counts for nothing 30 minutes after it was last renewed.",
      details: { lock },
    });
  }
}

class RefreshedLock implements HeldLock {
  readonly #parts: LockParts;
  readonly #options: LockOptions;
  readonly #timer: NodeJS.Timeout;
  #written: WrittenLock;
  #refreshedMs: number;
  #refreshing: Promise<void> | undefined;
  #lost: MemkeepError | undefined;
  #released = false;

  constructor(parts: LockParts, options: LockOptions, written: WrittenLock) {
    this.#parts = parts;
    this.#options = options;
    this.#written = written;
    // Wall time, not monotonic: others judge the lock by the time that stands in it.
    this.#refreshedMs = parts.clock.now();
    this.#timer = setInterval(() => {
      // A refresh that fails is tried again; assertHeld stops the run when it went on for too long.
      this.#refresh().catch((error: unknown) => {
        if (isMemkeepError(error, "LOCK_LOST")) this.#lost = error;
      });
    }, refreshEveryMs);
    this.#timer.unref();
  }

  async assertHeld(): Promise<void> {
    if (this.#lost) throw this.#lost;
    const ageMs = this.#parts.clock.now() - this.#refreshedMs;
    if (ageMs < refreshEveryMs * 2 && ageMs >= 0) return;
    try {
      await this.#refresh();
    } catch (error) {
      if (ageMs >= 0 && ageMs < distrustAfterMs && !isMemkeepError(error, "LOCK_LOST")) return;
      this.#lost = lost(ageMs, error);
      throw this.#lost;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    clearInterval(this.#timer);
    await this.#refreshing?.catch(() => undefined);
    await removeLock(this.#parts, this.#written);
  }

  #refresh(): Promise<void> {
    this.#refreshing ??= this.#replace().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** As restic: the new file is written before the old one goes; after a long silence the old one must still be there. */
  async #replace(): Promise<void> {
    const { clock } = this.#parts;
    const ageMs = clock.now() - this.#refreshedMs;
    if (ageMs >= distrustAfterMs || ageMs < 0) {
      const stillThere = (await listLocks(this.#parts)).some((lock) => lock.id === this.#written.id);
      if (!stillThere) throw lost(ageMs, undefined);
      const next = await writeLock(this.#parts, this.#options);
      try {
        await clock.sleep(settleMs, this.#options.signal);
        const locks = await listLocks(this.#parts);
        if (!locks.some((lock) => lock.id === this.#written.id)) throw lost(ageMs, undefined);
      } catch (error) {
        await removeLock(this.#parts, next);
        throw error;
      }
      await this.#take(next);
      return;
    }
    await this.#take(await writeLock(this.#parts, this.#options));
  }

  async #take(next: WrittenLock): Promise<void> {
    const previous = this.#written;
    this.#written = next;
    this.#refreshedMs = this.#parts.clock.now();
    await removeLock(this.#parts, previous);
  }
}

function lost(ageMs: number, cause: unknown): MemkeepError {
  return new MemkeepError("LOCK_LOST", {
    tried: "go on writing to the repository",
    happened: `its lock could not be refreshed for ${Math.round(ageMs / 60_000)} minutes and may have been taken for stale`,
    next: "Run the command again; what was stored already is used again.",
    cause,
  });
}
