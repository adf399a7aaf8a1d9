/** Which snapshots a copy would take, decided from facts alone. */
import type { SnapshotInfo } from "../../repository/repository.ts";
import { sameAmong } from "../../repository/same-point.ts";
import { selectSnapshot } from "../select-snapshot.ts";

export interface CopyFacts {
  /** Snapshots of the repository that is copied from, newest first. */
  readonly from: readonly SnapshotInfo[];
  readonly to: readonly SnapshotInfo[];
}

export interface CopyChoice {
  /** `latest` or beginnings of ids; all but safety snapshots when empty. */
  readonly names: readonly string[];
  /** Only snapshots of this stack, where no ids are given. */
  readonly stack: string | undefined;
}

export interface CopyPlan {
  /** Oldest first. */
  readonly copy: readonly {
    readonly id: string;
    readonly time: string;
    readonly readBytes: number | undefined;
  }[];
  /** How many of those chosen are there already. */
  readonly there: number;
}

/** `SNAPSHOT_NOT_FOUND` and `SNAPSHOT_AMBIGUOUS` for names that mean none or several. */
export function planCopy({ from, to }: CopyFacts, { names, stack }: CopyChoice): CopyPlan {
  const chosen =
    names.length > 0
      ? [...new Set(names.map((text) => selectSnapshot(from, { text, stack, atMs: undefined })))]
      : from.filter((info) => !info.safety && (stack === undefined || info.stack === stack));
  const find = sameAmong(to);
  const lacking = chosen.filter((info) => !find(info)).sort((a, b) => a.timeMs - b.timeMs);
  return {
    copy: lacking.map(({ id, time, readBytes }) => ({ id, time, readBytes })),
    there: chosen.length - lacking.length,
  };
}
