/** What a retention did, as data: the shape of `memkeep forget --json`. */

export interface RetainedSnapshot {
  readonly id: string;
  readonly time: string;
  /** Why it was kept; empty for one that was removed. */
  readonly reasons: readonly string[];
}

export interface RetainReport {
  readonly repository: string;
  readonly groups: readonly {
    readonly name: string;
    readonly kept: readonly RetainedSnapshot[];
    readonly removed: readonly RetainedSnapshot[];
  }[];
  readonly removed: number;
  /** Why nothing was removed at all, when that is so. */
  readonly refused: string | undefined;
  readonly durationMs: number;
}
