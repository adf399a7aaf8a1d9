/** What a backup would do, decided from facts alone. */
import { ageText, durationText } from "../../domain/words.ts";
import { behindText, catchUpCommand, findBehind } from "../copy/behind.ts";
import type { SnapshotInfo } from "../../repository/repository.ts";

export interface BackupFacts {
  readonly nowMs: number;
  readonly stack: string;
  readonly stores: readonly {
    readonly name: string;
    readonly kind: string;
    readonly source: string;
    readonly estimatedBytes: number | undefined;
  }[];
  readonly repositories: readonly {
    readonly name: string;
    readonly location: string;
    readonly snapshots: readonly SnapshotInfo[];
  }[];
}

export interface BackupChoice {
  /** Skip a repository whose newest complete snapshot of this stack is younger; 0 for never. */
  readonly minIntervalMs: number;
  readonly force: boolean;
  /** Repositories that lag are brought up to date in the same run: nobody need be told the command. */
  readonly catchUp?: boolean;
}

export interface PlannedRepository {
  readonly name: string;
  readonly location: string;
  readonly action: "write" | "skip";
  /** Why it is skipped, or what is odd. */
  readonly reason: string | undefined;
  readonly newest: SnapshotInfo | undefined;
}

export interface BackupPlan {
  readonly stack: string;
  readonly stores: BackupFacts["stores"];
  readonly repositories: readonly PlannedRepository[];
  readonly warnings: readonly string[];
}

/**
 * Each repository is judged by its own newest snapshot, so one that is behind is written although another is fresh. A
 * snapshot dated in the future (a clock was wrong) is told and never holds a backup back.
 */
export function planBackup(facts: BackupFacts, choice: BackupChoice): BackupPlan {
  const warnings: string[] = [];
  const repositories = facts.repositories.map((repository): PlannedRepository => {
    const { name, location } = repository;
    const own = repository.snapshots.filter((snapshot) => snapshot.stack === facts.stack && !snapshot.safety);
    const newest = own.find((snapshot) => snapshot.timeMs <= facts.nowMs);
    const future = own.find((snapshot) => snapshot.timeMs > facts.nowMs);
    if (future) {
      warnings.push(
        `${name}: snapshot ${future.id.slice(0, 8)} is dated in the future (${future.time}); a clock was wrong`,
      );
    }
    const ageMs = newest ? facts.nowMs - newest.timeMs : Number.POSITIVE_INFINITY;
    const early = !choice.force && ageMs < choice.minIntervalMs;
    return {
      name,
      location,
      action: early ? "skip" : "write",
      reason: newest && early ? whyEarly(newest.timeMs, facts.nowMs, choice.minIntervalMs) : undefined,
      newest,
    };
  });
  if (choice.catchUp !== true) {
    warnings.push(
      ...findBehind(facts.repositories, facts.stack).map(
        (behind) => `${behindText(behind)}: memkeep ${catchUpCommand(behind)}`,
      ),
    );
  }
  return { stack: facts.stack, stores: facts.stores, repositories, warnings };
}

/** `newest is 3 h old, one is due every 23 h 0 min`. */
function whyEarly(timeMs: number, nowMs: number, minIntervalMs: number): string {
  const age = ageText(timeMs, nowMs);
  const old = age === "just now" ? "less than a minute old" : age.replace(/ ago$/, " old");
  return `newest is ${old}, one is due every ${durationText(minIntervalMs)}`;
}
