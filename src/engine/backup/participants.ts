/**
 * The repositories of a run: those that are still well, and what became of the others. One that fails leaves, and the
 * others go on; the run fails when none is left.
 */
import { MemkeepError, reasonOf } from "../../domain/errors.ts";
import { noneLeft, type RepositoryFailure } from "../../repository/none-left.ts";
import type { Repository } from "../../repository/repository.ts";
import type { StackRepository, Surroundings } from "../stack.ts";
import type { RepositoryOutcome } from "./report.ts";

/** A repository that takes part, open. */
export interface OpenRepository {
  readonly name: string;
  readonly repository: Repository;
}

export class Participants {
  readonly #well: OpenRepository[];
  readonly #failures: RepositoryFailure[] = [];
  readonly #outcomes: RepositoryOutcome[] = [];
  readonly #surroundings: Surroundings;

  constructor(open: readonly OpenRepository[], surroundings: Surroundings) {
    this.#well = [...open];
    this.#surroundings = surroundings;
  }

  get well(): readonly OpenRepository[] {
    return this.#well;
  }

  /** One for each repository that left. */
  get failed(): readonly RepositoryOutcome[] {
    return this.#outcomes;
  }

  /** What `work` gives for each that is well, all at the same time; those for which it rejects leave. Rejects when none is left. */
  async each<T>(work: (participant: OpenRepository) => Promise<T>): Promise<T[]> {
    const before = [...this.#well];
    const results = await Promise.allSettled(before.map(work));
    const given: T[] = [];
    for (const [number, result] of results.entries()) {
      if (result.status === "fulfilled") given.push(result.value);
      else this.leave(before[number]!, result.reason);
    }
    this.refuseNone();
    return given;
  }

  leave({ name, repository }: OpenRepository, error: unknown): void {
    const at = this.#well.findIndex((participant) => participant.name === name);
    if (at >= 0) this.#well.splice(at, 1);
    this.#note(name, repository.location, error);
  }

  /** Notes one that could not be opened. */
  missing(name: string, error: unknown): void {
    this.#note(name, name, error);
  }

  refuseNone(): void {
    this.#surroundings.signal.throwIfAborted();
    if (this.#well.length > 0) return;
    if (this.#failures.length > 0) throw noneLeft(this.#failures);
    throw new MemkeepError("CONFIG_INVALID", { tried: "back up", happened: "no repository is configured" });
  }

  #note(name: string, location: string, error: unknown): void {
    this.#failures.push({
      repository: name,
      error: error instanceof Error ? error : new Error(String(error)),
    });
    this.#outcomes.push(failedOutcome(name, location, error));
    if (this.#well.length > 0) this.#surroundings.observer.warn(name, `left out: ${reasonOf(error)}`);
  }
}

/** Opens what can be opened. With several, one that stalls is given up after `stallLimitMs`. Rejects when none opens. */
export async function openParticipants(
  repositories: readonly StackRepository[],
  stallLimitMs: number,
  surroundings: Surroundings,
): Promise<Participants> {
  const options = repositories.length > 1 ? { stallLimitMs } : undefined;
  const results = await Promise.allSettled(repositories.map((repository) => repository.open(options)));
  const open = results.flatMap((result, number) =>
    result.status === "fulfilled" ? { name: repositories[number]!.name, repository: result.value } : [],
  );
  const participants = new Participants(open, surroundings);
  for (const [number, result] of results.entries()) {
    if (result.status === "rejected") participants.missing(repositories[number]!.name, result.reason);
  }
  if (open.length === 0) participants.refuseNone();
  return participants;
}

export function failedOutcome(name: string, location: string, error: unknown): RepositoryOutcome {
  return {
    name,
    location,
    result: "failed",
    snapshot: undefined,
    addedBytes: undefined,
    text: reasonOf(error),
  };
}
