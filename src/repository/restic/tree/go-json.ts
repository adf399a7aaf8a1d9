/**
 * JSON as Go's `encoding/json` prints it. Stock restic re-encodes trees when it rewrites them and refuses those
 * that do not come out the same, so ours must be printed the same way.
 */

/** `JSON.stringify` with Go's escapes for `<`, `>`, `&`, U+2028 and U+2029. */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * A time as Go's RFC3339Nano prints it: UTC, and no trailing zeros in the fraction (restic cannot re-encode `.100Z`).
 */
export function goTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.?0*Z$/, "Z");
}
