/** What a verification found, as data: the shape of `memkeep verify --json`. */
import type { CheckReport, VerifyLevel } from "../../repository/repository.ts";

export interface VerifiedStore {
  readonly name: string;
  readonly kind: string;
  /** The level that this store reached. Lower than asked where a store has no scratch target. */
  readonly level: VerifyLevel;
  readonly records: number;
  readonly durationMs: number;
  /** What is wrong; empty when it is proven. */
  readonly differences: readonly string[];
  /** Why it reached a lower level than asked. */
  readonly note: string | undefined;
}

export interface VerifiedSnapshot {
  readonly id: string;
  readonly time: string;
  readonly ok: boolean;
  readonly stores: readonly VerifiedStore[];
}

export interface VerifyReport {
  readonly repository: string;
  readonly level: VerifyLevel;
  readonly ok: boolean;
  readonly durationMs: number;
  readonly snapshots: readonly VerifiedSnapshot[];
  /** The whole repository's check; only for `stored` without a snapshot. */
  readonly check: CheckReport | undefined;
}
