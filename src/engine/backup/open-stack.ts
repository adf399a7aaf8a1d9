/** Connects the stores of a stack and takes their views, all before any is read. */
import { MemkeepError, reasonOf } from "../../domain/errors.ts";
import type { Store, StoreDescription, View } from "../../stores/store.ts";
import type { StackStore, Surroundings } from "../stack.ts";

export interface ConnectedStore {
  readonly name: string;
  readonly kind: string;
  readonly optional: boolean;
  readonly store: Store;
  readonly description: StoreDescription;
}

export interface OpenStore extends ConnectedStore {
  readonly view: View;
}

export interface FailedStore {
  readonly name: string;
  readonly kind: string;
  readonly error: unknown;
}

/** Reaches every store. A failing one rejects, unless it is optional: then it is in `failed`. The caller disposes the stores. */
export async function connectStores(
  stores: readonly StackStore[],
  surroundings: Surroundings,
  spoolFolder: string,
): Promise<{ connected: ConnectedStore[]; failed: FailedStore[] }> {
  const connected: ConnectedStore[] = [];
  const failed: FailedStore[] = [];
  try {
    for (const stackStore of stores) {
      const { name, kind, optional } = stackStore;
      const store = stackStore.connect({
        name,
        spoolFolder,
        clock: surroundings.clock,
        observer: surroundings.observer,
        signal: surroundings.signal,
      });
      try {
        connected.push({ name, kind, optional, store, description: await store.describe() });
      } catch (error) {
        await store[Symbol.asyncDispose]();
        if (!optional) throw error;
        failed.push({ name, kind, error });
        surroundings.observer.warn(name, `left out, as it is optional: ${reasonOf(error)}`);
      }
    }
    refuseDoubles(connected);
  } catch (error) {
    await disposeAll(connected.map(({ store }) => store));
    throw error;
  }
  return { connected, failed };
}

/** Takes all views at once, so that they lie close together. When a required one fails, all are ended. */
export async function openViews(
  stores: readonly ConnectedStore[],
  surroundings: Surroundings,
): Promise<{ open: OpenStore[]; failed: FailedStore[] }> {
  const results = await Promise.allSettled(stores.map(({ store }) => store.open()));
  const open: OpenStore[] = [];
  const failed: FailedStore[] = [];
  let failure: unknown;
  for (const [number, result] of results.entries()) {
    const store = stores[number]!;
    if (result.status === "fulfilled") {
      open.push({ ...store, view: result.value });
    } else if (store.optional) {
      failed.push({ name: store.name, kind: store.kind, error: result.reason });
      surroundings.observer.warn(store.name, `left out, as it is optional: ${reasonOf(result.reason)}`);
    } else {
      failure ??= result.reason;
    }
  }
  if (failure !== undefined) {
    await disposeAll(open.map(({ view }) => view));
    throw failure;
  }
  return { open, failed };
}

/** Disposes all, also when one of them fails; then rejects with that failure. */
export async function disposeAll(resources: readonly AsyncDisposable[]): Promise<void> {
  const results = await Promise.allSettled(resources.map((resource) => resource[Symbol.asyncDispose]()));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** Two names for one database would give two dumps and, at a restore, two writers. */
function refuseDoubles(stores: readonly ConnectedStore[]): void {
  const seen = new Map<string, string>();
  for (const { name, description } of stores) {
    const twin = seen.get(description.identity);
    if (twin !== undefined) {
      throw new MemkeepError("CONFIG_INVALID", {
        tried: "connect the stores of the stack",
        happened: `${twin} and ${name} are the same database (${description.source})`,
        next: "Remove one of the two from the configuration.",
      });
    }
    seen.set(description.identity, name);
  }
}
