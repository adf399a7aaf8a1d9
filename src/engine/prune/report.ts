/** What a prune did, as data: the shape of `memkeep prune --json`. */
import type { PrunePlan } from "../../repository/repository.ts";

export interface PruneReport extends PrunePlan {
  /** Why what was removed goes on taking room, as old versions in a bucket do; undefined where it does not, or nobody can tell. */
  readonly stillStored: string | undefined;
}
