/** What `memkeep init` made. */
import type { Style } from "../output/style.ts";
import { printable } from "../output/style.ts";

export interface InitReport {
  readonly repositories: readonly {
    readonly name: string;
    readonly location: string;
    readonly id: string;
    readonly result: "made" | "was there";
  }[];
}

export function initView({ repositories }: InitReport, style: Style): string {
  return repositories
    .map(({ name, location, id, result }) =>
      result === "made"
        ? `${style.good(style.signs.good)} made the repository ${printable(name)} at ${printable(location)} (${id.slice(0, 8)})`
        : `${style.good(style.signs.good)} the repository ${printable(name)} is there already at ${printable(location)} (${id.slice(0, 8)}), and the password opens it`,
    )
    .join("\n");
}
