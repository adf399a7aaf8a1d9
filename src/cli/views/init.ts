/** What `memkeep init` made. */
import type { CycleReport } from "../../engine/backup/cycle.ts";
import type { Style } from "../output/style.ts";
import { shortPath } from "../output/paths.ts";
import { hanging, printable, wrap } from "../output/style.ts";
import { backupView } from "./backup.ts";

/** Shape of `memkeep init --json`. */
export interface InitReport {
  readonly repositories: readonly {
    readonly name: string;
    readonly location: string;
    readonly id: string;
    readonly result: "made" | "was there";
    /** The first repository, where both cut files in the same places; null where each backup is cut once more for this one. */
    readonly cutsAs: string | null;
  }[];
  /** Where a configuration was written: it, and what was written beside it. */
  readonly files?: readonly string[];
  /** The first backup; null where none was asked for, or it failed. */
  readonly backup?: CycleReport | null;
  /** Shown this one time. */
  readonly recoveryKey?: string | null;
}

export function initView(
  { repositories, files = [], backup, recoveryKey }: InitReport,
  style: Style,
): string {
  const line = (text: string): string => hanging(`${style.good(style.signs.good)} `, printable(text), style);
  const blocks = [
    [
      ...files.map((file) => `${style.good(style.signs.good)} wrote ${printable(shortPath(file))}`),
      ...repositories.map(({ name, location, id, result }) => {
        const where = `at ${location} (${id.slice(0, 8)})`;
        return result === "made"
          ? line(`made the repository ${name} ${where}`)
          : line(`the repository ${name} is there already ${where}, and the password opens it`);
      }),
    ].join("\n"),
    ...(backup ? [backupView(backup, style)] : []),
    ...(typeof recoveryKey === "string" ? [recoveryText(recoveryKey, style)] : []),
  ];
  return blocks.join("\n\n");
}

function recoveryText(key: string, style: Style): string {
  const words =
    "The recovery key opens the repository as the password does. It is shown this once: write it down, hyphens and all, and keep it away from this machine.";
  return `${wrap(words, style.columns, "")}\n\n  ${style.bold(key)}\n`;
}
