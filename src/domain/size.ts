/** Sizes as people write them: `500 MB` (powers of 1000), `16KiB` (powers of 1024), `1024` (bytes). */

export const sizePattern = /^(\d+(?:\.\d+)?) ?([kKMGT]i?)?B?$/;

/** What to write, for messages. */
export const sizeForm = "a size such as 500MB, 1.5 GB or 16MiB";

/** Bytes; undefined when the text is no size, or too large to be exact. */
export function parseSize(text: string): number | undefined {
  const match = sizePattern.exec(text);
  if (!match) return undefined;
  const [, amount, unit = ""] = match;
  const power = ["", "k", "m", "g", "t"].indexOf(unit.slice(0, 1).toLowerCase());
  const sizeBytes = Math.round(Number(amount) * (unit.endsWith("i") ? 1024 : 1000) ** power);
  return Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined;
}
