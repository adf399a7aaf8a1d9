/** The one error to tell when nothing took a snapshot, of the errors of each repository. */
import { MemkeepError, reasonOf } from "../domain/errors.ts";

export interface RepositoryFailure {
  /** Its name, or where it is. */
  readonly repository: string;
  readonly error: Error;
}

/** The error itself where there is one. Of several the code is theirs when all have the same, otherwise `STORAGE_FAILED`. */
export function noneLeft(failures: readonly RepositoryFailure[]): Error {
  const [first] = failures;
  if (failures.length < 2) return first?.error ?? new Error("there was no repository to write to");
  const known = failures.map(({ error }) => (error instanceof MemkeepError ? error : undefined));
  const code = known[0]?.code;
  const next = known.find((error) => error?.next !== undefined)?.next;
  return new MemkeepError(
    code !== undefined && known.every((error) => error?.code === code) ? code : "STORAGE_FAILED",
    {
      tried: `write the snapshot to any of ${failures.length} repositories`,
      happened: failures.map(({ repository, error }) => `${repository}: ${reasonOf(error)}`).join("; "),
      ...(next === undefined ? {} : { next }),
      cause: first!.error,
      details: {
        repositories: failures.map(({ repository, error }) => ({ repository, text: reasonOf(error) })),
      },
    },
  );
}
