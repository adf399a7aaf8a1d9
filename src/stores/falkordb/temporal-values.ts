/**
 * FalkorDB keeps dates, times and durations as seconds. Dates and times count from 1970-01-01; times of day from
 * 1900-01-01; durations are the seconds that they last after 1970-01-01 (months are already gone).
 */
import { MemkeepError } from "../../domain/errors.ts";
import { readDate, readDateTime, readTime, writeDate, writeDateTime, writeTime } from "../format/temporal.ts";
import { Tagged } from "../format/value.ts";
import type { Value } from "../format/value.ts";

const secondsPerDay = 86_400n;
const nanosPerSecond = 1_000_000_000n;
const timeOrigin = -2_208_988_800n;
/** The server reads numbers of dates and durations as float32, which holds integers up to here. */
const exactLimit = 2n ** 24n;

/** The server's type numbers (https://docs.falkordb.com/design/client-spec.html). */
export const temporalTypes = { localDateTime: 13, date: 14, time: 15, duration: 16 } as const;

export function temporalValue(type: number, seconds: bigint): Tagged {
  if (type === temporalTypes.localDateTime) return new Tagged("localDateTime", writeDateTime(seconds, 0n));
  if (type === temporalTypes.duration) return new Tagged("duration", [0n, 0n, seconds, 0n]);
  if (type === temporalTypes.date && seconds % secondsPerDay === 0n) {
    return new Tagged("date", writeDate(seconds / secondsPerDay));
  }
  const sinceMidnight = seconds - timeOrigin;
  if (type === temporalTypes.time && sinceMidnight >= 0n && sinceMidnight < secondsPerDay) {
    return new Tagged("localTime", writeTime(sinceMidnight * nanosPerSecond));
  }
  // `localtime(…) + duration(…)` goes past midnight without turning over.
  if (type === temporalTypes.time) return new Tagged("localTimeSeconds", sinceMidnight);
  throw unsupported("a date that is not at midnight");
}

/** The numbers from which the server makes the value again; `constructorOf` names the expression that takes them. */
export function temporalNumbers({ tag, value }: Tagged): readonly bigint[] | undefined {
  if (tag === "date" && typeof value === "string") return dateNumbers(readDate(value));
  if (tag === "localTime" && typeof value === "string") return timeNumbers(readTime(value));
  if (tag === "localTimeSeconds" && typeof value === "bigint") return clockNumbers(value);
  if (tag === "duration" && Array.isArray(value)) {
    const [months, days, seconds, nanos] = value as readonly Value[];
    const fits = months === 0n && nanos === 0n && typeof days === "bigint" && typeof seconds === "bigint";
    return fits ? durationNumbers(days * secondsPerDay + seconds) : undefined;
  }
  if (tag !== "localDateTime" || typeof value !== "string") return undefined;
  const instant = readDateTime(value);
  if (!instant || instant.nanos !== 0n) return undefined;
  const days = instant.epochSeconds / secondsPerDay - (instant.epochSeconds % secondsPerDay < 0n ? 1n : 0n);
  const date = dateNumbers(days);
  const time = timeNumbers((instant.epochSeconds - days * secondsPerDay) * nanosPerSecond);
  return date && time ? [...date, ...time] : undefined;
}

/** The expression that makes a value of its numbers; `at(n)` is the expression of the n-th. */
export function temporalConstructor(tag: string, at: (index: number) => string): string {
  const date = `year:${at(0)},month:${at(1)},day:${at(2)}`;
  const duration = `duration({weeks:${at(0)},days:${at(1)},seconds:${at(2)}})`;
  switch (tag) {
    case "date":
      return `date({${date}})`;
    case "localTime":
      return `localtime({hour:${at(0)},minute:${at(1)},second:${at(2)}})`;
    case "localDateTime":
      return `localdatetime({${date},hour:${at(3)},minute:${at(4)},second:${at(5)}})`;
    case "localTimeSeconds":
      return `localtime({hour:${at(0)},minute:${at(1)},second:${at(2)}})+duration({seconds:${at(3)}})`;
    case "duration":
      return duration;
    default:
      throw unsupported("a value of another store's type");
  }
}

function dateNumbers(days: bigint | undefined): readonly bigint[] | undefined {
  if (days === undefined) return undefined;
  const match = /^([+-]?\d+)-(\d\d)-(\d\d)$/.exec(writeDate(days))!;
  const year = BigInt(match[1]!.replace("+", ""));
  if (year > exactLimit || year < -exactLimit) throw unsupported("a year so far away");
  return [year, BigInt(match[2]!), BigInt(match[3]!)];
}

function timeNumbers(nanosOfDay: bigint | undefined): readonly bigint[] | undefined {
  if (nanosOfDay === undefined || nanosOfDay % nanosPerSecond !== 0n) return undefined;
  const seconds = nanosOfDay / nanosPerSecond;
  return [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n];
}

/** A time of day that is none: the nearest one that is, and the seconds to add. Days of a duration do not count there. */
function clockNumbers(seconds: bigint): readonly bigint[] {
  const nearest = seconds < 0n ? 0n : secondsPerDay - 1n;
  const more = seconds - nearest;
  if (more >= secondsPerDay || more <= -secondsPerDay) throw unsupported("a time of day so late or early");
  return [...timeNumbers(nearest * nanosPerSecond)!, more];
}

/** Weeks, days and seconds, each small enough for float32. */
function durationNumbers(total: bigint): readonly bigint[] {
  const days = total / secondsPerDay;
  const weeks = days / 7n;
  if (weeks > exactLimit || weeks < -exactLimit) throw unsupported("so long a duration");
  return [weeks, days - weeks * 7n, total - days * secondsPerDay];
}

function unsupported(what: string): MemkeepError {
  return new MemkeepError("STORE_UNSUPPORTED", {
    tried: "bring a date, time or duration over",
    happened: `FalkorDB cannot hold ${what}`,
  });
}
