/**
 * Dates and times as ISO 8601 text, exactly, for any year: JavaScript's `Date` ends at the year 275,760 and knows no
 * nanoseconds. The calendar is the proleptic Gregorian one; the arithmetic is Howard Hinnant's
 * (https://howardhinnant.github.io/date_algorithms.html).
 */

const nanosPerSecond = 1_000_000_000n;
const secondsPerDay = 86_400n;

/** `2026-11-21`; years beyond four digits have a sign (`+12026-01-01`, `-0001-12-31`). */
export function writeDate(epochDays: bigint): string {
  const shifted = epochDays + 719_468n;
  const era = floorDivide(shifted, 146_097n);
  const dayOfEra = shifted - era * 146_097n;
  const yearOfEra = (dayOfEra - dayOfEra / 1460n + dayOfEra / 36_524n - dayOfEra / 146_096n) / 365n;
  const dayOfYear = dayOfEra - (365n * yearOfEra + yearOfEra / 4n - yearOfEra / 100n);
  const monthFromMarch = (5n * dayOfYear + 2n) / 153n;
  const day = dayOfYear - (153n * monthFromMarch + 2n) / 5n + 1n;
  const month = monthFromMarch < 10n ? monthFromMarch + 3n : monthFromMarch - 9n;
  const year = yearOfEra + era * 400n + (month <= 2n ? 1n : 0n);
  const sign = year < 0n ? "-" : year > 9999n ? "+" : "";
  const digits = (year < 0n ? -year : year).toString().padStart(4, "0");
  return `${sign}${digits}-${pad(month)}-${pad(day)}`;
}

/** `10:11:12`, with a fraction without trailing zeros where there is one. `nanosOfDay` is below 86,400 × 10^9. */
export function writeTime(nanosOfDay: bigint): string {
  const seconds = nanosOfDay / nanosPerSecond;
  const nanos = nanosOfDay % nanosPerSecond;
  const text = `${pad(seconds / 3600n)}:${pad((seconds / 60n) % 60n)}:${pad(seconds % 60n)}`;
  if (nanos === 0n) return text;
  return `${text}.${nanos.toString().padStart(9, "0").replace(/0+$/, "")}`;
}

/** Date and time, joined by `T`, of an instant without zone. */
export function writeDateTime(epochSeconds: bigint, nanos: bigint): string {
  const days = floorDivide(epochSeconds, secondsPerDay);
  return `${writeDate(days)}T${writeTime((epochSeconds - days * secondsPerDay) * nanosPerSecond + nanos)}`;
}

/** `+01:00`, `-00:30`, `+05:53:28`; never `Z`. */
export function writeOffset(offsetSeconds: number): string {
  const size = BigInt(Math.abs(offsetSeconds));
  const text = `${offsetSeconds < 0 ? "-" : "+"}${pad(size / 3600n)}:${pad((size / 60n) % 60n)}`;
  return size % 60n === 0n ? text : `${text}:${pad(size % 60n)}`;
}

const datePattern = /^([+-]?\d{4,15})-(\d\d)-(\d\d)$/;
const timePattern = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?$/;
const offsetPattern = /^([+-])(\d\d):(\d\d)(?::(\d\d))?$/;

/** Days since 1970-01-01, or undefined when the text is no date that `writeDate` writes. */
export function readDate(text: string): bigint | undefined {
  const match = datePattern.exec(text);
  if (!match) return undefined;
  const month = BigInt(match[2]!);
  const day = BigInt(match[3]!);
  const year = BigInt(match[1]!.replace("+", "")) - (month <= 2n ? 1n : 0n);
  const era = floorDivide(year, 400n);
  const yearOfEra = year - era * 400n;
  const dayOfYear = (153n * (month > 2n ? month - 3n : month + 9n) + 2n) / 5n + day - 1n;
  const dayOfEra = yearOfEra * 365n + yearOfEra / 4n - yearOfEra / 100n + dayOfYear;
  const days = era * 146_097n + dayOfEra - 719_468n;
  return writeDate(days) === text ? days : undefined;
}

/** Nanoseconds since midnight, or undefined. */
export function readTime(text: string): bigint | undefined {
  const match = timePattern.exec(text);
  if (!match) return undefined;
  const seconds = BigInt(match[1]!) * 3600n + BigInt(match[2]!) * 60n + BigInt(match[3]!);
  const nanos = seconds * nanosPerSecond + BigInt((match[4] ?? "").padEnd(9, "0"));
  return writeTime(nanos) === text ? nanos : undefined;
}

export function readDateTime(text: string): { epochSeconds: bigint; nanos: bigint } | undefined {
  const middle = text.indexOf("T");
  const days = readDate(text.slice(0, Math.max(0, middle)));
  const time = readTime(text.slice(middle + 1));
  if (days === undefined || time === undefined) return undefined;
  return { epochSeconds: days * secondsPerDay + time / nanosPerSecond, nanos: time % nanosPerSecond };
}

/** Seconds east of Greenwich, or undefined. */
export function readOffset(text: string): number | undefined {
  const match = offsetPattern.exec(text);
  if (!match) return undefined;
  const size = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  return match[1] === "-" ? -size : size;
}

function floorDivide(left: bigint, right: bigint): bigint {
  const quotient = left / right;
  return left % right < 0n ? quotient - 1n : quotient;
}

function pad(value: bigint): string {
  return value.toString().padStart(2, "0");
}
