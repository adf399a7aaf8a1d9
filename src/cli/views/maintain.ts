/** What the stores offer, and what was done. */
import type { MaintenancePlan, MaintenanceReport } from "../../engine/maintain/report.ts";
import { durationText } from "../../domain/words.ts";
import { hanging, printable, type Style } from "../output/style.ts";

export function maintenancePlanView({ stores }: MaintenancePlan, style: Style): string {
  return stores
    .map(({ store, kind, tasks, error }) => {
      const lines = tasks.map(({ name, text }) =>
        hanging(`  ${style.signs.bullet} `, printable(`${name}: ${text}`), style),
      );
      if (error !== undefined)
        lines.push(style.bad(hanging(`  ${style.signs.bad} `, printable(error), style)));
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
        ? hanging(
            `${style.good(style.signs.good)} `,
            printable(`${outcome} (${durationText(durationMs)})`),
            style,
          )
        : style.bad(hanging(`${style.signs.bad} `, printable(outcome), style));
    })
    .join("\n");
}
