/** What a restore would do and did, as data: the shape of `memkeep restore --json`. */
import type { RestorePlan } from "../../stores/store.ts";

export interface PlannedStore {
  readonly name: string;
  readonly kind: string;
  readonly plan: RestorePlan;
  readonly records: number;
  readonly sizeBytes: number;
}

export interface StackRestorePlan {
  readonly snapshot: string;
  readonly time: string;
  readonly stores: readonly PlannedStore[];
  /** Whether `--apply` would go on, given `force`. */
  readonly applicable: boolean;
  /** Commands of the configuration that would be run around it. */
  readonly before?: readonly string[];
  readonly after?: readonly string[];
}

export interface RestoredStore {
  readonly name: string;
  readonly destination: string;
  readonly records: number;
  /** Where the replaced data is kept, and the command that swaps it back. */
  readonly previous: { readonly location: string; readonly undo: string } | undefined;
  readonly warnings: readonly string[];
}

export interface RestoreReport {
  readonly snapshot: string;
  readonly time: string;
  /** The safety snapshot taken before anything was changed; undefined when nothing was replaced. */
  readonly safetySnapshot: string | undefined;
  readonly stores: readonly RestoredStore[];
  readonly durationMs: number;
}
