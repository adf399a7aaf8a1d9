/** Retention rules, with the names and the meaning of restic's `forget --keep-*`. */
import { MemkeepError } from "../errors.ts";
import type { KeepSpan } from "./stamp.ts";

/** Numbers count snapshots: the newest of each of the last n hours, days … that have one. -1 keeps all of them. */
export interface KeepRules {
  readonly last?: number;
  readonly hourly?: number;
  readonly daily?: number;
  readonly weekly?: number;
  readonly monthly?: number;
  readonly yearly?: number;
  /** Everything so long before the newest snapshot that does not lie in the future. */
  readonly within?: KeepSpan;
  /** The newest of each hour, day … within the span. */
  readonly withinHourly?: KeepSpan;
  readonly withinDaily?: KeepSpan;
  readonly withinWeekly?: KeepSpan;
  readonly withinMonthly?: KeepSpan;
  readonly withinYearly?: KeepSpan;
  /** Everything that has all tags of one of the lists. `[""]` means no tags at all. */
  readonly tags?: readonly (readonly string[])[];
}

/** True when the rules say nothing: then everything is kept. */
export function areEmpty(rules: KeepRules): boolean {
  return Object.values(rules).every((rule: number | KeepSpan | readonly unknown[] | undefined) => {
    if (rule === undefined || rule === 0) return true;
    if (typeof rule === "number") return false;
    return isList(rule) ? rule.length === 0 : isZero(rule);
  });
}

export function isZero({ years, months, days, hours }: KeepSpan): boolean {
  return years === 0 && months === 0 && days === 0 && hours === 0;
}

/** `2y5m7d3h`, as restic reads it. `USAGE` for anything else. */
export function parseSpan(text: string): KeepSpan {
  const match = /^(?=\d)(?:(\d+)y)?(?:(\d+)m)?(?:(\d+)d)?(?:(\d+)h)?$/.exec(text);
  if (!match) {
    throw new MemkeepError("USAGE", {
      tried: `read the span ${JSON.stringify(text)}`,
      happened: "it is not one",
      next: "Write years, months, days and hours in that order, such as 2y5m7d3h or 30d.",
    });
  }
  const [years, months, days, hours] = match.slice(1).map((digits) => Number(digits ?? 0));
  return { years: years!, months: months!, days: days!, hours: hours! };
}

/** The reverse of `parseSpan`. */
export function formatSpan({ years, months, days, hours }: KeepSpan): string {
  const parts = [
    [years, "y"],
    [months, "m"],
    [days, "d"],
    [hours, "h"],
  ] as const;
  return parts.map(([count, unit]) => (count === 0 ? "" : `${count}${unit}`)).join("");
}

function isList(rule: KeepSpan | readonly unknown[]): rule is readonly unknown[] {
  return Array.isArray(rule);
}
