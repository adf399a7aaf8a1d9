/**
 * What an operation works on: a stack with its stores and repositories, resolved. The engine never sees URLs with
 * secrets, environment variables or files of configuration; `config/` (or an embedding program) makes this of them.
 */
import type { CollectionFacts } from "../domain/manifest.ts";
import type { Observer } from "../domain/observer.ts";
import type { NewSnapshotOptions, Repository, SnapshotWriter } from "../repository/repository.ts";
import type { StorageFacts } from "../storages/storage.ts";
import type { DumpSource, Store, StoreContext } from "../stores/store.ts";
import type { Clock } from "../util/clock/clock.ts";

export interface StackStore {
  /** `[A-Za-z0-9._-]{1,64}`. */
  readonly name: string;
  readonly kind: string;
  /** A store marked optional may fail without failing the run: the snapshot is then partial and says so. */
  readonly optional: boolean;
  /** `StoreKind.dumpVersion`. */
  readonly dumpVersion: number;
  connect(context: StoreContext): Store;
}

export interface StackRepository {
  /** The name in the configuration. */
  readonly name: string;
  /** A folder of this machine that holds it, if it is one; no store may lie around it. */
  readonly localPath: string | undefined;
  /** With `stallLimitMs`, every operation of its storage that takes longer is `STORAGE_STALLED`, and so are all after it. */
  open(options?: { readonly stallLimitMs: number }): Promise<Repository>;
  /** What the storage tells of itself; undefined where it tells nothing. */
  inspect(): Promise<StorageFacts | undefined>;
}

export interface Stack {
  /** `[A-Za-z0-9._-]{1,64}`; the path of its snapshots. */
  readonly name: string;
  readonly stores: readonly StackStore[];
  readonly repositories: readonly StackRepository[];
  /** The configuration with every secret masked, as it goes into the manifest. */
  readonly configuration: unknown;
  /** `StoreKind.decode` of a kind of store, configured or not. `STORE_UNSUPPORTED` for a kind that this memkeep does not know. */
  decode(kind: string, source: DumpSource, context: StoreContext): Promise<readonly CollectionFacts[]>;
  /** `StoreKind.plainSql` of a kind of store. `USAGE` for one that has no such form. */
  plainSql(kind: string, source: DumpSource, context: StoreContext): Promise<AsyncIterable<Uint8Array>>;
  /** Begins one snapshot in several open repositories: the source is read once. One that fails is told by `commit`. */
  beginSnapshot(repositories: readonly Repository[], options: NewSnapshotOptions): Promise<SnapshotWriter>;
}

/** What every operation is given besides its own options. */
export interface Surroundings {
  readonly clock: Clock;
  readonly observer: Observer;
  readonly signal: AbortSignal;
  /** Folder under which a run makes its own spool folder. */
  readonly spoolRoot: string;
  /** `memkeep 0.1.0`. */
  readonly program: string;
  readonly hostname: string;
}
