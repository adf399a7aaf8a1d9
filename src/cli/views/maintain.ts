/** What the stores offer, and what was done. */
import type { MaintenancePlan, MaintenanceReport } from "../../engine/maintain/report.ts";
import { durationText } from "../../domain/words.ts";
import { printable, type Style, wrap } from "../output/style.ts";

export function maintenancePlanView({ stores }: MaintenancePlan, style: Style): string {
  return stores
    .map(({ store, kind, tasks, error }) => {
      const lines = tasks.map(
        ({ name, text }) => `  ${style.signs.bullet} ${words(`${name}: ${text}`, style)}`,
      );
      if (error !== undefined) lines.push(style.bad(`  ${style.signs.bad} ${words(error, style)}`));
      else if (tasks.length === 0) lines.push("  offers nothing of the kind");
      return [`${style.bold(printable(store))} (${kind})`, ...lines].join("\n");
    })
    .join("\n\n");
}

export function maintenanceView({ done }: MaintenanceReport, style: Style): string {
  return done
    .map(({ store, task, ok, text, durationMs }) => {
      const outcome = `${store} ${task}: ${text}`;
      return ok
        ? `${style.good(style.signs.good)} ${words(`${outcome} (${durationText(durationMs)})`, style)}`
        : style.bad(`${style.signs.bad} ${words(outcome, style)}`);
    })
    .join("\n");
}

/** Wrapped behind a sign. */
function words(text: string, style: Style): string {
  return wrap(printable(text), style.columns - 4, "    ").trimStart();
}
