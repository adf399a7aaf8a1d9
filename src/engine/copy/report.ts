/** What a copy did, as data: the shape of `memkeep copy --json`. */
export interface CopyReport {
  readonly from: string;
  readonly to: string;
  /** Oldest first: the ids in both repositories. */
  readonly copied: readonly { readonly source: string; readonly snapshot: string; readonly time: string }[];
  /** How many of those chosen were there already. */
  readonly there: number;
  /** Damaged where they lie, and so not copied. */
  readonly failed: readonly { readonly snapshot: string; readonly text: string }[];
  /** As stored. */
  readonly addedBytes: number;
  readonly durationMs: number;
}
