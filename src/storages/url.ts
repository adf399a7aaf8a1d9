/** What storage URLs of all kinds have in common: how they are shown, and how they are refused. */
import { MemkeepError } from "../domain/errors.ts";

/**
 * The URL for people and errors: without what stands before an `@` and after a `?` or `#` (where secrets hide),
 * without control characters, and not endless.
 */
export function printableUrl(url: string): string {
  const shown = url
    // To the last `@`, wherever it stands: secret keys hold `/`, `?` and `@` themselves.
    .replace(/^((?:[a-z0-9]+:)?(?:[a-z]+:\/\/)?).*@/is, "$1***@")
    .replace(/[?#].*$/s, "?***")
    // oxlint-disable-next-line no-control-regex -- control characters are what is removed
    .replaceAll(/[\0-\x1F\x7F-\x9F\u2028\u2029]/g, "\uFFFD");
  return shown.length <= 200 ? shown : `${shown.slice(0, 199)}…`;
}

/** `CONFIG_INVALID` for a storage URL, in words and without its secrets. */
export function invalidUrl(url: string, happened: string, next: string, cause?: unknown): MemkeepError {
  return new MemkeepError("CONFIG_INVALID", {
    tried: `understand the storage URL ${JSON.stringify(printableUrl(url))}`,
    happened,
    next,
    ...(cause === undefined ? {} : { cause }),
  });
}
