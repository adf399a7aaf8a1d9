/** What a backup did, as data: the shape of `memkeep backup --json`. */
import type { CollectionFacts } from "../../domain/manifest.ts";

export interface StoreOutcome {
  readonly name: string;
  readonly kind: string;
  readonly ok: boolean;
  readonly collections: readonly CollectionFacts[];
  readonly records: number;
  readonly sizeBytes: number;
  readonly instant: string | undefined;
  readonly consistency: string | undefined;
  readonly error: string | undefined;
}

export interface RepositoryOutcome {
  readonly name: string;
  readonly location: string;
  readonly result: "written" | "skipped" | "failed";
  readonly snapshot: string | undefined;
  /** Bytes that this snapshot added, as stored. */
  readonly addedBytes: number | undefined;
  /** Why it was skipped, or the error. */
  readonly text: string | undefined;
}

export interface BackupReport {
  readonly run: string;
  readonly stack: string;
  readonly startedAt: string;
  readonly durationMs: number;
  /** `skipped`: every repository has a fresh snapshot. `partial`: a repository, or a store marked optional, failed. */
  readonly outcome: "done" | "skipped" | "partial";
  readonly readBytes: number;
  readonly skewMs: number;
  readonly stores: readonly StoreOutcome[];
  readonly repositories: readonly RepositoryOutcome[];
  readonly warnings: readonly string[];
}
