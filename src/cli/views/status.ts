/** The one screen of `memkeep status`. */
import type { ProvenStatus, StatusReport, StatusState } from "../../engine/status/report.ts";
import { countText, durationText, timeText } from "../../domain/words.ts";
import { hanging, printable, type Style, wrap } from "../output/style.ts";
import { type Cell, type Column, tableText } from "../output/table.ts";

/** @param flags those by which the next commands find the same repositories, with a blank before each. */
export function statusView(report: StatusReport, flags: string, style: Style): string {
  const blocks = [verdict(report, style)];
  if (report.stores.length > 0) blocks.push(storesTable(report, style));
  blocks.push(repositoriesTable(report, style));
  if (report.problems.length > 0) {
    blocks.push(
      report.problems
        .map(({ severity, text }) => {
          const sign = severity === "critical" ? style.bad(style.signs.bad) : style.warn(style.signs.warn);
          return hanging(`${sign} `, printable(text), style);
        })
        .join("\n"),
    );
  }
  if (report.next.length > 0) {
    const steps = report.next.map(
      ({ text, command }) => `${wrap(printable(text), style.columns, "  # ")}\n  memkeep ${command}${flags}`,
    );
    blocks.push(["What to do next:", ...steps].join("\n"));
  }
  return blocks.join("\n\n");
}

function verdict({ stack, state, verdict }: StatusReport, style: Style): string {
  const { sign, paint } = look(state, style);
  const title = stack === null ? [] : [style.bold(printable(stack))];
  return [...title, paint(hanging(`${sign} `, printable(verdict), style))].join("\n");
}

function look(state: StatusState, style: Style): { sign: string; paint: (text: string) => string } {
  switch (state) {
    case "ok":
      return { sign: style.signs.good, paint: style.good };
    case "unproven":
      return { sign: style.signs.warn, paint: style.warn };
    case "late":
    case "failing":
    case "empty":
    case "unknown":
      return { sign: style.signs.bad, paint: style.bad };
  }
}

function storesTable({ stores }: StatusReport, style: Style): string {
  const columns: Column[] = [
    { title: "STORE", flexible: true },
    { title: "KIND" },
    { title: "NEWEST" },
    { title: "AGE", align: "right" },
    { title: "PROVEN", flexible: true, folded: true },
  ];
  const rows = stores.map(({ name, kind, newest, proven }): Cell[] => [
    { text: name, paint: style.bold },
    kind ?? style.signs.none,
    newest ? timeText(Date.parse(newest.time)) : { text: "never", paint: style.bad },
    newest ? ageOf(newest.ageMs) : "",
    provenCell(proven, proven?.snapshot === newest?.snapshot, style),
  ]);
  return tableText(columns, rows, style);
}

function repositoriesTable({ repositories }: StatusReport, style: Style): string {
  const columns: Column[] = [
    { title: "REPOSITORY", flexible: true },
    { title: "SNAPSHOTS", align: "right" },
    { title: "NEWEST" },
    { title: "AGE", align: "right" },
    { title: "PROVEN", flexible: true, folded: true },
  ];
  const rows = repositories.map(({ name, snapshots, newest, proven, error }): Cell[] => [
    { text: name, paint: style.bold },
    error ? style.signs.none : countText(snapshots),
    error
      ? { text: "not reached", paint: style.bad }
      : newest
        ? timeText(Date.parse(newest.time))
        : { text: "none", paint: style.bad },
    newest ? ageOf(newest.ageMs) : "",
    provenCell(proven, proven?.snapshot === newest?.snapshot, style),
  ]);
  return tableText(columns, rows, style);
}

/** A clock that is wrong makes an age negative. */
function ageOf(ageMs: number): string {
  if (ageMs < 60_000) return "now";
  const days = Math.floor(ageMs / 86_400_000);
  return days >= 3 ? `${countText(days)} days` : durationText(ageMs).replace(/ min \d+ s$/, " min");
}

function provenCell(proven: ProvenStatus | null, isNewest: boolean, style: Style): Cell {
  if (proven === null) return { text: "never", paint: style.warn };
  const when = isNewest ? "" : ` of ${timeText(Date.parse(proven.time))}`;
  return { text: `${style.signs.good} ${proven.level}${when}`, paint: isNewest ? style.good : style.warn };
}
