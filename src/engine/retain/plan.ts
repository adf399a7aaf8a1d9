/**
 * Which snapshots a retention would remove, decided from facts alone. restic's rules decide first, stack by stack; law 6
 * stands above them: the newest snapshot that was verified stays, and so does the only one.
 */
import { applyKeepRules, type KeepRules } from "../../domain/keep/index.ts";
import type { Proof, SnapshotInfo } from "../../repository/repository.ts";

export interface RetainFacts {
  readonly nowMs: number;
  /** All snapshots of the repository. */
  readonly snapshots: readonly SnapshotInfo[];
  readonly proofs: readonly Proof[];
}

export interface RetainChoice {
  readonly rules: KeepRules;
  /** The stacks whose snapshots are judged, each by itself. Others, and those of other programs, are not touched. */
  readonly stacks: readonly string[];
  /** Judge snapshots that other programs made too, grouped by host and paths as restic groups them. */
  readonly foreign: boolean;
  readonly safety: SafetyRule;
  /** False after a backup that failed: then nothing is removed, since what is there may be all there will be. */
  readonly backupWell: boolean;
}

/** Safety snapshots expire by this alone: kept are the newest of each stack, and all that are young. */
export interface SafetyRule {
  readonly last: number;
  readonly maxAgeMs: number;
}

/**
 * Three, because the last restore may itself have been the mistake, and the one before it; two weeks, because it may take until
 * after a holiday before somebody misses what a restore replaced.
 */
export const defaultSafetyRule: SafetyRule = { last: 3, maxAgeMs: 14 * 24 * 3_600_000 };

export interface PlannedSnapshot {
  readonly snapshot: SnapshotInfo;
  /** Why it is kept; empty for one that is removed. */
  readonly reasons: readonly string[];
}

export interface RetainGroup {
  /** `stack automem`, `safety snapshots of automem`, `host7 /home` */
  readonly name: string;
  /** Newest first. */
  readonly keep: readonly PlannedSnapshot[];
  readonly remove: readonly PlannedSnapshot[];
}

export interface RetainPlan {
  readonly groups: readonly RetainGroup[];
  /** Ids in all groups that would go. */
  readonly remove: readonly string[];
  /** Ids that law 6 keeps, whatever the rules say: `run` looks whether they are still there. */
  readonly guarded: readonly string[];
  /** Why nothing is removed at all, when that is so. */
  readonly refused: string | undefined;
}

export function planRetain(facts: RetainFacts, choice: RetainChoice): RetainPlan {
  const verified = verifiedSnapshots(facts.proofs);
  const guarded: string[] = [];
  const groups: RetainGroup[] = [];
  for (const [name, snapshots] of groupsOf(facts.snapshots, choice)) {
    const group = applyRules(name, snapshots, facts, choice, verified);
    groups.push(group);
    guarded.push(...group.guarded);
  }
  for (const stack of choice.stacks) {
    const safety = facts.snapshots.filter((snapshot) => snapshot.safety && snapshot.stack === stack);
    if (safety.length > 0) groups.push(expireSafety(stack, safety, facts.nowMs, choice.safety));
  }
  return {
    groups,
    guarded,
    remove: choice.backupWell
      ? groups.flatMap(({ remove }) => remove.map(({ snapshot }) => snapshot.id))
      : [],
    refused: choice.backupWell ? undefined : "the last backup failed, so nothing is removed",
  };
}

/** Snapshots whose newest proof says that they are well. */
function verifiedSnapshots(proofs: readonly Proof[]): ReadonlySet<string> {
  const newest = new Map<string, Proof>();
  for (const proof of proofs) {
    const known = newest.get(proof.snapshot);
    if (!known || Date.parse(proof.at) > Date.parse(known.at)) newest.set(proof.snapshot, proof);
  }
  return new Set([...newest.values()].filter(({ ok }) => ok).map(({ snapshot }) => snapshot));
}

function groupsOf(snapshots: readonly SnapshotInfo[], choice: RetainChoice): Map<string, SnapshotInfo[]> {
  const groups = new Map<string, SnapshotInfo[]>();
  for (const snapshot of snapshots) {
    const name = groupName(snapshot, choice);
    if (name === undefined) continue;
    const group = groups.get(name);
    if (group) group.push(snapshot);
    else groups.set(name, [snapshot]);
  }
  return groups;
}

/** Undefined for a snapshot that is not judged by the rules. */
function groupName(snapshot: SnapshotInfo, { stacks, foreign }: RetainChoice): string | undefined {
  const { stack, safety, hostname, paths } = snapshot;
  if (safety) return undefined;
  if (stack !== undefined) return stacks.includes(stack) ? `stack ${stack}` : undefined;
  return foreign ? `${hostname} ${[...paths].sort().join(", ")}` : undefined;
}

function applyRules(
  name: string,
  snapshots: readonly SnapshotInfo[],
  { nowMs }: RetainFacts,
  { rules }: RetainChoice,
  verified: ReadonlySet<string>,
): RetainGroup & { readonly guarded: readonly string[] } {
  const outcome = applyKeepRules(snapshots, rules, nowMs);
  const reasons = new Map(outcome.keep.map((kept) => [kept.subject.id, [...kept.reasons]]));
  const newestFirst = [...outcome.keep.map(({ subject }) => subject), ...outcome.remove].sort(
    (a, b) => b.timeMs - a.timeMs,
  );
  const guarded: string[] = [];
  const guard = (snapshot: SnapshotInfo | undefined, reason: string): void => {
    if (!snapshot) return;
    reasons.set(snapshot.id, [...(reasons.get(snapshot.id) ?? []), reason]);
    guarded.push(snapshot.id);
  };
  guard(
    newestFirst.find(({ id }) => verified.has(id)),
    "newest that was verified",
  );
  if (reasons.size === 0) guard(newestFirst[0], "the only one left");
  const keep = newestFirst.filter(({ id }) => reasons.has(id));
  return {
    name,
    guarded,
    keep: keep.map((snapshot) => ({ snapshot, reasons: reasons.get(snapshot.id)! })),
    remove: newestFirst.filter(({ id }) => !reasons.has(id)).map((snapshot) => ({ snapshot, reasons: [] })),
  };
}

function expireSafety(
  stack: string,
  snapshots: readonly SnapshotInfo[],
  nowMs: number,
  { last, maxAgeMs }: SafetyRule,
): RetainGroup {
  const newestFirst = [...snapshots].sort((a, b) => b.timeMs - a.timeMs);
  const planned = newestFirst.map((snapshot, position): PlannedSnapshot => {
    const reasons: string[] = [];
    if (position < last) reasons.push(`one of the ${last} newest safety snapshots`);
    if (nowMs - snapshot.timeMs < maxAgeMs) {
      reasons.push(`younger than ${Math.round(maxAgeMs / (24 * 3_600_000))} days`);
    }
    return { snapshot, reasons };
  });
  return {
    name: `safety snapshots of ${stack}`,
    keep: planned.filter(({ reasons }) => reasons.length > 0),
    remove: planned.filter(({ reasons }) => reasons.length === 0),
  };
}
