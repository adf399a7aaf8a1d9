/** Dates, times, durations and points between the driver and the dump. Fields of the driver are `bigint` here. */
import neo4j from "neo4j-driver";
import type {
  Date as Neo4jDate,
  DateTime,
  Duration,
  LocalDateTime,
  LocalTime,
  Point,
  Time,
} from "neo4j-driver";
import { MemkeepError } from "../../domain/errors.ts";
import { readDate, readOffset, writeDateTime, writeOffset } from "../format/temporal.ts";
import { Tagged } from "../format/value.ts";
import type { Value } from "../format/value.ts";

/** The driver's own tests, for a driver that gives integers as `bigint`. */
const is = neo4j as unknown as {
  isDate(value: object): value is Neo4jDate<bigint>;
  isDateTime(value: object): value is DateTime<bigint>;
  isDuration(value: object): value is Duration<bigint>;
  isLocalDateTime(value: object): value is LocalDateTime<bigint>;
  isLocalTime(value: object): value is LocalTime<bigint>;
  isPoint(value: object): value is Point<bigint>;
  isTime(value: object): value is Time<bigint>;
};

/** The tagged value of a temporal value or point; undefined for anything else. */
export function taggedValue(value: object): Tagged | undefined {
  if (is.isDateTime(value)) return new Tagged("dateTime", zonedText(value));
  if (is.isPoint(value)) return pointValue(value);
  if (is.isDate(value)) return new Tagged("date", dateText(value));
  if (is.isLocalDateTime(value)) {
    return new Tagged("localDateTime", `${dateText(value)}T${timeText(value)}`);
  }
  if (is.isDuration(value)) {
    const { months, days, seconds, nanoseconds } = value;
    return new Tagged("duration", [months, days, seconds, nanoseconds].map(BigInt));
  }
  if (is.isTime(value)) {
    return new Tagged("time", timeText(value) + writeOffset(Number(value.timeZoneOffsetSeconds)));
  }
  return is.isLocalTime(value) ? new Tagged("localTime", timeText(value)) : undefined;
}

function pointValue({ srid, x, y, z }: Point<bigint>): Tagged {
  return new Tagged("point", [srid, x, y, ...(z === undefined ? [] : [z])]);
}

interface DateFields {
  readonly year: bigint;
  readonly month: bigint;
  readonly day: bigint;
}

interface TimeFields {
  readonly hour: bigint;
  readonly minute: bigint;
  readonly second: bigint;
  readonly nanosecond: bigint;
}

function dateText({ year, month, day }: DateFields): string {
  const sign = year < 0n ? "-" : year > 9999n ? "+" : "";
  const digits = String(year < 0n ? -year : year).padStart(4, "0");
  return `${sign}${digits}-${two(month)}-${two(day)}`;
}

function timeText({ hour, minute, second, nanosecond }: TimeFields): string {
  const text = `${two(hour)}:${two(minute)}:${two(second)}`;
  return nanosecond === 0n ? text : `${text}.${String(nanosecond).padStart(9, "0").replace(/0+$/, "")}`;
}

function two(value: bigint): string {
  return String(value).padStart(2, "0");
}

/**
 * With an offset as it is. In a named zone the store holds the instant and the zone, and the offset comes from whoever prints
 * it: the instant is written in UTC, so that a newer table of time zones changes no dump.
 */
function zonedText(value: DateTime<bigint>): string {
  const { timeZoneId, timeZoneOffsetSeconds: offset } = value;
  if (offset === null || offset === undefined) throw unknownInstant();
  const local = `${dateText(value)}T${timeText(value)}`;
  if (timeZoneId === null || timeZoneId === undefined) return local + writeOffset(Number(offset));
  const seconds = secondsOf(value) - offset;
  return instantText(seconds, value.nanosecond, timeZoneId);
}

/** A date and time in a named zone, from its parts. */
export function instantText(epochSeconds: bigint, nanos: bigint, zone: string): string {
  return `${writeDateTime(epochSeconds, nanos)}+00:00[${zone}]`;
}

function secondsOf(value: DateFields & TimeFields): bigint {
  const days = readDate(dateText(value));
  if (days === undefined) throw new TypeError("the driver gave a date that is none");
  return days * 86_400n + value.hour * 3600n + value.minute * 60n + value.second;
}

function unknownInstant(): MemkeepError {
  return new MemkeepError("STORE_UNSUPPORTED", {
    tried: "read a date and time in a named zone",
    happened: "the server does not tell its offset; Neo4j 5 and later do",
  });
}

const datePart = /^([+-]?\d+)-(\d\d)-(\d\d)$/;
const timePart = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?/;

/** What the driver is given for a tagged value; undefined for a tag that Neo4j does not have, or a text that is none. */
export function driverTemporal({ tag, value }: Tagged): unknown {
  if (tag === "point") return driverPoint(value);
  if (tag === "duration") return driverDuration(value);
  if (typeof value !== "string") return undefined;
  if (tag === "date") {
    const date = dateFields(value);
    return date && new neo4j.types.Date(...date);
  }
  if (tag === "localTime") {
    const time = timeFields(value);
    return time && new neo4j.types.LocalTime(...time.fields);
  }
  if (tag === "time") {
    const time = timeFields(value);
    const offset = time && readOffset(value.slice(time.length));
    return offset === undefined ? undefined : new neo4j.types.Time(...time!.fields, BigInt(offset));
  }
  const middle = value.indexOf("T");
  const date = dateFields(value.slice(0, Math.max(0, middle)));
  const time = timeFields(value.slice(middle + 1));
  if (!date || !time) return undefined;
  const rest = value.slice(middle + 1 + time.length);
  if (tag === "localDateTime") {
    return rest === "" ? new neo4j.types.LocalDateTime(...date, ...time.fields) : undefined;
  }
  return tag === "dateTime" ? driverZoned(date, time.fields, rest) : undefined;
}

type Triple = [bigint, bigint, bigint];
type Quadruple = [bigint, bigint, bigint, bigint];

function driverZoned(date: Triple, time: Quadruple, rest: string): unknown {
  const match = /^([^[]+)(?:\[([^\]]+)\])?$/.exec(rest);
  const offset = match ? readOffset(match[1]!) : undefined;
  if (offset === undefined) return undefined;
  return new neo4j.types.DateTime(...date, ...time, BigInt(offset), match![2] ?? null);
}

function dateFields(text: string): Triple | undefined {
  const match = datePart.exec(text);
  if (!match || readDate(text) === undefined) return undefined;
  return [BigInt(match[1]!.replace("+", "")), BigInt(match[2]!), BigInt(match[3]!)];
}

function timeFields(text: string): { readonly fields: Quadruple; readonly length: number } | undefined {
  const match = timePart.exec(text);
  if (!match) return undefined;
  const nanos = BigInt((match[4] ?? "").padEnd(9, "0"));
  return {
    fields: [BigInt(match[1]!), BigInt(match[2]!), BigInt(match[3]!), nanos],
    length: match[0].length,
  };
}

function driverPoint(value: Value): unknown {
  if (!Array.isArray(value)) return undefined;
  const [srid, x, y, z] = value as readonly Value[];
  if (typeof srid !== "bigint" || typeof x !== "number" || typeof y !== "number") return undefined;
  if (z !== undefined && typeof z !== "number") return undefined;
  return z === undefined ? new neo4j.types.Point(srid, x, y) : new neo4j.types.Point(srid, x, y, z);
}

function driverDuration(value: Value): unknown {
  if (!Array.isArray(value) || value.length !== 4) return undefined;
  const parts = value as readonly Value[];
  if (!parts.every((part) => typeof part === "bigint")) return undefined;
  const [months, days, seconds, nanos] = parts as Quadruple;
  return new neo4j.types.Duration(months, days, seconds, nanos);
}
