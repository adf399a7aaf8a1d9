/** Tells damage of a file from a storage that cannot be asked just now. */
import { isMemkeepError, MemkeepError } from "../../../domain/errors.ts";
import { isTransient } from "../../../storages/decorators/retry.ts";

/**
 * The error, when it speaks of the file: damaged, missing, or on a part of the disk that cannot be read. Throws it otherwise: a
 * server that is away, or a right that is lacking, says nothing of what is stored, and a repair that took it for
 * damage would do harm.
 */
export function asDamage(error: unknown): MemkeepError {
  if (!(error instanceof MemkeepError) || isTransient(error) || isMemkeepError(error, "STORAGE_DENIED"))
    throw error;
  return error;
}
