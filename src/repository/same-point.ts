/** Which snapshots of two repositories are one. */
import type { SnapshotInfo } from "./repository.ts";

/**
 * A finder of the snapshot that is the same as a given one. First restic's own rule, so that `restic copy` and memkeep know
 * each other's copies: the same original and everything else alike. Then memkeep's: one backup into several repositories
 * makes one recovery point in each, with the same run, time and paths, though files may be cut otherwise in each.
 */
export function sameAmong(
  snapshots: readonly SnapshotInfo[],
): (snapshot: SnapshotInfo) => SnapshotInfo | undefined {
  const byOriginal = new Map<string, SnapshotInfo[]>();
  const byRun = new Map<string, SnapshotInfo>();
  for (const snapshot of snapshots) {
    for (const id of new Set([snapshot.original, snapshot.id])) {
      byOriginal.set(id, [...(byOriginal.get(id) ?? []), snapshot]);
    }
    const point = pointOf(snapshot);
    if (point !== undefined) byRun.set(point, snapshot);
  }
  return (snapshot) => {
    const point = pointOf(snapshot);
    const alike = byOriginal.get(snapshot.original)?.find(({ likeness }) => likeness === snapshot.likeness);
    return alike ?? (point === undefined ? undefined : byRun.get(point));
  };
}

function pointOf({ run, stack, paths, timeMs }: SnapshotInfo): string | undefined {
  return run === undefined ? undefined : JSON.stringify([stack, run, paths, timeMs]);
}
