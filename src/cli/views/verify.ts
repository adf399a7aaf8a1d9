/** What a verification found. */
import type { VerifiedSnapshot, VerifyReport } from "../../engine/verify/report.ts";
import { hanging, printable, type Style } from "../output/style.ts";
import { amountText, durationText, shortId, timeText } from "../../domain/words.ts";
import { checkLines } from "./check.ts";

export function verifyView(report: VerifyReport, style: Style): string {
  const lines = report.snapshots.flatMap((snapshot) => snapshotLines(snapshot, style));
  if (report.check) lines.push(...checkLines(report.check, style));
  lines.push(verdict(report, style));
  return lines.join("\n");
}

function snapshotLines(snapshot: VerifiedSnapshot, style: Style): string[] {
  const title = `${style.bold(shortId(snapshot.id))} of ${timeText(Date.parse(snapshot.time))}`;
  const sign = snapshot.ok ? style.good(style.signs.good) : style.bad(style.signs.bad);
  return [
    `${sign} ${title}`,
    ...snapshot.stores.flatMap((store) => {
      const name = `  ${style.bold(printable(store.name))}`;
      if (store.differences.length > 0) {
        return [`${name}:`, ...store.differences.map((text) => hanging("    ", printable(text), style))];
      }
      const words = `${style.bold(printable(store.name))}: ${amountText(store.records, "record")}, ${store.level}, in ${durationText(store.durationMs)}`;
      const reached = hanging("  ", words, style);
      return store.note === undefined
        ? [reached]
        : [reached, hanging("    ", style.warn(printable(store.note)), style)];
    }),
  ];
}

function verdict({ ok, level, durationMs, snapshots }: VerifyReport, style: Style): string {
  const took = durationText(durationMs);
  if (!ok) {
    return style.bad(`Not proven: something is damaged. Snapshots without a mark of failure are still good.`);
  }
  if (snapshots.length === 0) return `There was no snapshot to prove (${took}).`;
  return `Proven (${level}) in ${took}: ${amountText(snapshots.length, "snapshot")}.`;
}
