import { MemkeepError } from "../../domain/errors.ts";

/** The error for a dump file that does not hold what it should. `happened` is a clause without values of the store. */
export function damaged(file: string, happened: string, cause?: unknown): MemkeepError {
  return new MemkeepError("DUMP_DAMAGED", {
    tried: `read the dump file ${file}`,
    happened,
    next: "Run `memkeep verify --level stored` on this snapshot, and restore another one.",
    cause,
  });
}
