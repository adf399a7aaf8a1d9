/** How much a prune rewrites where nobody says otherwise. */
import type { PruneOptions } from "../../repository/repository.ts";

/** As restic's own prune: 5 % may stay unused, so that little is rewritten for little gain. */
export const usualPrune: PruneOptions = { maxUnused: 0.05, maxRepackBytes: undefined };
