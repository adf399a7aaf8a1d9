/** What a copy would do, and did. */
import type { CopyPlan } from "../../engine/copy/plan.ts";
import type { CopyReport } from "../../engine/copy/report.ts";
import { hanging, printable, type Style } from "../output/style.ts";
import { amountText, durationText, shortId, sizeText, timeText } from "../../domain/words.ts";

export function copyPlanView({ copy, there }: CopyPlan, style: Style): string {
  return [
    ...copy.map(
      ({ id, time, readBytes }) =>
        `${style.signs.bullet} ${style.bold(shortId(id))} of ${timeText(Date.parse(time))}${readBytes === undefined ? "" : `, ${sizeText(readBytes)} of dumps`}`,
    ),
    hanging(
      "",
      `${amountText(copy.length, "snapshot")} would be copied; ${amountText(there, "snapshot")} there already.`,
      style,
    ),
  ].join("\n");
}

export function copyView(
  { copied, there, failed, addedBytes, durationMs }: CopyReport,
  style: Style,
): string {
  return [
    ...copied.map(
      ({ source, snapshot, time }) =>
        `${style.good(style.signs.good)} ${style.bold(shortId(snapshot))} of ${timeText(Date.parse(time))}, a copy of ${shortId(source)}`,
    ),
    ...failed.map(({ snapshot, text }) =>
      hanging(
        `${style.bad(style.signs.bad)} `,
        printable(`${shortId(snapshot)} is not copied: ${text}`),
        style,
      ),
    ),
    hanging(
      "",
      `Copied ${amountText(copied.length, "snapshot")} (${sizeText(addedBytes)} added) in ${durationText(durationMs)}; ${amountText(there, "snapshot")} there already.`,
      style,
    ),
  ].join("\n");
}
