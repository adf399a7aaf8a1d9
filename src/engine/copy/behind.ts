/** Which repositories lag behind another one, and by how much. */
import { amountText } from "../../domain/words.ts";
import type { SnapshotInfo } from "../../repository/repository.ts";
import { sameAmong } from "../../repository/same-point.ts";

export interface Behind {
  readonly name: string;
  /** Recovery points that `from` has, newer than the newest of this one. */
  readonly lacks: number;
  readonly from: string;
}

/**
 * Counts what came after a repository's newest: older ones may be missing because a rule forgot them, which is no lag.
 *
 * @param repositories their snapshots newest first.
 */
export function findBehind(
  repositories: readonly { readonly name: string; readonly snapshots: readonly SnapshotInfo[] }[],
  stack: string | undefined,
): Behind[] {
  const all = repositories.map(({ name, snapshots }) => ({
    name,
    points: snapshots.filter((info) => info.stack === stack && !info.safety),
  }));
  return all.flatMap(({ name, points }) => {
    const newestMs = points[0]?.timeMs ?? Number.NEGATIVE_INFINITY;
    const find = sameAmong(points);
    const [most] = all
      .map((other) => ({
        name,
        from: other.name,
        lacks: other.points.filter((info) => info.timeMs > newestMs && !find(info)).length,
      }))
      .sort((a, b) => b.lacks - a.lacks);
    return most && most.lacks > 0 ? [most] : [];
  });
}

/** `offsite lacks 3 snapshots that local has` */
export function behindText({ name, lacks, from }: Behind): string {
  return `${name} lacks ${amountText(lacks, "snapshot")} that ${from} has`;
}

/** What brings it up to date: the words after `memkeep`. Names of repositories need no quotes. */
export function catchUpCommand({ name, from }: Behind): string {
  return `copy --from ${from} --to ${name}`;
}
