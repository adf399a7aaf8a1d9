/** Brings stores back: staged beside, compared, switched, and rolled back when anything disagrees. Never deletes first (law 5). */
import { MemkeepError, reasonOf } from "../../domain/errors.ts";
import type { Repository } from "../../repository/repository.ts";
import type { Restoration, SwitchOutcome } from "../../stores/store.ts";
import { disposeAll } from "../backup/open-stack.ts";
import { compareFacts } from "../../domain/compare-facts.ts";
import { openSpool } from "../spool.ts";
import type { Stack, Surroundings } from "../stack.ts";
import { aroundCommands } from "./commands.ts";
import { prepareRestore, type RestoreChoice, type RestoringStore } from "./plan.ts";
import type { RestoreReport, StackRestorePlan } from "./report.ts";
import { takeSafetySnapshot } from "./safety.ts";

/** The plan alone. */
export async function planRestore(
  stack: Stack,
  repository: Repository,
  choice: RestoreChoice,
  surroundings: Surroundings,
): Promise<StackRestorePlan> {
  await using _guard = await repository.guard();
  await using spool = await openSpool(surroundings.spoolRoot);
  const prepared = await prepareRestore(stack, choice, surroundings, spool.folder);
  await disposeAll(prepared.stores.map(({ store }) => store));
  return prepared.plan;
}

/**
 * Plans anew and does exactly that. All stores are staged and compared before the first is switched; when one fails, all
 * are rolled back. Rejects with `TARGET_IN_USE` when the plan has obstacles, `COMPARE_FAILED` when what came back is
 * not what the manifest says (then everything is as it was). The configuration's commands are run around all of it.
 */
export async function applyRestore(
  stack: Stack,
  repository: Repository,
  choice: RestoreChoice,
  surroundings: Surroundings,
): Promise<RestoreReport> {
  if (choice.commands?.before) {
    // What no command can clear away is known before the application is stopped for nothing.
    refuseObstacles(await planRestore(stack, repository, choice, surroundings), "lasting");
  }
  return await aroundCommands(choice.commands, surroundings, () =>
    restoreNow(stack, repository, choice, surroundings),
  );
}

async function restoreNow(
  stack: Stack,
  repository: Repository,
  choice: RestoreChoice,
  surroundings: Surroundings,
): Promise<RestoreReport> {
  const startedMs = surroundings.clock.monotonicMs();
  await using _guard = await repository.guard();
  await using spool = await openSpool(surroundings.spoolRoot);
  const { plan, stores } = await prepareRestore(stack, choice, surroundings, spool.folder);
  try {
    refuseObstacles(plan);
    const replaced = stores.filter(({ plan: { replacesData } }) => replacesData).map(({ name }) => name);
    const safetySnapshot =
      replaced.length === 0
        ? undefined
        : await takeSafetySnapshot(stack, repository, replaced, "restore", surroundings);
    const outcomes = await stageAndSwitch(stores, choice, surroundings, safetySnapshot);
    return {
      snapshot: plan.snapshot,
      time: plan.time,
      safetySnapshot,
      stores: stores.map(({ name, plan: { destination }, records }, number) => ({
        name,
        destination,
        records,
        previous: choice.options.discardOld === true ? undefined : outcomes[number]!.previous,
        warnings: outcomes[number]!.warnings,
      })),
      durationMs: Math.round(surroundings.clock.monotonicMs() - startedMs),
    };
  } finally {
    await disposeAll(stores.map(({ store }) => store));
  }
}

async function stageAndSwitch(
  stores: readonly RestoringStore[],
  choice: RestoreChoice,
  surroundings: Surroundings,
  safetySnapshot: string | undefined,
): Promise<SwitchOutcome[]> {
  const staged: {
    readonly name: string;
    readonly restoration: Restoration;
    readonly from: RestoringStore;
  }[] = [];
  const switched: Restoration[] = [];
  const outcomes: SwitchOutcome[] = [];
  try {
    for (const from of stores) {
      surroundings.signal.throwIfAborted();
      surroundings.observer.step(from.name, `restoring to ${from.plan.destination}`);
      const restoration = await from.store.stage(from.plan, from.source, choice.options);
      staged.push({ name: from.name, restoration, from });
      if (restoration.comparable === "before-switch") await compare(from, restoration);
    }
    for (const { from, restoration } of staged) {
      surroundings.signal.throwIfAborted();
      switched.push(restoration);
      outcomes.push(await restoration.switch());
      if (restoration.comparable === "after-switch") await compare(from, restoration);
    }
  } catch (error) {
    await rollBack(switched, error, safetySnapshot);
    await disposeAll(staged.map(({ restoration }) => restoration));
    throw error;
  }
  for (const { restoration } of staged) await restoration.keep();
  await disposeAll(staged.map(({ restoration }) => restoration));
  return outcomes;
}

async function compare(from: RestoringStore, restoration: Restoration): Promise<void> {
  const differences = compareFacts(
    restoration.expected ?? from.source.manifest.collections,
    await restoration.facts(),
  );
  if (differences.length === 0) return;
  throw new MemkeepError("COMPARE_FAILED", {
    tried: `restore ${from.name}`,
    happened: `what came back is not what the manifest says: ${differences.slice(0, 3).join("; ")}`,
    next: "The store is as it was before. Verify the snapshot, or restore another one.",
    details: { differences },
  });
}

/** In reverse order. When even that fails, the reader must know of both failures and where the safety copy is. */
async function rollBack(
  switched: readonly Restoration[],
  failure: unknown,
  safetySnapshot: string | undefined,
): Promise<void> {
  for (const restoration of switched.toReversed()) {
    try {
      await restoration.rollBack();
    } catch (error) {
      throw new MemkeepError("COMPARE_FAILED", {
        tried: "bring back what was there before the restore",
        happened: `${reasonOf(error)} (the restore had failed because: ${reasonOf(failure)})`,
        next:
          safetySnapshot === undefined
            ? "Nothing was replaced; run the restore again."
            : `The data as it was is in the safety snapshot ${safetySnapshot.slice(0, 8)}: \`memkeep restore ${safetySnapshot.slice(0, 8)} --apply\`.`,
        cause: failure,
      });
    }
  }
}

/** `lasting`: only those that --force would not pass. */
function refuseObstacles(plan: StackRestorePlan, which: "all" | "lasting" = "all"): void {
  if (plan.applicable) return;
  const obstacles = plan.stores
    .flatMap(({ name, plan: { obstacles } }) =>
      obstacles.map(({ text, overridable }) => ({ text: `${name}: ${text}`, overridable })),
    )
    .filter(({ overridable }) => which === "all" || !overridable);
  if (obstacles.length === 0) return;
  throw new MemkeepError("TARGET_IN_USE", {
    tried: "restore",
    happened: obstacles.map(({ text }) => text).join("; "),
    next: obstacles.every(({ overridable }) => overridable)
      ? "Stop what uses the store, or add --force."
      : "Remove what stands in the way, then run it again.",
    details: { obstacles },
  });
}
