/** After a backup: brings each repository up to date with the others, as `memkeep copy` does. */
import type { KeepRules } from "../../domain/keep/index.ts";
import { reasonOf } from "../../domain/errors.ts";
import type { Proof, SnapshotInfo } from "../../repository/repository.ts";
import type { OpenRepository } from "../backup/participants.ts";
import { defaultSafetyRule, planRetain } from "../retain/plan.ts";
import type { StackRepository, Surroundings } from "../stack.ts";
import { planCopy } from "./plan.ts";
import type { CopyReport } from "./report.ts";
import { copy } from "./run.ts";

/** What was copied to one repository from one other, or why not. */
export interface CatchUp {
  /** The repository that lagged. */
  readonly repository: string;
  /** The name of the one that had what it lacked; undefined when it could not even be opened. */
  readonly from: string | undefined;
  /** How many snapshots it lacks and goes on lacking, because the keep rules would forget them there at once. */
  readonly passedOver: number;
  readonly copied: CopyReport | undefined;
  /** Why it ended before all was there; what was copied before stays. */
  readonly error: string | undefined;
}

export interface CatchUpOptions {
  readonly stack: string;
  /** Of the target as of the source; nothing is passed over when undefined. */
  readonly keep: KeepRules | undefined;
  readonly stallLimitMs: number;
}

export interface CatchUpFacts {
  readonly nowMs: number;
  readonly from: readonly SnapshotInfo[];
  readonly to: readonly SnapshotInfo[];
  /** Of the target. */
  readonly proofs: readonly Proof[];
}

/**
 * Ids to copy, oldest first: what the target lacks, without what its own retention would forget at once. Otherwise each
 * backup would bring back what the one before it forgot.
 */
export function planCatchUp(
  { nowMs, from, to, proofs }: CatchUpFacts,
  { stack, keep }: Pick<CatchUpOptions, "stack" | "keep">,
): { readonly copy: readonly string[]; readonly passedOver: number } {
  const lacking = planCopy({ from, to }, { names: [], stack }).copy.map(({ id }) => id);
  if (keep === undefined || lacking.length === 0) return { copy: lacking, passedOver: 0 };
  const afterwards = [...to, ...from.filter(({ id }) => lacking.includes(id))];
  const { remove } = planRetain(
    { nowMs, snapshots: afterwards, proofs },
    { rules: keep, stacks: [stack], foreign: false, safety: defaultSafetyRule, backupWell: true },
  );
  const stays = lacking.filter((id) => !remove.includes(id));
  return { copy: stays, passedOver: lacking.length - stays.length };
}

/**
 * Every repository is a target once, and a source for all others. One that fails is told and stops no other; nothing is
 * told of those that lack nothing. Rejects only when it is interrupted.
 */
export async function catchUp(
  repositories: readonly StackRepository[],
  options: CatchUpOptions,
  surroundings: Surroundings,
): Promise<readonly CatchUp[]> {
  const { stallLimitMs } = options;
  const opened = await Promise.allSettled(repositories.map((one) => one.open({ stallLimitMs })));
  const open = opened.flatMap((result, number): OpenRepository[] =>
    result.status === "fulfilled" ? [{ name: repositories[number]!.name, repository: result.value }] : [],
  );
  try {
    surroundings.signal.throwIfAborted();
    const done = opened.flatMap((result, number): CatchUp[] =>
      result.status === "rejected" ? [failed(repositories[number]!.name, undefined, result.reason)] : [],
    );
    const silent = new Set<OpenRepository>();
    for (const target of open) {
      for (const source of open) {
        if (source === target || silent.has(source) || silent.has(target)) continue;
        const one = await catchUpFrom(source, target, options, surroundings);
        if (one) done.push(one);
        if (one?.error === undefined) continue;
        // Whichever of the two is dead is told once, and takes no further part.
        for (const side of [source, target]) if (!(await answers(side))) silent.add(side);
      }
    }
    return done;
  } finally {
    await Promise.allSettled(open.map(({ repository }) => repository.close()));
  }
}

async function answers({ repository }: OpenRepository): Promise<boolean> {
  try {
    await repository.snapshots(() => undefined);
    return true;
  } catch {
    return false;
  }
}

/** Undefined when there is nothing to tell. */
async function catchUpFrom(
  source: OpenRepository,
  target: OpenRepository,
  options: CatchUpOptions,
  surroundings: Surroundings,
): Promise<CatchUp | undefined> {
  try {
    const facts = {
      nowMs: surroundings.clock.now(),
      // A damaged one was told by the backup, and must not keep the others from being copied.
      from: await source.repository.snapshots(() => undefined),
      to: await target.repository.snapshots(() => undefined),
      proofs: options.keep === undefined ? [] : await target.repository.proofs(),
    };
    const plan = planCatchUp(facts, options);
    if (plan.copy.length === 0) return undefined;
    const choice = { names: plan.copy, stack: options.stack, dryRun: false };
    const result = await copy(source.repository, target.repository, choice, surroundings);
    if (result.kind !== "ran") throw new Error("a copy that is no dry run has a report");
    const { report } = result;
    return {
      repository: target.name,
      from: source.name,
      passedOver: plan.passedOver,
      copied: report,
      error: undefined,
    };
  } catch (error) {
    surroundings.signal.throwIfAborted();
    return failed(target.name, source.name, error);
  }
}

function failed(repository: string, from: string | undefined, error: unknown): CatchUp {
  return { repository, from, passedOver: 0, copied: undefined, error: reasonOf(error) };
}
