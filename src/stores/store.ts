/**
 * The contract of a store: one database of a stack. The engine knows databases only through it.
 *
 * How each kind fits (facts about the engines: each adaptor's readme.md):
 *
 * | kind | view | restoration compares |
 * |---|---|---|
 * | sqlite | read transaction on the backup's own connection: `snapshot` | before the switch (file beside) |
 * | postgres | exported snapshot of one repeatable-read transaction: `snapshot` | before (database beside) |
 * | falkordb | watched while it is read: `snapshot` when nobody wrote, otherwise `fuzzy` with re-checks | before (graph beside, `RENAME`) |
 * | qdrant | none; id ranges re-counted and re-read: `fuzzy` | before where an alias is moved, otherwise after |
 * | neo4j | none (read committed); id ranges re-checked: `fuzzy` | after on Community (one database) |
 * | supabase, notion | none; keyset pages against exact counts: `fuzzy` | after (rows and pages are written in place) |
 *
 * A name or value that comes out of a store is data: it is never part of a path, statement or query (law 12).
 */
import type { CollectionFacts, Consistency, FileKind, StoreManifest } from "../domain/manifest.ts";
import type { Observer } from "../domain/observer.ts";
import type { Clock } from "../util/clock/clock.ts";

/** What every adaptor is given. Nothing in it is global, so tests and the daemon can run several stacks at once. */
export interface StoreContext {
  /** The name in the configuration: `[A-Za-z0-9._-]{1,64}`. It is the folder of the store's dump files. */
  readonly name: string;
  readonly clock: Clock;
  readonly observer: Observer;
  /** A folder of this run, mode 0700, for spool files; the engine removes it on every way out. */
  readonly spoolFolder: string;
  /** Aborts when the run is interrupted; every wait and every loop over records looks at it. */
  readonly signal: AbortSignal;
}

/** One kind of store, as registered in `stores/index.ts`. Loading it loads the client library. */
export interface StoreKind<Config> {
  readonly kind: string;
  /** The newest format of its dump files (`StoreManifest.dumpVersion`) that it writes and reads. The engine refuses newer ones. */
  readonly dumpVersion: number;
  /** The adaptor for one database. Does no I/O: connections are made by the methods that need them. */
  connect(config: Config, context: StoreContext): Store;

  /**
   * Parses the dump files and gives the facts found in them, without any database: `verify --level decoded`. The engine
   * compares them with the manifest. Needs no configuration, so that it works on a dead machine's repository.
   */
  decode(source: DumpSource, context: StoreContext): Promise<readonly CollectionFacts[]>;

  /** The dump as one text for the engine's own client, without any database. Rejects at its end when the dump is damaged. */
  plainSql?(source: DumpSource, context: StoreContext): AsyncIterable<Uint8Array>;
}

export interface StoreDescription {
  readonly engine: { readonly name: string; readonly version: string };
  /** For people: the file or URL without secrets. */
  readonly source: string;
  /** Bytes that a dump will have, roughly; undefined when the engine does not tell. */
  readonly estimatedBytes: number | undefined;
  /** Names one database for ever and from every client (device and inode, system identifier and database oid): two stores with one identity are one. */
  readonly identity: string;
  /** Files and folders on this machine that belong to the store; a repository must not lie in one. */
  readonly localPaths: readonly string[];
}

/** Where a dump goes. The engine gives it to `View.dump`; the bytes stream straight into the repository. */
export interface DumpSink {
  /**
   * Stores one dump file. `name` is relative to the store's folder, segments of `[A-Za-z0-9._-]`.
   * Rejects when the source rejects: a file is stored whole or not at all. Files are written one after another.
   * A chunk's memory may be used again once the next one is asked for: copy what must stay.
   */
  file(name: string, kind: FileKind, bytes: AsyncIterable<Uint8Array>): Promise<StoredFile>;
}

export interface StoredFile {
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Where a restore reads from: the dump files of one store in one snapshot. */
export interface DumpSource {
  readonly manifest: StoreManifest;
  /** The bytes of a dump file by its name within the store's folder, or a part of them. Each chunk is checked against its hash before it is given out. */
  read(name: string, range?: { offset: number; length: number }): AsyncIterable<Buffer>;
}

/** The facts that a dump yields; the engine adds the files and makes the store's part of the manifest of it. */
export type DumpFacts = Omit<StoreManifest, "kind" | "files" | "source" | "view"> & {
  readonly view: { readonly moved: number };
};

/** A store seen at one instant (or, where the engine has no such thing, as well as it can be). Dispose ends it on every way out. */
export interface View extends AsyncDisposable {
  /** RFC 3339, UTC. Everything committed before it is in the dump (snapshot, quiesced), or was when it was read (fuzzy). */
  readonly instant: string;
  /** At the end of `dump` it may have become better, never worse. */
  readonly consistency: Consistency;

  /**
   * Writes all dump files and gives the facts taken *from the very bytes written*, after asking the engine for exact
   * counts before and after and comparing (law 3): `DUMP_INCOMPLETE` when they disagree, `STORE_DAMAGED` when the
   * engine's own checks fail. Records are ordered by key (law 1).
   */
  dump(sink: DumpSink): Promise<DumpFacts>;

  /** Names and exact counts of what `keys` and `records` can read. */
  collections(): Promise<readonly { name: string; records: number }[]>;

  /**
   * All keys of a collection with the digest of each record's content, in ascending order of the canonical key's
   * UTF-8 bytes where `ordered` says so; vectors are not loaded where the engine allows.
   */
  keys(collection: string): KeyStream;

  /** The records with the given canonical keys, in any order; a key that is not there gives nothing. */
  records(collection: string, keys: readonly Uint8Array[]): AsyncIterable<StoreRecord>;
}

export interface KeyStream extends AsyncIterable<readonly KeyDigest[]> {
  /** False where the engine's order is another one: then the engine layer sorts. */
  readonly ordered: boolean;
}

export interface KeyDigest {
  readonly key: Uint8Array;
  /** 32 bytes, as `recordDigest` of the record's canonical content. */
  readonly digest: Uint8Array;
}

export interface StoreRecord {
  readonly key: Uint8Array;
  /** Field → value in the dump's documented encoding. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * Where a restore goes: over the store itself, to another place, or into a scratch place that is dropped again
 * (a drill).
 */
export type RestoreTarget =
  | { readonly kind: "in-place" }
  | { readonly kind: "into"; readonly target: string }
  | { readonly kind: "scratch" };

/** A part of a store. What is not named in it stays as it is. */
export interface RestoreSelection {
  readonly collections?: readonly string[];
  /** Schemas of a PostgreSQL database. */
  readonly schemas?: readonly string[];
}

export interface RestoreOptions {
  readonly target: RestoreTarget;
  /** Everything when left out. `USAGE` from a store that restores only as a whole; so too the next two. */
  readonly only?: RestoreSelection;
  /** When all is done, what was replaced is not kept beside: the safety snapshot is then the only way back. */
  readonly discardOld?: boolean;
  /** Also what belongs to the whole server: roles without passwords, their settings, tablespaces. */
  readonly globals?: boolean;
  /** Go on although programs have the target open, or another obstacle that the plan names as `overridable`. */
  readonly force: boolean;
  /**
   * `merge`: insert what is missing, update what differs, delete nothing; facts are then those of the dump's records alone.
   * Left out, or `replace`: the target becomes what the dump holds. A store without merging refuses it: `STORE_UNSUPPORTED`.
   */
  readonly mode?: "replace" | "merge";
}

/** What a restore would do, as data. Nothing was changed to make it. */
export interface RestorePlan {
  /** For people and `--json`: where the data will be when all is done. */
  readonly destination: string;
  /** Sentences, in order: what will be created, replaced, kept. */
  readonly actions: readonly string[];
  /** What stands in the way. An empty list, or only overridable ones with `force`, lets `stage` go on. */
  readonly obstacles: readonly { readonly text: string; readonly overridable: boolean }[];
  /** Counts now and then, per collection; `undefined` where there is none. */
  readonly changes: readonly {
    readonly collection: string;
    readonly recordsNow: number | undefined;
    readonly recordsThen: number | undefined;
  }[];
  /** True when the target holds something that a safety snapshot must take first. */
  readonly replacesData: boolean;
  /** Fingerprint of what the plan was made from; `stage` refuses with `PLAN_STALE` when the world has changed. */
  readonly basis: string;
}

/**
 * A restore under way. The engine drives it: `stage` → (compare, when `comparable` is before) → `switch` →
 * (compare, when after) → `keep`, or `rollBack` when anything failed. Dispose removes everything scratch.
 */
export interface Restoration extends AsyncDisposable {
  readonly comparable: "before-switch" | "after-switch";
  /** What `facts` must give where only a part was asked for; otherwise it is what the manifest says. */
  readonly expected?: readonly CollectionFacts[];
  /** Counts and digests of what was restored, read back from where it now lies. */
  facts(): Promise<readonly CollectionFacts[]>;
  /** Puts it into place. Atomic where `comparable` is `before-switch`. A crash leaves the old or the new one whole, and `previous` findable. */
  switch(): Promise<SwitchOutcome>;
  /** Brings back what was there before. Used after a failed switch or comparison. */
  rollBack(): Promise<void>;
  /** The restore is final: what is no longer needed for a roll-back is let go, except `previous`. */
  keep(): Promise<void>;
}

export interface SwitchOutcome {
  /** Where the replaced data is kept, if any, and the command that would swap it back. */
  readonly previous?: { readonly location: string; readonly undo: string };
  readonly warnings: readonly string[];
}

export type ProbeStatus = "ok" | "warning" | "critical" | "unknown";

export interface Probe {
  readonly name: string;
  readonly status: ProbeStatus;
  /** A sentence: ok, or what is wrong and the command that mends it. */
  readonly text: string;
  readonly value?: { readonly amount: number; readonly unit: string };
}

/** What `Store.write` did, by records. */
export interface Written {
  readonly inserted: number;
  readonly updated: number;
  readonly unchanged: number;
}

/** Maintenance that a store offers; `plan` is pure. */
export interface MaintenanceTask {
  readonly name: string;
  readonly text: string;
  run(): Promise<string>;
}

export interface Store extends AsyncDisposable {
  readonly kind: string;
  readonly name: string;

  /** Reaches the store and says what it is. `STORE_MISSING`, `STORE_UNREACHABLE`, `STORE_DENIED`, `STORE_UNREADABLE` in words. */
  describe(): Promise<StoreDescription>;

  /**
   * Takes the view and notes its instant. Cheap: the engine opens all stores before it reads any, so that the views of
   * one snapshot lie close together.
   */
  open(): Promise<View>;

  /**
   * A view of the raw bytes of a store that `open` refuses because it is damaged: the safety copy of last resort.
   * Undefined where there is nothing of that kind (a server that does not answer has no files for us).
   */
  salvage?(): Promise<View | undefined>;

  planRestore(source: DumpSource, options: RestoreOptions): Promise<RestorePlan>;

  /**
   * Reads and checks everything of the source (digests, versions), and puts it beside the target, or into scratch. The
   * target itself is not touched before `Restoration.switch`. `PLAN_STALE` when `plan.basis` no longer holds.
   */
  stage(plan: RestorePlan, source: DumpSource, options: RestoreOptions): Promise<Restoration>;

  /**
   * Inserts the records that are missing and updates those that differ, by canonical key; deletes nothing. Repair and the
   * restore of single records build on it. `fields` are as `View.records` of this kind of store gives them. Doing it twice
   * is doing it once, so what was interrupted is done again. `STORE_UNSUPPORTED` for a collection whose records cannot be
   * told apart. A batch that the engine answers with an error is compared, never taken for unwritten.
   */
  write(collection: string, records: AsyncIterable<StoreRecord>): Promise<Written>;

  /** Measurements, each with its own status; one that fails is `unknown`, it never rejects. */
  probe(): Promise<readonly Probe[]>;

  maintenance(): Promise<readonly MaintenanceTask[]>;
}
