/**
 * A backup with what belongs to it: each new snapshot is proven, then old ones are forgotten and their room is freed.
 * What comes after the snapshot is told in the report when it fails; the snapshot stays.
 */
import type { KeepRules } from "../../domain/keep/index.ts";
import { reasonOf } from "../../domain/errors.ts";
import type { Repository, VerifyLevel } from "../../repository/repository.ts";
import { type CatchUp, catchUp } from "../copy/catch-up.ts";
import type { PruneReport } from "../prune/report.ts";
import { prune } from "../prune/run.ts";
import { usualPrune } from "../prune/usual.ts";
import { defaultSafetyRule } from "../retain/plan.ts";
import type { RetainReport } from "../retain/report.ts";
import { planRetention, retain } from "../retain/run.ts";
import type { Stack, Surroundings } from "../stack.ts";
import type { VerifyReport } from "../verify/report.ts";
import { verify } from "../verify/run.ts";
import type { BackupPlan } from "./plan.ts";
import type { BackupReport } from "./report.ts";
import { backup, type BackupOptions } from "./run.ts";

export interface CycleOptions extends BackupOptions {
  /** Prove each new snapshot at this level. */
  readonly verify: VerifyLevel | undefined;
  /** Forget what these rules do not keep; nothing when undefined. */
  readonly keep: KeepRules | undefined;
  readonly prune: boolean;
  /** At the end, bring the repositories that lag up to date with the others. */
  readonly catchUp: boolean;
}

/** What followed in one repository. */
export interface FollowUp {
  readonly repository: string;
  readonly verified: VerifyReport | undefined;
  readonly retained: RetainReport | undefined;
  readonly pruned: PruneReport | undefined;
  /** Why it ended before all was done. */
  readonly error: string | undefined;
}

export interface CycleReport extends BackupReport {
  /** One for each repository that was written, where anything was to follow. */
  readonly followUps: readonly FollowUp[];
  /** One for each repository that lacked something, and each that it came from. */
  readonly catchUps: readonly CatchUp[];
}

export type CycleResult =
  | { readonly kind: "planned"; readonly plan: BackupPlan }
  | { readonly kind: "ran"; readonly plan: BackupPlan; readonly report: CycleReport };

/** As `backup`; rejects only when no snapshot came to be, or when it is interrupted. */
export async function backupCycle(
  stack: Stack,
  options: CycleOptions,
  surroundings: Surroundings,
): Promise<CycleResult> {
  const result = await backup(stack, options, surroundings);
  if (result.kind === "planned") return result;
  const followUps: FollowUp[] = [];
  for (const { name, result: outcome, snapshot } of result.report.repositories) {
    if (outcome !== "written" || snapshot === undefined) continue;
    if (options.verify === undefined && options.keep === undefined) continue;
    followUps.push(await followUp(stack, name, snapshot, result.report, options, surroundings));
  }
  const catchUps = options.catchUp ? await catchUpAll(stack, result.report, options, surroundings) : [];
  const failed =
    followUps.some(({ error }) => error !== undefined) ||
    catchUps.some(({ error, copied }) => error !== undefined || copied!.failed.length > 0);
  return {
    ...result,
    report: { ...result.report, followUps, catchUps, ...(failed ? { outcome: "partial" as const } : {}) },
  };
}

/** Those that failed are left out: they are told already. Last of all, so that what was just forgotten is not copied. */
async function catchUpAll(
  stack: Stack,
  { repositories, outcome }: BackupReport,
  { keep, stallLimitMs }: CycleOptions,
  surroundings: Surroundings,
): Promise<readonly CatchUp[]> {
  const well = stack.repositories.filter(({ name }) =>
    repositories.some((known) => known.name === name && known.result !== "failed"),
  );
  if (outcome === "skipped" || well.length < 2) return [];
  return catchUp(well, { stack: stack.name, keep, stallLimitMs }, surroundings);
}

async function followUp(
  stack: Stack,
  name: string,
  snapshot: string,
  report: BackupReport,
  options: CycleOptions,
  surroundings: Surroundings,
): Promise<FollowUp> {
  let done: FollowUp = {
    repository: name,
    verified: undefined,
    retained: undefined,
    pruned: undefined,
    error: undefined,
  };
  try {
    const { stallLimitMs } = options;
    const several = stack.repositories.length > 1;
    const configured = stack.repositories.find((known) => known.name === name)!;
    const repository = await configured.open(several ? { stallLimitMs } : undefined);
    try {
      const info = (await repository.snapshots(() => undefined)).find(({ id }) => id === snapshot);
      if (options.verify !== undefined) {
        const verified = await verify(
          stack,
          repository,
          { level: options.verify, snapshot: info },
          surroundings,
        );
        done = { ...done, verified };
        // What is not proven must not be what the older ones go for (law 6).
        if (!verified.ok) return { ...done, error: "the new snapshot is not what the manifest says" };
      }
      if (options.keep === undefined || report.outcome !== "done") return done;
      const retained = await forgetOld(stack, repository, options.keep, surroundings);
      done = { ...done, retained };
      if (retained.removed === 0 || !options.prune) return done;
      surroundings.observer.step(name, "freeing the room of forgotten snapshots");
      const pruned = await prune(repository, configured, usualPrune, surroundings);
      return { ...done, pruned };
    } finally {
      await repository.close();
    }
  } catch (error) {
    surroundings.signal.throwIfAborted();
    return { ...done, error: reasonOf(error) };
  }
}

async function forgetOld(
  stack: Stack,
  repository: Repository,
  rules: KeepRules,
  surroundings: Surroundings,
): Promise<RetainReport> {
  const plan = await planRetention(
    repository,
    { rules, stacks: [stack.name], foreign: false, safety: defaultSafetyRule, backupWell: true },
    surroundings,
  );
  return retain(repository, plan, surroundings);
}
