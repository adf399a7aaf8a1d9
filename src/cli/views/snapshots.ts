/** The list of snapshots. */
import { printable, type Style } from "../output/style.ts";
import { type Cell, type Column, tableText } from "../output/table.ts";
import { ageText, shortId, sizeText, timeText } from "../../domain/words.ts";

/** Shape of `memkeep snapshots --json`: a list of these, one a repository. */
export interface SnapshotList {
  readonly repository: string;
  readonly location: string;
  readonly snapshots: readonly ListedSnapshot[];
}

export interface ListedSnapshot {
  readonly id: string;
  readonly time: string;
  readonly stack: string | null;
  readonly stores: readonly string[];
  readonly tags: readonly string[];
  readonly safety: boolean;
  readonly readBytes: number | null;
  readonly addedBytes: number | null;
  readonly proof: { readonly level: string; readonly ok: boolean; readonly at: string } | null;
}

export function snapshotsView(lists: readonly SnapshotList[], nowMs: number, style: Style): string {
  return lists
    .map((list) => {
      const { repository, location, snapshots } = list;
      if (snapshots.length === 0)
        return `${printable(repository)} (${printable(location)}) has no snapshots yet.`;
      const title =
        lists.length === 1 ? "" : `${style.bold(printable(repository))} (${printable(location)})\n`;
      return title + table(snapshots, nowMs, style);
    })
    .join("\n\n");
}

function table(snapshots: readonly ListedSnapshot[], nowMs: number, style: Style): string {
  const stacks = new Set(snapshots.map(({ stack }) => stack)).size > 1;
  const wide = style.columns >= 100;
  const roomy = style.columns >= 80;
  const columns: Column[] = [
    { title: "ID" },
    { title: "TIME" },
    ...(wide ? [{ title: "AGE" }] : []),
    ...(stacks ? [{ title: "STACK", flexible: true }] : []),
    { title: "STORES", flexible: true },
    // Where there is little room, what was added says more.
    ...(roomy ? [{ title: "READ", align: "right" as const }] : []),
    { title: "ADDED", align: "right" as const },
    { title: "PROOF" },
  ];
  const rows = snapshots.map((snapshot): Cell[] => {
    const timeMs = Date.parse(snapshot.time);
    return [
      { text: shortId(snapshot.id), paint: style.bold },
      timeText(timeMs),
      ...(wide ? [ageText(timeMs, nowMs)] : []),
      ...(stacks ? [snapshot.stack ?? style.signs.none] : []),
      (snapshot.safety ? "(safety) " : "") + (snapshot.stores.join(", ") || style.signs.none),
      ...(roomy ? [snapshot.readBytes === null ? style.signs.none : sizeText(snapshot.readBytes)] : []),
      snapshot.addedBytes === null ? style.signs.none : sizeText(snapshot.addedBytes),
      proofCell(snapshot.proof, wide ? nowMs : undefined, style),
    ];
  });
  return tableText(columns, rows, style);
}

/** Without `nowMs` there is no room for when it was proven. */
function proofCell(proof: ListedSnapshot["proof"], nowMs: number | undefined, style: Style): Cell {
  if (proof === null) return { text: style.signs.none, paint: style.dim };
  const age = nowMs === undefined ? "" : ` ${ageText(Date.parse(proof.at), nowMs)}`;
  if (!proof.ok) return { text: `${style.signs.bad} ${proof.level}${age}`, paint: style.bad };
  return { text: `${style.signs.good} ${proof.level}${age}`, paint: style.good };
}
