/** What is wrong in a repository, and which snapshots it harms. */
import type { CheckReport } from "../../repository/repository.ts";
import { printable, type Style, wrap } from "../output/style.ts";
import { amountText, shortId, sizeText } from "../../domain/words.ts";

export function checkView(report: CheckReport, style: Style): string {
  const verdict =
    report.findings.length === 0
      ? style.good("Nothing is wrong.")
      : style.bad(`${amountText(report.findings.length, "thing")} wrong.`);
  return [...checkLines(report, style), verdict].join("\n");
}

export function checkLines(report: CheckReport, style: Style): string[] {
  const lines: string[] = [];
  for (const { file, text, snapshots, remedy } of report.findings) {
    const harmed = snapshots.length === 0 ? "" : `; harms ${snapshots.map(shortId).join(", ")}`;
    lines.push(`${style.bad(style.signs.bad)} ${printable(file)}: ${printable(text)}${harmed}`);
    if (remedy !== undefined) lines.push(wrap(printable(remedy), style.columns, "  "));
  }
  for (const note of report.notes) lines.push(`${style.signs.none} ${printable(note)}`);
  const { packs, blobs, snapshots, readBytes } = report;
  lines.push(
    `Read ${sizeText(readBytes)}: ${amountText(packs, "pack")}, ${amountText(blobs, "blob")}, ${amountText(snapshots, "snapshot")}.`,
  );
  return lines;
}
