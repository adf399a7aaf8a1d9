/** The time of a snapshot as retention sees it: the instant, and the calendar of the zone that stands in its text. */
import { MemkeepError } from "../errors.ts";

export interface Stamp {
  /** Whole seconds since 1970. */
  readonly seconds: number;
  /** The rest, 0 to 999,999,999: restic writes nine digits, and two snapshots may differ in the last. */
  readonly nanos: number;
  /** What the zone's clocks are ahead of UTC. */
  readonly offsetSeconds: number;
}

/** A span by the calendar: a month is as long as it is. */
export interface KeepSpan {
  readonly years: number;
  readonly months: number;
  readonly days: number;
  readonly hours: number;
}

const pattern = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?(Z|([+-])(\d{2}):(\d{2}))$/;

/** Reads RFC 3339. `REPOSITORY_DAMAGED` for anything else: restic stops at such a snapshot too. */
export function parseStamp(text: string): Stamp {
  const match = pattern.exec(text);
  const wallMs = match ? Date.parse(`${match[1]}Z`) : Number.NaN;
  if (!match || Number.isNaN(wallMs)) {
    throw new MemkeepError("REPOSITORY_DAMAGED", {
      tried: "find out how old a snapshot is",
      happened: `its time is ${JSON.stringify(text)}`,
    });
  }
  const away = match[3] === "Z" ? 0 : Number(match[5]) * 3600 + Number(match[6]) * 60;
  const offsetSeconds = match[4] === "-" ? -away : away;
  const nanos = Number((match[2] ?? "").padEnd(9, "0"));
  return { seconds: wallMs / 1000 - offsetSeconds, nanos, offsetSeconds };
}

/** Negative when `a` is earlier. */
export function compareStamps(a: Stamp, b: Stamp): number {
  return a.seconds - b.seconds || a.nanos - b.nanos;
}

/** The stamp as far back as the span says, by the calendar of its zone; a day that a month does not have runs over into the next. */
export function before(stamp: Stamp, span: KeepSpan): Stamp {
  const wall = wallOf(stamp);
  const moved = Date.UTC(
    wall.getUTCFullYear() - span.years,
    wall.getUTCMonth() - span.months,
    wall.getUTCDate() - span.days,
    wall.getUTCHours() - span.hours,
    wall.getUTCMinutes(),
    wall.getUTCSeconds(),
  );
  return { ...stamp, seconds: moved / 1000 - stamp.offsetSeconds };
}

/** `2026`, `2026-11`, `2026-W47`, `2026-11-20`, `2026-11-20 13`: snapshots with the same one share a bucket. */
export function bucketOf(stamp: Stamp, by: "year" | "month" | "week" | "day" | "hour"): string {
  const wall = wallOf(stamp);
  const text = wall.toISOString();
  switch (by) {
    case "year":
      return text.slice(0, 4);
    case "month":
      return text.slice(0, 7);
    case "week":
      return isoWeek(wall);
    case "day":
      return text.slice(0, 10);
    case "hour":
      return text.slice(0, 13);
  }
}

/** ISO 8601: a week belongs to the year in which its Thursday lies. */
function isoWeek(wall: Date): string {
  const weekday = (wall.getUTCDay() + 6) % 7;
  const thursday = new Date(
    Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth(), wall.getUTCDate() - weekday + 3),
  );
  const year = thursday.getUTCFullYear();
  const dayOfYear = (thursday.getTime() - Date.UTC(year, 0, 1)) / 86_400_000;
  return `${year}-W${Math.floor(dayOfYear / 7) + 1}`;
}

/** The wall clock of the stamp's zone, in the UTC fields of a Date. */
function wallOf({ seconds, offsetSeconds }: Stamp): Date {
  return new Date((seconds + offsetSeconds) * 1000);
}
