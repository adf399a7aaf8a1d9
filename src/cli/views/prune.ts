/** What a prune would free, and freed. */
import type { PrunePlan } from "../../repository/repository.ts";
import type { PruneReport } from "../../engine/prune/report.ts";
import { hanging, printable, type Style } from "../output/style.ts";
import { amountText, sizeText } from "../../domain/words.ts";

export function prunePlanView(plan: PrunePlan, style: Style): string {
  return planText(plan, "would be", style);
}

export function pruneView(report: PruneReport, style: Style): string {
  const text = planText(report, "were", style);
  return report.stillStored === undefined
    ? text
    : `${text}\n${hanging(`${style.warn(style.signs.warn)} `, printable(report.stillStored), style)}`;
}

function planText(plan: PrunePlan, verb: string, style: Style): string {
  const lines: string[] = [];
  if (plan.removePacks > 0) {
    lines.push(`${amountText(plan.removePacks, "pack")} (${sizeText(plan.removeBytes)}) ${verb} removed`);
  }
  if (plan.repackPacks > 0) {
    const packs = `${amountText(plan.repackPacks, "pack")} (${sizeText(plan.repackBytes)})`;
    lines.push(`${packs} ${verb} rewritten without what nothing uses`);
  }
  if (lines.length === 0) lines.push("there is nothing to free");
  lines.push(
    plan.unusedBytesAfter === 0
      ? `${sizeText(plan.keptBytes)} stay, all of it in use`
      : `${sizeText(plan.keptBytes)} stay, ${sizeText(plan.unusedBytesAfter)} of them unused`,
  );
  return lines.map((line) => hanging(`${style.signs.bullet} `, line, style)).join("\n");
}
