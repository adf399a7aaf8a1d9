/** What is wrong in a repository, and which snapshots it harms. */
import type { CheckReport } from "../../repository/repository.ts";
import { hanging, printable, type Style } from "../output/style.ts";
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
    lines.push(
      hanging(`${style.bad(style.signs.bad)} `, `${printable(file)}: ${printable(text)}${harmed}`, style),
    );
    if (remedy !== undefined) lines.push(hanging("  ", printable(remedy), style));
  }
  for (const note of report.notes) lines.push(hanging(`${style.signs.none} `, printable(note), style));
  const { packs, blobs, snapshots, readBytes } = report;
  const counts = `${amountText(packs, "pack")}, ${amountText(blobs, "blob")}, ${amountText(snapshots, "snapshot")}`;
  lines.push(
    hanging(
      "",
      readBytes > 0
        ? `Read ${sizeText(readBytes)}: ${counts}.`
        : `Looked at ${counts}; \`memkeep repository check --data\` reads every byte.`,
      style,
    ),
  );
  return lines;
}
