/** How a stack stands, as data: the shape of `memkeep status --json`. */
import type { VerifyLevel } from "../../repository/repository.ts";

/**
 * - `ok`: restorable, young enough, and proven.
 * - `unproven`: restorable as far as anybody knows; nothing newer than `proofMaxAgeMs` was proven.
 * - `late`: the newest recovery point is too old.
 * - `failing`: what is newest is damaged or lacks a store.
 * - `empty`: nothing was ever backed up.
 * - `unknown`: no repository could be reached.
 */
export type StatusState = "ok" | "unproven" | "late" | "failing" | "empty" | "unknown";

export interface PointStatus {
  readonly snapshot: string;
  readonly repository: string;
  /** RFC 3339. */
  readonly time: string;
  readonly ageMs: number;
}

/** A recovery point that was proven, and when. */
export interface ProvenStatus extends PointStatus {
  readonly level: VerifyLevel;
  readonly ok: boolean;
  /** RFC 3339. */
  readonly at: string;
}

export interface StoreStatus {
  readonly name: string;
  /** Null for one that is in a snapshot and not in the configuration. */
  readonly kind: string | null;
  /** The newest recovery point that has it. */
  readonly newest: PointStatus | null;
  /** The newest one in which it was proven good. */
  readonly proven: ProvenStatus | null;
}

export interface RepositoryStatus {
  readonly name: string;
  /** Null when it was not reached. */
  readonly location: string | null;
  readonly snapshots: number;
  readonly newest: PointStatus | null;
  /** The newest recovery point that was proven good here. */
  readonly proven: ProvenStatus | null;
  /** How many recovery points another one has that are newer than its newest; null when it lags behind none. */
  readonly behind: { readonly snapshots: number; readonly from: string } | null;
  readonly error: { readonly code: string; readonly text: string } | null;
}

export interface StatusProblem {
  /** Something of `warning` needs attention; of `critical`, a restore would lack something. */
  readonly severity: "warning" | "critical";
  readonly text: string;
}

export interface NextStep {
  readonly text: string;
  /** The words after `memkeep`. */
  readonly command: string;
}

export interface StatusReport {
  readonly stack: string | null;
  readonly state: StatusState;
  /** One sentence. */
  readonly verdict: string;
  readonly newest: PointStatus | null;
  /** The newest recovery point that was proven good. */
  readonly proven: ProvenStatus | null;
  readonly stores: readonly StoreStatus[];
  readonly repositories: readonly RepositoryStatus[];
  readonly problems: readonly StatusProblem[];
  readonly next: readonly NextStep[];
}
