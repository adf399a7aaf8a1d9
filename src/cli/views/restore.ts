/** What a restore would do, and did. */
import type { RestoreReport, StackRestorePlan } from "../../engine/restore/report.ts";
import { hanging, printable, type Style } from "../output/style.ts";
import { tableText } from "../output/table.ts";
import { amountText, countText, durationText, shortId, timeText } from "../../domain/words.ts";

export function restorePlanView(plan: StackRestorePlan, style: Style): string {
  const blocks = plan.stores.map(({ name, kind, plan: store }) => {
    const lines = [
      hanging(
        "",
        `${style.bold(printable(name))} (${kind}) ${style.dim("to")} ${printable(store.destination)}`,
        style,
      ),
    ];
    for (const action of store.actions) lines.push(item(style.signs.bullet, printable(action), style));
    for (const { text, overridable } of store.obstacles) {
      const way = overridable ? " (--force goes on nevertheless)" : "";
      lines.push(style.bad(item(style.signs.bad, `${printable(text)}${way}`, style)));
    }
    if (store.changes.length > 0) lines.push(indent(changesTable(store.changes, style)));
    return lines.join("\n");
  });
  const title = hanging(
    "",
    `Restoring snapshot ${style.bold(shortId(plan.snapshot))} of ${timeText(Date.parse(plan.time))} would:`,
    style,
  );
  const commands = [
    ...(plan.before
      ? [`First it runs: ${commandText(plan.before)}. When that fails, nothing is touched.`]
      : []),
    ...(plan.after ? [`At the end, whatever happened, it runs: ${commandText(plan.after)}.`] : []),
  ].map((text) => hanging("", printable(text), style));
  return [title, ...blocks, ...commands].join("\n\n");
}

function commandText(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w./:=@-]+$/.test(word) ? word : JSON.stringify(word))).join(" ");
}

function changesTable(changes: StackRestorePlan["stores"][number]["plan"]["changes"], style: Style): string {
  const count = (records: number | undefined | null): string =>
    records === undefined || records === null ? style.signs.none : countText(records);
  return tableText(
    [
      { title: "COLLECTION", flexible: true },
      { title: "NOW", align: "right" },
      { title: "THEN", align: "right" },
    ],
    changes.map(({ collection, recordsNow, recordsThen }) => [
      collection,
      count(recordsNow),
      count(recordsThen),
    ]),
    { ...style, columns: style.columns - 2 },
  );
}

export function restoreView(report: RestoreReport, style: Style): string {
  const stores = report.stores.flatMap(({ name, destination, records, previous, warnings }) => [
    hanging(
      `${style.good(style.signs.good)} `,
      `${style.bold(printable(name))}: ${amountText(records, "record")} at ${printable(destination)}, compared with the manifest`,
      style,
    ),
    ...(previous === undefined
      ? []
      : [
          item(style.signs.bullet, `what was there is kept at ${printable(previous.location)}`, style),
          // A command is not broken into lines: it is there to be copied.
          `  ${style.signs.bullet} to swap it back:\n      ${printable(previous.undo)}`,
        ]),
    ...warnings.map((warning) => style.warn(item(style.signs.warn, printable(warning), style))),
  ]);
  const safety =
    report.safetySnapshot === undefined
      ? []
      : [`Before that, a safety snapshot was taken: ${style.bold(shortId(report.safetySnapshot))}.`];
  const done = `Restored snapshot ${shortId(report.snapshot)} of ${timeText(Date.parse(report.time))} in ${durationText(report.durationMs)}.`;
  return [...stores, ...safety, done].join("\n");
}

function item(sign: string, text: string, style: Style): string {
  return hanging(`  ${sign} `, text, style);
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
}
