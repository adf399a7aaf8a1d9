/** How large repositories are, and why. */
import type { StatsReport } from "../../engine/stats/report.ts";
import type { RepositoryStats, SnapshotGrowth } from "../../repository/repository.ts";
import { fit, printable, type Style, wrap } from "../output/style.ts";
import { type Cell, type Column, tableText } from "../output/table.ts";
import { amountText, shortId, sizeText, timeText } from "../../domain/words.ts";

export function statsView(reports: readonly StatsReport[], style: Style): string {
  return reports
    .map((report) => {
      const { repository, location, error } = report;
      const name = printable(repository);
      const title = fit(`${name} (${printable(location)})`, style.columns, style.signs.more);
      const head = style.bold(title.slice(0, name.length)) + title.slice(name.length);
      if (error !== undefined) {
        const text = wrap(printable(error), style.columns, "  ").trimStart();
        return `${head}\n${style.bad(style.signs.bad)} ${text}`;
      }
      const { snapshots } = report;
      return [
        head,
        ...sentences(report, style),
        ...(snapshots.length === 0 ? [] : [table(snapshots, style)]),
      ].join("\n");
    })
    .join("\n\n");
}

function sentences(report: RepositoryStats & { readonly ratio: number | null }, style: Style): string[] {
  const { sizeBytes, packs, rawBytes, plainBytes, usedBytes, snapshots, ratio, prune } = report;
  const lines = [
    `${sizeText(sizeBytes)} in all, ${sizeText(usedBytes)} of it in use, in ${amountText(packs, "pack")}`,
  ];
  if (ratio !== null) {
    lines.push(
      `${sizeText(rawBytes)} of files in ${amountText(snapshots.length, "snapshot")}: ${timesText(ratio)} the size`,
      `each part stored once: ${sizeText(plainBytes)}, compressed ${sizeText(usedBytes)}`,
    );
  }
  lines.push(
    prune.freedBytes > 0
      ? `\`memkeep prune\` would free ${sizeText(prune.freedBytes)}`
      : "there is nothing to free",
  );
  return lines.map((line) => `${style.signs.bullet} ${wrap(line, style.columns - 2, "  ").trimStart()}`);
}

function timesText(ratio: number): string {
  return `${ratio < 9.95 ? ratio.toFixed(1) : Math.round(ratio)} times`;
}

function table(snapshots: readonly SnapshotGrowth[], style: Style): string {
  const stacks = new Set(snapshots.map(({ stack }) => stack)).size > 1;
  const columns: Column[] = [
    { title: "ID" },
    { title: "TIME" },
    ...(stacks ? [{ title: "STACK", flexible: true }] : []),
    { title: "READ", align: "right" },
    { title: "GREW", align: "right" },
  ];
  const rows = snapshots.map(({ id, time, stack, safety, readBytes, addedBytes }): Cell[] => [
    { text: shortId(id), paint: style.bold },
    timeText(Date.parse(time)) + (safety ? " (safety)" : ""),
    ...(stacks ? [stack ?? style.signs.none] : []),
    readBytes === undefined ? style.signs.none : sizeText(readBytes),
    sizeText(addedBytes),
  ]);
  return tableText(columns, rows, style);
}
