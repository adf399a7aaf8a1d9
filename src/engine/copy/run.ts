/** Brings a repository up to date with another one. Proofs are not copied: each repository is proven itself. */
import { amountText } from "../../domain/words.ts";
import { reasonOf } from "../../domain/errors.ts";
import type { Repository } from "../../repository/repository.ts";
import type { Surroundings } from "../stack.ts";
import { type CopyChoice, type CopyPlan, planCopy } from "./plan.ts";
import type { CopyReport } from "./report.ts";

export interface CopyOptions extends CopyChoice {
  /** Stop after the plan. */
  readonly dryRun: boolean;
}

export type CopyRun =
  | { readonly kind: "planned"; readonly plan: CopyPlan }
  | { readonly kind: "ran"; readonly report: CopyReport };

/**
 * A snapshot that is damaged in `from` is told in the report and does not stop the others; what fails in `to` rejects, and
 * snapshots copied before it are whole.
 */
export async function copy(
  from: Repository,
  to: Repository,
  options: CopyOptions,
  { clock, observer }: Pick<Surroundings, "clock" | "observer">,
): Promise<CopyRun> {
  const startedMs = clock.monotonicMs();
  const failed: { snapshot: string; text: string }[] = [];
  const facts = {
    from: await from.snapshots((snapshot, error) => failed.push({ snapshot, text: reasonOf(error) })),
    to: await to.snapshots((id, error) =>
      observer.warn(to.location, `snapshot ${id.slice(0, 8)}: ${error.message}`),
    ),
  };
  const plan = planCopy(facts, options);
  if (options.dryRun) return { kind: "planned", plan };
  // Those that were named are all there is to judge.
  if (options.names.length > 0) failed.length = 0;
  observer.step("copy", `copying ${amountText(plan.copy.length, "snapshot")} to ${to.location}`);
  const ids = plan.copy.map(({ id }) => id);
  const { snapshots, addedBytes } = await to.copyFrom(from, ids, (done) =>
    observer.progress("copy", done, ids.length, "records"),
  );
  const times = new Map(plan.copy.map(({ id, time }) => [id, time]));
  return {
    kind: "ran",
    report: {
      from: from.location,
      to: to.location,
      copied: snapshots.flatMap((one) =>
        one.result === "copied"
          ? { source: one.source, snapshot: one.snapshot, time: times.get(one.source)! }
          : [],
      ),
      there: plan.there + snapshots.filter(({ result }) => result === "there").length,
      failed: [
        ...failed,
        ...snapshots.flatMap((one) =>
          one.result === "damaged" ? { snapshot: one.source, text: one.text } : [],
        ),
      ],
      addedBytes,
      durationMs: Math.round(clock.monotonicMs() - startedMs),
    },
  };
}
