/** What was written into a folder. */
import type { ExportReport } from "../../engine/export/run.ts";
import { hanging, printable, type Style } from "../output/style.ts";
import { amountText, shortId, sizeText } from "../../domain/words.ts";

export function exportView({ snapshot, folder, manifest, files }: ExportReport, style: Style): string {
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return [
    ...files.map(
      (file) =>
        `${style.good(style.signs.good)} ${printable(`${folder}/${file.path}`)}  ${sizeText(file.sizeBytes)}`,
    ),
    hanging(
      "",
      `Wrote ${amountText(files.length, "file")} (${sizeText(sizeBytes)}) of snapshot ${shortId(snapshot)} of the stack ${printable(manifest.stack)}; SHA256SUMS lists their checksums.`,
      style,
    ),
  ].join("\n");
}
