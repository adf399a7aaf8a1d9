/** Which snapshots stay, and why. */
import type { RetainPlan } from "../../engine/retain/plan.ts";
import type { RetainedSnapshot, RetainReport } from "../../engine/retain/report.ts";
import { hanging, printable, type Style } from "../output/style.ts";
import { type Cell, tableText } from "../output/table.ts";
import { amountText, shortId, timeText } from "../../domain/words.ts";

export function retainPlanView(plan: RetainPlan, style: Style): string {
  const groups = plan.groups.map(({ name, keep, remove }) => ({
    name,
    kept: keep.map(({ snapshot, reasons }) => ({ id: snapshot.id, time: snapshot.time, reasons })),
    removed: remove.map(({ snapshot }) => ({ id: snapshot.id, time: snapshot.time, reasons: [] })),
  }));
  return [
    ...groupsText(groups, "would go", style),
    plan.refused ?? `${amountText(plan.remove.length, "snapshot")} would be forgotten.`,
  ].join("\n\n");
}

export function namedPlanView(report: RetainReport, style: Style): string {
  const [named] = report.groups;
  return [
    ...groupsText(report.groups, "would go", style),
    `${amountText(named?.removed.length ?? 0, "snapshot")} would be forgotten.`,
  ].join("\n\n");
}

export function retainView(report: RetainReport, style: Style): string {
  return [
    ...groupsText(report.groups, "forgotten", style),
    report.refused ?? `Forgot ${amountText(report.removed, "snapshot")}.`,
  ].join("\n\n");
}

function groupsText(groups: RetainReport["groups"], gone: string, style: Style): string[] {
  return groups.map(({ name, kept, removed }) => {
    const rows = [
      ...kept.map((snapshot) => ({
        snapshot,
        cell: { text: "stays", paint: style.good },
        why: snapshot.reasons,
      })),
      ...removed.map((snapshot) => ({ snapshot, cell: { text: gone, paint: style.bad }, why: [] })),
    ].sort((a, b) => Date.parse(b.snapshot.time) - Date.parse(a.snapshot.time));
    return `${hanging("", style.bold(printable(name)), style)}\n${tableText(
      [{ title: "ID" }, { title: "TIME" }, { title: "" }, { title: "WHY", flexible: true, folded: true }],
      rows.map(({ snapshot, cell, why }) => row(snapshot, cell, why, style)),
      style,
    )}`;
  });
}

function row({ id, time }: RetainedSnapshot, cell: Cell, why: readonly string[], style: Style): Cell[] {
  return [shortId(id), time === "" ? style.signs.none : timeText(Date.parse(time)), cell, why.join(", ")];
}
