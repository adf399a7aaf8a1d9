/** An answer of a question, or the end of all questions. */
import { MemkeepError } from "../../domain/errors.ts";

/** Ctrl-C and Escape end the wizard. Nothing is written before the last answer, so there is nothing to take back. */
export function cancelled(): MemkeepError {
  return new MemkeepError("INTERRUPTED", {
    tried: "set up memkeep",
    happened: "it was cancelled",
    next: "Nothing was written. `memkeep init` begins again.",
  });
}
