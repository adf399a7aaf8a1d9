/**
 * The contract of a repository: where snapshots live. The engine knows repositories only through it; `restic/` is the
 * default kind, `plain` and `git` fit behind the same methods.
 *
 * Guarantees of every kind: a snapshot appears only when all of its bytes are durable (law 4); whatever is
 * interrupted leaves earlier snapshots whole, and the next run needs no help.
 */
import type { MemkeepError } from "../domain/errors.ts";
import type { FileKind } from "../domain/manifest.ts";

/** What is known of a snapshot without reading its tree. */
export interface SnapshotInfo {
  readonly id: string;
  /** RFC 3339 as stored; its zone is kept. */
  readonly time: string;
  readonly timeMs: number;
  readonly stack: string | undefined;
  /** Names of the stores in it, in the order of their tags; empty where another program made it. */
  readonly stores: readonly string[];
  readonly paths: readonly string[];
  readonly hostname: string;
  readonly username: string;
  readonly tags: readonly string[];
  readonly program: string;
  /** Safety snapshots are never `latest` and never counted for intervals, ages or keep rules. */
  readonly safety: boolean;
  readonly readBytes: number | undefined;
  readonly addedBytes: number | undefined;
  /** The backup run that made it; undefined where another program did. One run has one recovery point in every repository. */
  readonly run: string | undefined;
  /** The id that it first had, or the one that a backup gave it in all repositories; its own where it is alone. */
  readonly original: string;
  /** Equal for two copies of one snapshot: everything in it but its parent and its original. */
  readonly likeness: string;
}

export interface SnapshotFileInfo {
  /** `/`-separated, relative to the stack's folder. */
  readonly path: string;
  readonly sizeBytes: number;
}

export interface SavedFile {
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Name of the policy by which it was cut into chunks. */
  readonly cut?: string;
}

export interface NewSnapshotOptions {
  readonly stack: string;
  readonly run: string;
  readonly tags: readonly string[];
  /** Of several repositories, one that makes the others wait for longer in all is given up; never when left out. */
  readonly holdLimitMs?: number | undefined;
  /** Set for a safety snapshot: the tag that says what it was taken before. It gets a path of its own. */
  readonly safety?: string;
}

/**
 * A snapshot being written, to one or several repositories at once: the source is read, cut, hashed and compressed
 * once. A repository that fails, or cannot be begun with, is left out and told at the end; when none is left the
 * methods reject with what `noneLeft` makes of their errors.
 */
export interface SnapshotWriter {
  /**
   * Stores one file at a path below the stack's folder. Rejects when the source does. Files may be saved at the same time.
   *
   * @param parentCut `SavedFile.cut` of the same file in the snapshot before: it is cut alike, or nothing would be found again.
   */
  save(
    path: string,
    kind: FileKind,
    bytes: AsyncIterable<Uint8Array>,
    parentCut?: string,
  ): Promise<SavedFile>;

  /**
   * Makes the snapshot appear in every repository that is still well. One outcome per repository, in the order given.
   *
   * @param timeMs the snapshot's instant, milliseconds since 1970: the earliest view of its stores.
   * @param stores names of the stores that are in it, for those who list snapshots without reading them.
   */
  commit(timeMs: number, stores: readonly string[]): Promise<readonly WriteOutcome[]>;

  /**
   * Ends without a snapshot. What was stored stays for the next run to use again. Idempotent; a no-op after `commit`. Never
   * rejects: it follows a failure that has to be told, and a lock that cannot be removed grows stale by itself.
   */
  abandon(): Promise<void>;
}

export type WriteOutcome =
  | {
      readonly ok: true;
      readonly snapshot: SnapshotInfo;
      /** The snapshot is there; this failed afterwards, as when the lock could not be removed. */
      readonly trouble?: Error;
    }
  | { readonly ok: false; readonly error: Error };

export interface SnapshotReader {
  readonly info: SnapshotInfo;
  files(): Promise<readonly SnapshotFileInfo[]>;
  /**
   * A file's bytes, or a part. Every chunk is checked against its id before it is given out. A chunk's memory is used
   * again once the next one is asked for: copy what must stay. `REPOSITORY_DAMAGED` names the pack that is harmed.
   */
  read(path: string, range?: { offset: number; length: number }): AsyncIterable<Buffer>;
}

export type VerifyLevel = "stored" | "decoded" | "restored";

/** The record that a snapshot was verified. Kept sealed in the repository, belongs to it alone, and is never copied. */
export interface Proof {
  readonly snapshot: string;
  readonly level: VerifyLevel;
  readonly ok: boolean;
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly program: string;
  readonly durationMs: number;
  readonly stores: readonly {
    readonly name: string;
    readonly level: VerifyLevel;
    readonly records: number;
  }[];
}

/** Damage found by `check`, each with the snapshots that it harms. */
export interface Finding {
  readonly text: string;
  readonly file: string;
  readonly snapshots: readonly string[];
  /** What mends it, if anything does. */
  readonly remedy?: string;
}

export interface CheckReport {
  readonly findings: readonly Finding[];
  /** Harmless oddities, such as packs that nothing refers to after an interrupted run. */
  readonly notes: readonly string[];
  readonly snapshots: number;
  readonly packs: number;
  readonly blobs: number;
  readonly readBytes: number;
}

export interface PruneOptions {
  /** Share of unused bytes that may stay, 0 to 1. */
  readonly maxUnused: number;
  /** Bytes that are rewritten at the most; undefined for no limit. 0 removes whole unused packs only, which needs no space. */
  readonly maxRepackBytes: number | undefined;
}

export interface PrunePlan {
  readonly removePacks: number;
  readonly removeBytes: number;
  readonly repackPacks: number;
  readonly repackBytes: number;
  readonly keptBytes: number;
  readonly unusedBytesAfter: number;
  /** By how much the packs shrink. */
  readonly freedBytes: number;
}

/** What one snapshot made a repository grow by. */
export interface SnapshotGrowth extends Pick<SnapshotInfo, "id" | "time" | "stack" | "safety" | "readBytes"> {
  /** Stored bytes that no older snapshot uses. */
  readonly addedBytes: number;
}

export interface RepositoryStats {
  /** Everything that lies in its place: packs, indexes, snapshot files, keys, proofs; no locks. */
  readonly sizeBytes: number;
  readonly packs: number;
  readonly packBytes: number;
  /** Blobs that snapshots use, each once, and what they take as they are stored. */
  readonly usedBlobs: number;
  readonly usedBytes: number;
  /** The same before compression. */
  readonly plainBytes: number;
  /** All files of all snapshots, as if each were restored to a place of its own. */
  readonly rawBytes: number;
  /** Newest first. */
  readonly snapshots: readonly SnapshotGrowth[];
  /** What a prune with the given options would do now. */
  readonly prune: PrunePlan;
}

export interface LockInfo {
  readonly id: string;
  readonly time: string;
  readonly exclusive: boolean;
  readonly hostname: string;
  readonly username: string;
  readonly pid: number;
  readonly stale: boolean;
}

/** One password of a repository, as far as it may be shown. */
export interface KeyInfo {
  readonly id: string;
  /** RFC 3339; empty, as the names, when its file cannot be read. */
  readonly created: string;
  readonly username: string;
  readonly hostname: string;
  /** It opened the repository. */
  readonly current: boolean;
  /** It was made to be kept on paper. */
  readonly recovery: boolean;
}

/** What became of one snapshot that was to be copied. */
export type CopiedSnapshot =
  | { readonly source: string; readonly result: "copied" | "there"; readonly snapshot: string }
  | { readonly source: string; readonly result: "damaged"; readonly text: string };

export interface CopyResult {
  /** In the order in which they were copied. */
  readonly snapshots: readonly CopiedSnapshot[];
  /** As stored. */
  readonly addedBytes: number;
}

/** Told how many of the snapshots are done. */
export type OnCopied = (done: number) => void;

/** Told of a snapshot whose file cannot be read. */
export type OnDamagedSnapshot = (id: string, error: MemkeepError) => void;

export interface Repository {
  /** Hex id that the repository keeps for life. */
  readonly id: string;
  /** For people, without secrets. */
  readonly location: string;

  /** Whether both cut files in the same places: then a backup cuts and compresses once for both. */
  cutsAs(other: Repository): boolean;

  /**
   * All snapshots, newest first, safety snapshots among them. Takes no lock. One that cannot be read makes it reject with
   * `REPOSITORY_DAMAGED`, unless `onDamaged` is given: then that is told and the others are returned, so that what is
   * whole can still be restored.
   */
  snapshots(onDamaged?: OnDamagedSnapshot): Promise<readonly SnapshotInfo[]>;
  open(id: string): Promise<SnapshotReader>;

  /** `REPOSITORY_DAMAGED` when one cannot be read: retention must not take its snapshot for an unverified one. */
  proofs(): Promise<readonly Proof[]>;
  addProof(proof: Proof): Promise<void>;

  /** Reads every byte (`data`) or only what binds the repository together, and gives what is wrong. Rejects only when it could not look. */
  check(options: { readonly data: boolean; readonly signal: AbortSignal }): Promise<CheckReport>;

  /**
   * Copies snapshots of another repository of the same kind into this one, oldest first; their time, tags, host and paths
   * stay, and proofs are not copied. One that is there already is passed over, one that is damaged in the source is
   * told and left out. A snapshot appears only when all its bytes are durable; what an interrupted copy stored is used by
   * the next one. `USAGE` when both are one repository.
   */
  copyFrom(source: Repository, ids: readonly string[], onProgress?: OnCopied): Promise<CopyResult>;

  /** Removes snapshots (not their data) under an exclusive lock. Proofs of removed snapshots go with them. */
  forget(ids: readonly string[]): Promise<void>;
  planPrune(options: PruneOptions): Promise<PrunePlan>;
  /** `REPOSITORY_DAMAGED` when something that snapshots use is missing: sizes would be guesses. Writes nothing but a lock. */
  stats(options: PruneOptions): Promise<RepositoryStats>;
  /** Frees what no snapshot uses. A crash at any point leaves every snapshot readable. */
  prune(options: PruneOptions): Promise<PrunePlan>;

  /**
   * Keeps others from removing what is being read, until disposed. Where nothing can be written (a read-only medium, a key
   * without the right) it guards nothing, since then nobody here removes anything either; `guarded` tells.
   */
  guard(): Promise<AsyncDisposable & { readonly guarded: boolean }>;

  /**
   * False where entries can be added and not removed, as with an append-only key: backups work, and what removes rejects with
   * `STORAGE_DENIED` before it changes anything.
   */
  canRemove(): Promise<boolean>;

  /** The passwords that open it, oldest first. */
  keys(): Promise<readonly KeyInfo[]>;
  /** Adds a password. Gives the new key's id. */
  addKey(password: string, options?: { readonly recovery: boolean }): Promise<string>;
  /** Removes the key whose id begins so. `USAGE` for the one in use, and for the last. */
  removeKey(id: string): Promise<KeyInfo>;
  /** Adds a password and then removes the one in use: a crash in between leaves both. Gives the new key's id. */
  replacePassword(password: string): Promise<string>;

  locks(): Promise<readonly LockInfo[]>;
  /** Removes locks: stale ones, or all. Returns how many. */
  unlock(all: boolean): Promise<number>;

  /** Rebuilds what can be rebuilt (the index) from what is there. Returns sentences of what was done. */
  repair(): Promise<readonly string[]>;

  close(): Promise<void>;
}
