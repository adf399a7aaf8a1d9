/** Durations as people write them: `30s`, `5m`, `24h`, `7d`, `2w`, `1h30m`. */

export const durationPattern = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+$/;

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** What to write, for messages. */
export const durationForm = "a duration such as 30s, 5m, 24h, 7d or 1h30m";

/** Milliseconds; undefined when the text is no duration, or longer than numbers are exact. A bare `0` is none at all. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (!durationPattern.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)) {
    totalMs += Number(amount) * unitMs[unit!]!;
  }
  return Number.isSafeInteger(Math.round(totalMs)) ? Math.round(totalMs) : undefined;
}
