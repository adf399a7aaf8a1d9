/**
 * The safety snapshot: what is about to be replaced goes into the repository first (law 5). A store that is too damaged
 * for a clean dump gives its raw bytes instead.
 */
import { isMemkeepError, reasonOf } from "../../domain/errors.ts";
import type { Repository } from "../../repository/repository.ts";
import type { Store, StoreContext } from "../../stores/store.ts";
import { Participants } from "../backup/participants.ts";
import { backupInto } from "../backup/run.ts";
import type { Stack, StackStore, Surroundings } from "../stack.ts";

/** Errors of a store itself, after which its raw bytes are the next best thing. */
const storeErrors = [
  "STORE_DAMAGED",
  "STORE_UNREADABLE",
  "STORE_EMPTY",
  "STORE_MISSING",
  "DUMP_INCOMPLETE",
] as const;

/** Backs up the named stores as they are now. Returns the snapshot's id. Rejects when even their bytes cannot be had. */
export async function takeSafetySnapshot(
  stack: Stack,
  repository: Repository,
  names: readonly string[],
  before: string,
  surroundings: Surroundings,
): Promise<string> {
  const stores = stack.stores.filter(({ name }) => names.includes(name));
  try {
    return await snapshotOf(stack, repository, stores, before, surroundings);
  } catch (error) {
    if (!isMemkeepError(error, ...storeErrors)) throw error;
    surroundings.observer.warn("safety snapshot", `taking the raw bytes, since ${reasonOf(error)}`);
    return snapshotOf(stack, repository, stores.map(salvaged), before, surroundings);
  }
}

async function snapshotOf(
  stack: Stack,
  repository: Repository,
  stores: readonly StackStore[],
  before: string,
  surroundings: Surroundings,
): Promise<string> {
  const result = await backupInto(
    { ...stack, stores },
    new Participants([{ name: "safety", repository }], surroundings),
    {
      minIntervalMs: 0,
      force: true,
      tags: [],
      allowEmpty: true,
      dryRun: false,
      stallLimitMs: Number.POSITIVE_INFINITY,
      safety: before,
    },
    surroundings,
  );
  if (result.kind !== "ran") throw new Error("a safety snapshot is never only planned");
  return result.report.repositories[0]!.snapshot!;
}

/** The same store, opened for its raw bytes when a clean view or dump cannot be had. */
function salvaged(store: StackStore): StackStore {
  return { ...store, connect: (context) => salvage(store.connect(context), context) };
}

function salvage(store: Store, context: StoreContext): Store {
  return {
    kind: store.kind,
    name: store.name,
    async describe() {
      try {
        return await store.describe();
      } catch (error) {
        if (!isMemkeepError(error, ...storeErrors)) throw error;
        return {
          engine: { name: store.kind, version: "unknown" },
          source: `${store.kind} ${context.name} (damaged)`,
          estimatedBytes: undefined,
          identity: `salvage:${context.name}`,
          localPaths: [],
        };
      }
    },
    open: async () => (await store.salvage?.()) ?? store.open(),
    planRestore: (source, options) => store.planRestore(source, options),
    stage: (plan, source, options) => store.stage(plan, source, options),
    write: (collection, records) => store.write(collection, records),
    probe: () => store.probe(),
    maintenance: () => store.maintenance(),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}
