/** What a status is judged from. Asks every repository, and no store: it works while the stores are down. */
import { isMemkeepError, type MemkeepError, reasonOf } from "../../domain/errors.ts";
import type { LockInfo, Proof, SnapshotInfo } from "../../repository/repository.ts";
import type { StackRepository, Surroundings } from "../stack.ts";

export interface StatusFacts {
  readonly nowMs: number;
  /** Undefined when only a repository was named: then the only stack in it is meant. */
  readonly stack: string | undefined;
  readonly stores: readonly { readonly name: string; readonly kind: string; readonly optional: boolean }[];
  readonly repositories: readonly RepositoryFacts[];
  /** An older newest recovery point is too old. */
  readonly maxAgeMs: number;
}

export type RepositoryFacts =
  | {
      readonly name: string;
      readonly reached: true;
      readonly location: string;
      /** Newest first, safety snapshots among them. */
      readonly snapshots: readonly SnapshotInfo[];
      readonly proofs: readonly Proof[];
      readonly locks: readonly LockInfo[];
      /** What could not be read, in sentences. */
      readonly unreadable: readonly string[];
    }
  | { readonly name: string; readonly reached: false; readonly error: MemkeepError };

/** Rejects only when it is interrupted, or for what nobody foresaw: a repository that fails is a fact. */
export async function repositoryFacts(
  repositories: readonly StackRepository[],
  { signal }: Pick<Surroundings, "signal">,
): Promise<RepositoryFacts[]> {
  const facts: RepositoryFacts[] = [];
  // One after another: each may ask for its password.
  for (const stackRepository of repositories) {
    try {
      facts.push(await factsOf(stackRepository));
    } catch (error) {
      signal.throwIfAborted();
      if (!isMemkeepError(error)) throw error;
      facts.push({ name: stackRepository.name, reached: false, error });
    }
  }
  return facts;
}

async function factsOf(stackRepository: StackRepository): Promise<RepositoryFacts> {
  const repository = await stackRepository.open();
  try {
    const unreadable: string[] = [];
    const snapshots = await repository.snapshots((id, error) => {
      unreadable.push(`snapshot ${id.slice(0, 8)}: ${error.message}`);
    });
    let proofs: readonly Proof[] = [];
    try {
      proofs = await repository.proofs();
    } catch (error) {
      if (!isMemkeepError(error, "REPOSITORY_DAMAGED")) throw error;
      unreadable.push(reasonOf(error));
    }
    return {
      name: stackRepository.name,
      reached: true,
      location: repository.location,
      snapshots,
      proofs,
      locks: await repository.locks(),
      unreadable,
    };
  } finally {
    await repository.close();
  }
}
