/**
 * Names of entries (law 12). One rule for all storages: what is a name on one is a name on every other, and no name
 * can leave the folder or bucket prefix that the storage was given.
 */
import { MemkeepError } from "../domain/errors.ts";

/** Leaves room for the ending of a temporary file's name within the 255 bytes of a file name. */
const maxSegmentLength = 180;
/** S3 keys hold 1024 bytes, with the bucket prefix. */
const maxNameLength = 512;

/** Stands in the names of temporary files, restic's too. An entry's name never contains it. */
export const temporaryMark = "-tmp-";

/** One part of a name, between slashes. */
export function isNameSegment(segment: string): boolean {
  return (
    segment.length <= maxSegmentLength &&
    // Never a dot at the beginning: besides `.` and `..`, those are other programs' (`.snapshot`, `.Trash-1000`).
    /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(segment) &&
    !segment.includes(temporaryMark)
  );
}

export function isEntryName(name: string): boolean {
  return name.length <= maxNameLength && name.split("/").every(isNameSegment);
}

/** Returns the name. `STORAGE_FAILED` when an entry cannot have it: a caller's mistake, or hostile data. */
export function checkName(name: string, location: string): string {
  if (isEntryName(name)) return name;
  throw invalid(name, location, "an entry");
}

/** Returns the prefix. `STORAGE_FAILED` when it is neither empty nor a folder path ending in `/`. */
export function checkPrefix(prefix: string, location: string): string {
  if (prefix === "" || (prefix.endsWith("/") && isEntryName(prefix.slice(0, -1)))) return prefix;
  throw invalid(prefix, location, "a folder");
}

function invalid(name: string, location: string, what: string): MemkeepError {
  return new MemkeepError("STORAGE_FAILED", {
    tried: `use ${location}`,
    happened: `${JSON.stringify(name.slice(0, 80))} cannot be the name of ${what}`,
    details: { transient: false },
  });
}
