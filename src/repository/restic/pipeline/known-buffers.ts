/**
 * Shared buffers that the workers know by number. Sending a shared buffer costs more than everything else in a message, and
 * the same few are used all the time: they are sent once, and jobs carry their numbers.
 */
import type { Job } from "./jobs.ts";

/** A job as it travels: a known buffer is its number. */
export type PostedJob = { readonly [Key in keyof Job]: unknown };

/** Members of jobs that are shared buffers, or lists of them. None of them is ever a number otherwise. */
const bufferMembers = ["input", "ids", "output", "outputs"] as const;

export function withNumbers(
  job: Job,
  numberOf: (buffer: SharedArrayBuffer) => number | undefined,
): PostedJob {
  return replaced(job, (value) =>
    value instanceof SharedArrayBuffer ? (numberOf(value) ?? value) : value,
  ) as PostedJob;
}

export function withBuffers(posted: PostedJob, known: readonly SharedArrayBuffer[]): Job {
  return replaced(posted, (value) => (typeof value === "number" ? known[value] : value)) as unknown as Job;
}

function replaced(job: object, replace: (value: unknown) => unknown): object {
  const members: Record<string, unknown> = { ...job };
  for (const member of bufferMembers) {
    const value = members[member];
    if (value !== undefined) members[member] = Array.isArray(value) ? value.map(replace) : replace(value);
  }
  return members;
}
