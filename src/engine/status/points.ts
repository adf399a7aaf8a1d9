/** Recovery points of one stack over all repositories, each with the proof that speaks for it. */
import { MemkeepError } from "../../domain/errors.ts";
import type { Proof, SnapshotInfo } from "../../repository/repository.ts";
import { bestProofs } from "./best-proofs.ts";
import type { RepositoryFacts } from "./facts.ts";
import type { PointStatus, ProvenStatus } from "./report.ts";

export interface Point {
  readonly repository: string;
  readonly info: SnapshotInfo;
  /** The proof that speaks for it in that repository. */
  readonly proof: Proof | undefined;
}

/** Newest first. */
export function pointsOf(
  { name, snapshots, proofs }: Extract<RepositoryFacts, { reached: true }>,
  stack: string | undefined,
): Point[] {
  const best = bestProofs(proofs);
  return snapshots
    .filter((info) => !info.safety && info.stack !== undefined && info.stack === stack)
    .map((info) => ({ repository: name, info, proof: best.get(info.id) }));
}

/** The only stack there is. `SNAPSHOT_AMBIGUOUS` when there are several. */
export function onlyStack(repositories: readonly RepositoryFacts[]): string | undefined {
  const stacks = new Set<string>();
  for (const repository of repositories) {
    if (!repository.reached) continue;
    for (const { stack, safety } of repository.snapshots)
      if (stack !== undefined && !safety) stacks.add(stack);
  }
  if (stacks.size <= 1) return [...stacks][0];
  const names = [...stacks].sort();
  throw new MemkeepError("SNAPSHOT_AMBIGUOUS", {
    tried: "say how the stack stands",
    happened: `the repository holds ${names.length} stacks`,
    next: `Name one, such as --stack ${names[0]!}.`,
    details: { stacks: names },
  });
}

export function isGood({ proof }: Point): boolean {
  return proof?.ok === true;
}

export function pointStatus(point: Point | undefined, nowMs: number): PointStatus | null {
  if (!point) return null;
  const { id, time, timeMs } = point.info;
  return { snapshot: id, repository: point.repository, time, ageMs: nowMs - timeMs };
}

export function provenStatus(point: Point | undefined, nowMs: number): ProvenStatus | null {
  const status = pointStatus(point, nowMs);
  const proof = point?.proof;
  return status && proof ? { ...status, level: proof.level, ok: proof.ok, at: proof.at } : null;
}
