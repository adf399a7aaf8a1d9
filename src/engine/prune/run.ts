/** Frees what no snapshot uses, and tells when the place keeps what was removed. */
import { reasonOf } from "../../domain/errors.ts";
import type { PruneOptions, Repository } from "../../repository/repository.ts";
import type { StackRepository, Surroundings } from "../stack.ts";
import type { PruneReport } from "./report.ts";

/** `place` is where the repository lies. Asks it only when something was removed. */
export async function prune(
  repository: Repository,
  place: Pick<StackRepository, "name" | "inspect">,
  options: PruneOptions,
  { signal, observer }: Pick<Surroundings, "signal" | "observer">,
): Promise<PruneReport> {
  const plan = await repository.prune(options);
  if (plan.removePacks + plan.repackPacks === 0) return { ...plan, stillStored: undefined };
  try {
    const facts = await place.inspect();
    if (facts?.keepsRemoved !== true) return { ...plan, stillStored: undefined };
    return { ...plan, stillStored: facts.sentences[0] };
  } catch (error) {
    signal.throwIfAborted();
    // The room is freed, or not: that nobody can tell is no failure of the prune.
    observer.warn(place.name, `whether removed entries still take room is unknown: ${reasonOf(error)}`);
    return { ...plan, stillStored: undefined };
  }
}
