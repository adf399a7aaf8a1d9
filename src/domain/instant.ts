/** Points in time as people write them. */

/** What to write, for messages. */
export const instantForm =
  'a time such as "2026-11-20 02:00" (local), "2026-11-20T02:00:00Z", or "2026-11-20" (the end of that day)';

const pattern =
  /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?: ?(Z|UTC|[+-]\d{2}:?\d{2}))?)?$/;

/**
 * Milliseconds since 1970: local time unless a zone is given. What is left out is filled up to its end, so that "at or
 * before 02:00" includes what was made at 02:00:30. Undefined for anything else, and for days that no calendar has.
 */
export function parseInstant(text: string): number | undefined {
  const match = pattern.exec(text.trim());
  if (!match) return undefined;
  const [, year, month, day, hour = "23", minute = "59", second = "59", fraction = "999", zone] = match;
  const parts = [year, month, day, hour, minute, second].map(Number);
  const [y, mo, d, h, mi, s] = parts as [number, number, number, number, number, number];
  const milliseconds = Number(fraction.padEnd(3, "0").slice(0, 3));
  const utc = new Date(Date.UTC(y, mo - 1, d, h, mi, s, milliseconds));
  // A 30 February would silently become the 2 March.
  const wraps = utc.getUTCMonth() !== mo - 1 || utc.getUTCDate() !== d || utc.getUTCHours() !== h;
  if (wraps || utc.getUTCMinutes() !== mi || utc.getUTCSeconds() !== s) return undefined;
  if (zone === undefined) return new Date(y, mo - 1, d, h, mi, s, milliseconds).getTime();
  return utc.getTime() - zoneOffsetMs(zone);
}

function zoneOffsetMs(zone: string): number {
  if (zone === "Z" || zone === "UTC") return 0;
  const sign = zone.startsWith("-") ? -1 : 1;
  return sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))) * 60_000;
}
