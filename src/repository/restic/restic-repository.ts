/** A repository in the restic format, version 2: the rooms of this folder behind the repository's contract. */
import { isMemkeepError, MemkeepError } from "../../domain/errors.ts";
import type { Storage } from "../../storages/storage.ts";
import type { Clock } from "../../util/clock/clock.ts";
import type {
  CheckReport,
  CopyResult,
  KeyInfo,
  LockInfo,
  NewSnapshotOptions,
  OnCopied,
  OnDamagedSnapshot,
  Proof,
  PruneOptions,
  PrunePlan,
  Repository,
  RepositoryStats,
  SnapshotInfo,
  SnapshotReader,
} from "../repository.ts";
import type { CacheSpace } from "./cache/cache-space.ts";
import { ObjectCache } from "./cache/object-cache.ts";
import { configRemedy, type RepositoryConfig } from "./config-file.ts";
import type { MasterKey } from "./crypto/master-key.ts";
import { createSealer, type Sealer } from "./crypto/seal.ts";
import { type LoadedIndex, loadIndex, wholeIndex } from "./index/load-index.ts";
import type { Here, LockOwner } from "./lock/lock-file.ts";
import { addKey, keyNamed, listKeys, recoveryUser, removeKey } from "./keys/key-ring.ts";
import { acquireLock, type HeldLock, listLocks, type LockParts, removeLocks } from "./lock/lock.ts";
import { loadSnapshots, mustLoadSnapshot } from "./objects/load-snapshots.ts";
import { Objects } from "./objects/objects.ts";
import type { LoadedSnapshot } from "./objects/snapshot-info.ts";
import { StreamLoader } from "./pipeline/stream-loader.ts";
import { WorkerPool } from "./pipeline/worker-pool.ts";
import type { Premises } from "./premises.ts";
import { readAllProofs, writeProof } from "./proofs.ts";
import { ResticSnapshotReader } from "./snapshot-reader.ts";
import { goTime } from "./tree/go-json.ts";
import { loadTree } from "./tree/load-tree.ts";

export interface ResticRepositoryParts {
  readonly storage: Storage;
  readonly key: MasterKey;
  /** Of the key file that the password opened. */
  readonly keyId: string;
  readonly config: RepositoryConfig;
  /** Why `config` is only a substitute, for reading: that of the repository is lost. */
  readonly configProblem?: MemkeepError;
  readonly clock: Clock;
  readonly owner: LockOwner;
  readonly here: () => Here;
  readonly program: string;
  /** How long to wait for others' locks, milliseconds. */
  readonly retryLockMs: number;
  readonly signal: AbortSignal;
  /** Where index and snapshot files are kept for the next time; without it they are fetched each time. */
  readonly cache?: CacheSpace;
}

export class ResticRepository implements Repository, Premises {
  readonly id: string;
  readonly location: string;
  readonly storage: Storage;
  readonly key: MasterKey;
  /** Of the key file that the password opened. */
  readonly keyId: string;
  readonly config: RepositoryConfig;
  readonly sealer: Sealer;
  readonly objects: Objects;
  readonly #parts: ResticRepositoryParts;
  /** The same files, out of the cache where it has them. Only what reads snapshots may trust it. */
  readonly #cached: Objects;
  #index: Promise<LoadedIndex> | undefined;
  #workers: WorkerPool | undefined;

  constructor(parts: ResticRepositoryParts) {
    this.#parts = parts;
    this.id = parts.config.id;
    this.location = parts.storage.location;
    this.storage = parts.storage;
    this.key = parts.key;
    this.keyId = parts.keyId;
    this.config = parts.config;
    this.sealer = createSealer(parts.key);
    this.objects = new Objects(parts.storage, this.sealer);
    this.#cached = parts.cache
      ? new Objects(new ObjectCache(parts.storage, parts.cache, this.id), this.sealer)
      : this.objects;
  }

  cutsAs(other: Repository): boolean {
    return other instanceof ResticRepository && other.config.polynomial === this.config.polynomial;
  }

  async snapshots(onDamaged?: OnDamagedSnapshot): Promise<readonly SnapshotInfo[]> {
    const loaded = await loadSnapshots(this.#cached, onDamaged);
    const infos = loaded.map((snapshot) => snapshot.info);
    return infos.sort((a, b) => b.timeMs - a.timeMs || (a.id < b.id ? -1 : 1));
  }

  /** `REPOSITORY_DAMAGED` where nothing may be written before a repair. */
  assertWritable(): void {
    const { configProblem } = this.#parts;
    if (!configProblem) return;
    throw new MemkeepError("REPOSITORY_DAMAGED", {
      tried: `back up to ${this.location}`,
      happened: `its config is lost (${configProblem.message})`,
      next: configRemedy,
      cause: configProblem,
    });
  }

  loadSnapshots(onDamaged?: OnDamagedSnapshot): Promise<LoadedSnapshot[]> {
    return loadSnapshots(this.objects, onDamaged);
  }

  /** A damaged index file does not stop it: what the others list is still there to be read. */
  async open(id: string): Promise<SnapshotReader> {
    const snapshot = await mustLoadSnapshot(this.#cached, id);
    const { index } = await this.index();
    const loader = new StreamLoader(this.storage, index, this.workers());
    return new ResticSnapshotReader({
      ...snapshot,
      index,
      loader,
      readTree: (tree) => loadTree(index, loader, tree),
    });
  }

  proofs(): Promise<readonly Proof[]> {
    return readAllProofs(this.objects);
  }

  addProof(proof: Proof): Promise<void> {
    return writeProof(this.objects, proof);
  }

  async check(options: { readonly data: boolean; readonly signal: AbortSignal }): Promise<CheckReport> {
    // Check, forget, prune and repair are large, and most commands load none of them.
    const { check } = await import("./check/check.ts");
    const { checkStrays } = await import("./strays/find-strays.ts");
    const report = await check(this, options);
    const strays = await checkStrays(this.storage);
    return {
      ...report,
      findings: [...report.findings, ...strays.findings],
      notes: [...report.notes, ...strays.notes],
    };
  }

  async copyFrom(source: Repository, ids: readonly string[], onCopied?: OnCopied): Promise<CopyResult> {
    if (!(source instanceof ResticRepository)) {
      throw new MemkeepError("USAGE", {
        tried: `copy snapshots to ${this.location}`,
        happened: `${source.location} is a repository of another kind`,
      });
    }
    this.assertWritable();
    const { copySnapshots } = await import("./copy/copy-snapshots.ts");
    return copySnapshots(source, this, ids, onCopied).finally(() => this.forgetIndex());
  }

  async forget(ids: readonly string[]): Promise<void> {
    const { forget } = await import("./forget/forget.ts");
    return forget(this, ids);
  }

  async planPrune(options: PruneOptions): Promise<PrunePlan> {
    const { planPrune } = await import("./prune/prune.ts");
    return planPrune(this, options);
  }

  async stats(options: PruneOptions): Promise<RepositoryStats> {
    const { repositoryStats } = await import("./stats/stats.ts");
    await using _guard = await this.guard();
    const snapshots = await loadSnapshots(this.#cached);
    this.forgetIndex();
    const index = wholeIndex(await this.index());
    const { storage, signal } = this;
    // Awaited here: the guard holds until it is done.
    return await repositoryStats({ storage, index, workers: this.workers(), signal }, snapshots, options);
  }

  async prune(options: PruneOptions): Promise<PrunePlan> {
    const { prune } = await import("./prune/prune.ts");
    return prune(this, options).finally(() => this.forgetIndex());
  }

  async repair(): Promise<readonly string[]> {
    const { repair } = await import("./repair/repair.ts");
    return repair(this).finally(() => this.forgetIndex());
  }

  /** The index as it was when first asked for; `forgetIndex` makes the next call read it anew. */
  index(): Promise<LoadedIndex> {
    this.#index ??= loadIndex(this.#cached);
    return this.#index;
  }

  forgetIndex(): void {
    this.#index = undefined;
  }

  /** Threads that hold this repository's key as number 0; started when first used, ended by `close`. */
  workers(): WorkerPool {
    this.#workers ??= new WorkerPool(this.key);
    return this.#workers;
  }

  async lock(options: { exclusive: boolean; purpose?: string }): Promise<HeldLock> {
    if (options.exclusive) await this.#assertRemovable();
    const lock = await acquireLock(this.#lockParts(), {
      exclusive: options.exclusive,
      purpose: options.purpose,
      retryMs: this.#parts.retryLockMs,
      signal: this.signal,
    });
    try {
      // Whoever locks is about to write: the time to clear away what dead writers left half written.
      await this.storage.sweep();
      return lock;
    } catch (error) {
      await Promise.allSettled([lock[Symbol.asyncDispose]()]);
      throw error;
    }
  }

  async guard(): Promise<AsyncDisposable & { readonly guarded: boolean }> {
    try {
      const lock = await this.lock({ exclusive: false });
      return {
        guarded: true,
        async [Symbol.asyncDispose]() {
          try {
            await lock[Symbol.asyncDispose]();
          } catch (error) {
            // With an append-only key it stays, and grows stale.
            if (!isMemkeepError(error, "STORAGE_DENIED")) throw error;
          }
        },
      };
    } catch (error) {
      if (!isMemkeepError(error, "STORAGE_READ_ONLY", "STORAGE_DENIED", "STORAGE_FULL")) throw error;
      return { guarded: false, [Symbol.asyncDispose]: () => Promise.resolve() };
    }
  }

  async canRemove(): Promise<boolean> {
    try {
      await this.#assertRemovable();
      return true;
    } catch (error) {
      if (isMemkeepError(error, "STORAGE_DENIED", "STORAGE_READ_ONLY")) return false;
      throw error;
    }
  }

  keys(): Promise<readonly KeyInfo[]> {
    return listKeys(this.storage, this.keyId);
  }

  async addKey(password: string, options?: { readonly recovery: boolean }): Promise<string> {
    await using _lock = await this.lock({ exclusive: false });
    return this.#addKey(password, options?.recovery === true ? recoveryUser : this.#parts.owner.username);
  }

  async removeKey(id: string): Promise<KeyInfo> {
    await using _lock = await this.lock({ exclusive: true });
    const keys = await this.keys();
    const key = keyNamed(keys, id);
    await removeKey(this.storage, key, keys);
    return key;
  }

  async replacePassword(password: string): Promise<string> {
    await using _lock = await this.lock({ exclusive: true });
    const added = await this.#addKey(password, this.#parts.owner.username);
    await this.storage.remove(`keys/${this.keyId}`);
    return added;
  }

  #addKey(password: string, username: string): Promise<string> {
    const { hostname } = this.#parts.owner;
    return addKey(this.storage, this.key, password, {
      created: goTime(this.clock.now()),
      username,
      hostname,
    });
  }

  locks(): Promise<readonly LockInfo[]> {
    return listLocks(this.#lockParts());
  }

  unlock(all: boolean): Promise<number> {
    return removeLocks(this.#lockParts(), all);
  }

  async close(): Promise<void> {
    await this.#workers?.[Symbol.asyncDispose]();
    this.#workers = undefined;
    await this.storage.close();
  }

  get clock(): Clock {
    return this.#parts.clock;
  }

  get program(): string {
    return this.#parts.program;
  }

  get signal(): AbortSignal {
    return this.#parts.signal;
  }

  /** The newest snapshot of a stack that is no safety snapshot: what a new one names as its parent. A damaged one is none. */
  async parentOf(options: NewSnapshotOptions): Promise<string | undefined> {
    const snapshots = await this.snapshots(() => undefined);
    return snapshots.find((snapshot) => snapshot.stack === options.stack && !snapshot.safety)?.id;
  }

  /**
   * Asked before an exclusive lock is written: where it could not be removed again, it would hold everybody up. What is
   * removed is not there, so that nothing changes; servers look at the right first.
   */
  async #assertRemovable(): Promise<void> {
    try {
      await this.objects.remove("locks", "0".repeat(64));
    } catch (error) {
      if (!isMemkeepError(error, "STORAGE_DENIED")) throw error;
      throw new MemkeepError("STORAGE_DENIED", {
        tried: `remove anything from ${this.location}`,
        happened: `nothing may be removed there, and so nothing was (${error.message})`,
        next: "Backups go on. Run this with a key that may remove, from a machine that the backed-up one cannot reach.",
        cause: error,
      });
    }
  }

  #lockParts(): LockParts {
    return {
      objects: this.objects,
      clock: this.#parts.clock,
      owner: this.#parts.owner,
      here: this.#parts.here,
    };
  }
}
