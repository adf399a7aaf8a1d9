/** What a reader thread can be asked. Both sides import it; neither side can misunderstand the other. */
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { KeyDigest, StoreRecord } from "../store.ts";
import type { ForeignKeys, Integrity } from "./check.ts";
import type { Catalog } from "./schema.ts";

/**
 * How a file is opened, always read-only:
 * - `live`: with SQLite's locks and WAL.
 * - `still`: `immutable=1`, no locks and no files beside it; only where nobody writes (spool copy, read-only medium).
 */
export type OpenMode = "live" | "still";

export interface ReaderSetup {
  readonly path: string;
  readonly mode: OpenMode;
  readonly busyTimeoutMs: number;
  /** Kibibytes of SQLite's page cache. */
  readonly cacheKiB: number;
}

export interface Pinned {
  readonly journalMode: string;
  readonly pageSize: number;
  readonly pageCount: number;
  readonly tableCount: number;
}

/** Operation → [argument, answer]. */
export interface ReaderJobs {
  /** Begins a read transaction and reads once: from here on the connection sees one instant. */
  pin: [undefined, Pinned];
  /** Ends the transaction. */
  release: [undefined, undefined];
  catalog: [undefined, Catalog];
  counts: [undefined, { name: string; records: number }[]];
  /** `backup()` from this very connection; tells `[done, total]` pages after each step of `ratePages`. */
  copy: [{ target: string; ratePages: number }, undefined];
  integrity: [undefined, Integrity];
  quickCheck: [undefined, string[]];
  foreignKeys: [undefined, ForeignKeys];
  digests: [undefined, CollectionFacts[]];
  pragma: [PragmaName, string];
  openKeys: [{ collection: string; scratchPath: string }, number];
  nextKeys: [number, KeyDigest[] | undefined];
  closeKeys: [number, undefined];
  records: [{ collection: string; keys: readonly Uint8Array[] }, StoreRecord[]];
}
export type ReaderJob = keyof ReaderJobs;

export type PragmaName = "freelist_count" | "page_count" | "page_size" | "journal_mode";

export interface ReaderRequest {
  readonly ticket: number;
  readonly job: ReaderJob;
  readonly argument: unknown;
}

/** `cancel` stops a copy between two steps; everything else is sent as requests, answered in order. */
export type ToReader = ReaderRequest | { readonly cancel: true };

export type FromReader =
  | { readonly ticket: number; readonly answer: unknown }
  | { readonly ticket: number; readonly failure: { message: string; errcode: number | undefined } }
  | { readonly ticket: number; readonly progress: readonly [done: number, total: number] };
