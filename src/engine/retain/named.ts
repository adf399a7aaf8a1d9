/** Forgets snapshots that a person names, damaged ones too: those no rule can judge, and nothing else gets rid of them. */
import { amountText } from "../../domain/words.ts";
import { MemkeepError } from "../../domain/errors.ts";
import type { Repository, SnapshotInfo } from "../../repository/repository.ts";
import { selectSnapshot } from "../select-snapshot.ts";
import type { Surroundings } from "../stack.ts";
import { planRetain, defaultSafetyRule } from "./plan.ts";
import type { RetainedSnapshot, RetainReport } from "./report.ts";

export interface NamedOptions {
  /** Each `latest` or the beginning of an id. */
  readonly names: readonly string[];
  readonly stack: string | undefined;
  /** Also what law 6 keeps: the newest snapshot of a stack that was verified, and the only one. */
  readonly force: boolean;
  readonly dryRun: boolean;
}

/** All that are named or none: `SNAPSHOT_NOT_FOUND`, `SNAPSHOT_AMBIGUOUS`, or `USAGE` where law 6 stands in the way. */
export async function forgetNamed(
  repository: Repository,
  options: NamedOptions,
  surroundings: Pick<Surroundings, "clock" | "observer">,
): Promise<RetainReport> {
  const startedMs = surroundings.clock.monotonicMs();
  const damaged: string[] = [];
  const snapshots = await repository.snapshots((id) => damaged.push(id));
  const removed = new Map<string, RetainedSnapshot>();
  for (const text of options.names) {
    const unreadable = damaged.filter((id) => id.startsWith(text.toLowerCase()));
    const [id, time] =
      unreadable.length === 1 && !snapshots.some((known) => known.id.startsWith(text.toLowerCase()))
        ? [unreadable[0]!, ""]
        : found(snapshots, text, options.stack);
    removed.set(id, { id, time, reasons: [] });
  }
  if (!options.force) await refuseTheLast(repository, snapshots, removed, surroundings.clock.now());
  if (!options.dryRun) {
    surroundings.observer.step("retention", `forgetting ${amountText(removed.size, "snapshot")}`);
    await repository.forget([...removed.keys()]);
  }
  return {
    repository: repository.location,
    groups: [{ name: "named", kept: [], removed: [...removed.values()] }],
    removed: options.dryRun ? 0 : removed.size,
    refused: undefined,
    durationMs: Math.round(surroundings.clock.monotonicMs() - startedMs),
  };
}

function found(
  snapshots: readonly SnapshotInfo[],
  text: string,
  stack: string | undefined,
): [id: string, time: string] {
  const { id, time } = selectSnapshot(snapshots, { text, stack, atMs: undefined });
  return [id, time];
}

/** Law 6, as retention keeps it: what a rule that keeps nothing would keep all the same. */
async function refuseTheLast(
  repository: Repository,
  snapshots: readonly SnapshotInfo[],
  removed: ReadonlyMap<string, unknown>,
  nowMs: number,
): Promise<void> {
  const stacks = new Set(snapshots.filter(({ id }) => removed.has(id)).flatMap(({ stack }) => stack ?? []));
  const proofs = await repository.proofs();
  for (const stack of stacks) {
    const own = snapshots.filter((info) => info.stack === stack && !info.safety);
    const left = own.filter(({ id }) => !removed.has(id));
    const { guarded } = planRetain(
      { nowMs, snapshots, proofs },
      { rules: {}, stacks: [stack], foreign: false, safety: defaultSafetyRule, backupWell: true },
    );
    const guard = guarded.find((id) => removed.has(id));
    const isOnly = own.length > 0 && left.length === 0;
    if (!isOnly && (guard === undefined || !proofs.some((proof) => proof.ok && proof.snapshot === guard)))
      continue;
    throw new MemkeepError("USAGE", {
      tried: `forget ${amountText(removed.size, "snapshot")}`,
      happened: isOnly
        ? `the stack ${stack} would have none left`
        : `${guard!.slice(0, 8)} is the newest of the stack ${stack} that was verified`,
      next: "Verify or make another one first, or add --force.",
    });
  }
}
