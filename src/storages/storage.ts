/**
 * A storage is where a repository's bytes live: a folder, a bucket, a server. It knows nothing of what the bytes
 * mean. Every storage passes `storages/contract` on the real thing; the decorators wrap any of them.
 *
 * Names are relative, `/`-separated and made of segments of `[A-Za-z0-9._-]` (see `name.ts`). No segment begins with
 * a dot or holds `-tmp-`. An implementation refuses any other name (law 12), and passes over anything else that
 * it finds: those are other programs' files.
 */

import type { Observer } from "../domain/observer.ts";

export interface StorageEntry {
  name: string;
  sizeBytes: number;
}

export interface ByteRange {
  offset: number;
  /** To the end when absent. */
  length?: number;
}

export interface StorageProperties {
  /** How many requests are worth having under way at once. */
  connections: number;
  /** How many packs are worth writing at once: one where writing takes no time of waiting, several for a server far away. */
  uploads: number;
  /** False where a listing may lag behind a write. All storages of today are read-after-write. */
  consistentList: boolean;
}

/**
 * Every method rejects with a `MemkeepError` of a `STORAGE_*` code and names the location and the entry. Whether an
 * error may pass when tried again is told by `isTransient` (decorators/retry.ts), so adaptors keep the `cause`.
 */
export interface Storage {
  /** For people and reports: no password, no key, no query string. */
  readonly location: string;
  readonly properties: StorageProperties;

  /**
   * All entries whose name begins with `prefix` (`""`, or a folder path ending in `/`), in no given order.
   * Left-over temporary files are never listed. A missing folder is empty, but `STORAGE_MISSING` when the storage
   * itself is gone (law 3). Streams: it never holds all names.
   */
  list(prefix: string): AsyncIterable<StorageEntry>;

  /**
   * The whole entry, or exactly the range. `STORAGE_MISSING` when there is none; a range that reaches beyond the
   * end, or an answer shorter than asked, is `STORAGE_FAILED`, never a short buffer (law 3).
   * The buffer owns its memory: it is no part of a pool, so it may be transferred to a worker.
   *
   * @param into memory that the bytes of a range may be put into, so that none has to be made for each of many reads. Whether
   * they were, the buffer that is returned tells: a storage that cannot do so returns another.
   */
  read(name: string, range?: ByteRange, into?: Uint8Array): Promise<Buffer>;

  /**
   * Writes a new entry whose content is the parts in order. When it resolves the bytes and their name are
   * durable (fsync of file and folder, or the server's acknowledgement). Until then no reader sees a part of it
   * under that name. `STORAGE_EXISTS` when the name is taken: bytes are never overwritten. Only where the medium
   * cannot create exclusively (a disk without hard links, an S3 server without conditional writes), two writers of one
   * name in the same instant may both be told that they have it; it then has the bytes of one of them.
   * `STORAGE_FULL` when there is no room; what was written of it is removed again.
   *
   * @param sha256 of all the bytes, hex, where the caller knows it: a storage that sends one along need not compute it.
   */
  write(name: string, parts: readonly Uint8Array[], sha256?: string): Promise<void>;

  /** Removes an entry; one that is not there is no error. Durable when it resolves. */
  remove(name: string): Promise<void>;

  /** The entry's size, or undefined when there is none. */
  stat(name: string): Promise<{ sizeBytes: number } | undefined>;

  /**
   * Names under which something else stands than an entry or a folder with entries in it: an empty folder, a pipe, a socket. For
   * those who look for damage. Absent where there is no such thing.
   */
  oddities?(): AsyncIterable<string>;

  /** Removes temporary files that dead writers left behind. Safe beside live writers. Returns how many. */
  sweep(): Promise<number>;

  /** Releases connections. The storage is not used afterwards. Idempotent. */
  close(): Promise<void>;
}

/** What `doctor` and `prune` want to know of a place beyond its entries. */
export interface StorageFacts {
  /** Whether removed entries go on taking room, as old versions in a bucket do; undefined where that cannot be learnt. */
  readonly keepsRemoved: boolean | undefined;
  /** The storage's own clock in milliseconds since 1970, as it was when the answer came; undefined where it tells none. */
  readonly timeMs: number | undefined;
  /** Room that is left; undefined where there is no such thing. */
  readonly freeBytes: number | undefined;
  /** One sentence for each fact. No secrets. */
  readonly sentences: readonly string[];
}

/**
 * One kind of storage, as registered in `storages/index.ts`. `create` may make the folder or bucket prefix,
 * `open` never writes. The observer, where there is one, is warned of every retry.
 */
export interface StorageKind<Config> {
  readonly kind: string;
  create(config: Config, observer?: Observer): Promise<Storage>;
  open(config: Config, observer?: Observer): Promise<Storage>;
  /** Absent where there is nothing to learn. What is refused is told as unknown, not thrown. */
  inspect?(config: Config): Promise<StorageFacts>;
}
