/** Runs the maintenance that stores offer, one store and one task after another: it is work that a database feels. */
import { MemkeepError, isMemkeepError, reasonOf } from "../../domain/errors.ts";
import { nearestName } from "../../domain/nearest.ts";
import type { MaintenanceTask, Store } from "../../stores/store.ts";
import { openSpool } from "../spool.ts";
import type { StackStore, Surroundings } from "../stack.ts";
import type { MaintenancePlan, MaintenanceReport } from "./report.ts";

/**
 * What `tasks` (all that there are, when none is named) would do, store by store. Changes nothing. `USAGE` for a task that no
 * store offers; a store that cannot say is told in its own entry.
 */
export async function planMaintenance(
  stores: readonly StackStore[],
  tasks: readonly string[],
  surroundings: Surroundings,
): Promise<MaintenancePlan> {
  const plans: MaintenancePlan["stores"][number][] = [];
  const known = new Set<string>();
  await eachStore(stores, surroundings, async (stackStore, offered) => {
    const { name: store, kind } = stackStore;
    if (offered instanceof Error) {
      plans.push({ store, kind, tasks: [], error: wordsOf(offered) });
      return;
    }
    for (const { name } of offered) known.add(name);
    const wanted = offered.filter(({ name }) => isWanted(name, tasks));
    plans.push({
      store,
      kind,
      tasks: wanted.map(({ name, text }) => ({ name, text })),
      error: undefined,
    });
  });
  for (const task of tasks) {
    // A store that could not be asked may offer it.
    if (known.has(task) || plans.some(({ error }) => error !== undefined)) continue;
    const nearest = nearestName(task, [...known]);
    throw new MemkeepError("USAGE", {
      tried: `find the task ${task}`,
      happened: `no store offers it; known: ${[...known].join(", ")}`,
      ...(nearest === undefined ? {} : { next: `Did you mean ${nearest}?` }),
    });
  }
  return { stores: plans };
}

/** Runs the named tasks on every store that offers them. One that fails stops no other. Rejects only when it is interrupted. */
export async function maintain(
  stores: readonly StackStore[],
  tasks: readonly string[],
  surroundings: Surroundings,
): Promise<MaintenanceReport> {
  const { clock, observer, signal } = surroundings;
  const done: MaintenanceReport["done"][number][] = [];
  await eachStore(stores, surroundings, async ({ name: store }, offered) => {
    if (offered instanceof Error) {
      for (const task of tasks) done.push({ store, task, ok: false, text: wordsOf(offered), durationMs: 0 });
      return;
    }
    for (const task of offered) {
      if (!tasks.includes(task.name)) continue;
      observer.step(store, task.name);
      const began = clock.now();
      let ok = true;
      let text: string;
      try {
        text = await task.run();
      } catch (error) {
        signal.throwIfAborted();
        ok = false;
        text = wordsOf(error);
      }
      done.push({ store, task: task.name, ok, text, durationMs: clock.now() - began });
    }
  });
  return { done };
}

/** `offered` is what the store's `maintenance` gave, or the error with which it failed. */
async function eachStore(
  stores: readonly StackStore[],
  { clock, observer, signal, spoolRoot }: Surroundings,
  use: (store: StackStore, offered: readonly MaintenanceTask[] | Error) => Promise<void>,
): Promise<void> {
  await using spool = await openSpool(spoolRoot);
  for (const stackStore of stores) {
    signal.throwIfAborted();
    const { name } = stackStore;
    let store: Store | undefined;
    try {
      let offered: readonly MaintenanceTask[] | Error;
      try {
        store = stackStore.connect({ name, clock, observer, signal, spoolFolder: spool.folder });
        // Reached first: what cannot be reached can do nothing of what it offers.
        await store.describe();
        offered = await store.maintenance();
      } catch (error) {
        signal.throwIfAborted();
        offered = error instanceof Error ? error : new Error(String(error));
      }
      await use(stackStore, offered);
    } finally {
      await store?.[Symbol.asyncDispose]();
    }
  }
}

function isWanted(name: string, tasks: readonly string[]): boolean {
  return tasks.length === 0 || tasks.includes(name);
}

function wordsOf(error: unknown): string {
  const next = isMemkeepError(error) && error.next !== undefined ? ` ${error.next}` : "";
  return `${reasonOf(error)}.${next}`;
}
