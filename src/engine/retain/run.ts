/** Removes the snapshots that the rules do not keep. The data goes with the next prune. */
import { amountText, countText } from "../../domain/words.ts";
import { MemkeepError } from "../../domain/errors.ts";
import type { Repository } from "../../repository/repository.ts";
import type { Surroundings } from "../stack.ts";
import { planRetain, type PlannedSnapshot, type RetainChoice, type RetainPlan } from "./plan.ts";
import type { RetainedSnapshot, RetainReport } from "./report.ts";

/** Asks the repository what there is. Rejects when a snapshot or a proof cannot be read: then nothing may be judged. */
export async function planRetention(
  repository: Repository,
  choice: RetainChoice,
  surroundings: Pick<Surroundings, "clock">,
): Promise<RetainPlan> {
  const [snapshots, proofs] = await Promise.all([repository.snapshots(), repository.proofs()]);
  return planRetain({ nowMs: surroundings.clock.now(), snapshots, proofs }, choice);
}

/**
 * Does exactly the plan. `PLAN_STALE`, and nothing is removed, when a snapshot that law 6 relies on has gone since; one that
 * was to go and is gone already is passed over.
 */
export async function retain(
  repository: Repository,
  plan: RetainPlan,
  surroundings: Pick<Surroundings, "clock" | "observer">,
): Promise<RetainReport> {
  const startedMs = surroundings.clock.monotonicMs();
  const there = new Set((await repository.snapshots()).map(({ id }) => id));
  const gone = plan.guarded.find((id) => !there.has(id));
  if (gone !== undefined && plan.remove.length > 0) {
    throw new MemkeepError("PLAN_STALE", {
      tried: `forget ${amountText(plan.remove.length, "snapshot")}`,
      happened: `snapshot ${gone.slice(0, 8)}, which the plan keeps in their place, is gone`,
      next: "Run the command again: it makes a new plan.",
    });
  }
  const remove = plan.remove.filter((id) => there.has(id));
  if (remove.length > 0) {
    surroundings.observer.step(
      "retention",
      `forgetting ${countText(remove.length)} of ${amountText(there.size, "snapshot")}`,
    );
    await repository.forget(remove);
  }
  const nothing = plan.refused !== undefined;
  return {
    repository: repository.location,
    groups: plan.groups.map(({ name, keep, remove: removed }) => ({
      name,
      kept: (nothing ? [...keep, ...removed] : keep).map(retained),
      removed: (nothing ? [] : removed).map(retained),
    })),
    removed: remove.length,
    refused: plan.refused,
    durationMs: Math.round(surroundings.clock.monotonicMs() - startedMs),
  };
}

function retained({ snapshot, reasons }: PlannedSnapshot): RetainedSnapshot {
  return { id: snapshot.id, time: snapshot.time, reasons };
}
