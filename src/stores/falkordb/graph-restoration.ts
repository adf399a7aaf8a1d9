/** Graphs that stand beside their targets, ready to take their places. */
import { MemkeepError, isMemkeepError } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { DumpSource, Restoration, SwitchOutcome } from "../store.ts";
import { refused } from "./client.ts";
import { applyDifference } from "./difference.ts";
import type { DumpedGraph, DumpedStore } from "./dumped-store.ts";
import { currentFacts, heldBy, readPartsFor } from "./restore-plan.ts";
import type { RestoreParts } from "./restore-plan.ts";
import {
  banScratch,
  keepAlive,
  lifetimeMs,
  removeScratch,
  scratchName,
  scratchPrefix,
  telemetryStream,
} from "./scratch.ts";
import { readLibraries } from "./server.ts";
import { Watch } from "./watch.ts";

interface RestorationParts extends RestoreParts {
  readonly dump: DumpedStore;
  readonly source: DumpSource;
  readonly isMerge: boolean;
  readonly names: readonly string[];
  /** Watches the targets since before they were read; undefined for a drill. */
  readonly watch: Watch | undefined;
  /** Target → digest of what the plan found there, which the safety snapshot holds. */
  readonly held: ReadonlyMap<string, string>;
  /** Reads the targets anew: whether they hold what they held when the plan was made. */
  readonly isUnchanged: () => Promise<boolean>;
}

/** How often a switch is tried again when the targets were written to without becoming anything else. */
const maxAttempts = 3;

type Command = (string | Uint8Array)[];

export class GraphRestoration implements Restoration {
  readonly comparable = "before-switch";
  readonly staged: readonly {
    readonly graph: DumpedGraph;
    readonly place: Buffer;
    readonly target: string;
  }[];
  /** Every order that makes a graph beside was answered. */
  isStaged = false;
  readonly #parts: RestorationParts;
  #watch: Watch | undefined;
  /** Where replaced graphs are until the restore is kept. */
  #previous: { readonly target: string; readonly place: Buffer }[] = [];
  #isSwitched = false;

  constructor(parts: RestorationParts) {
    this.#parts = parts;
    this.#watch = parts.watch;
    this.staged = parts.dump.graphs.map((graph, index) => ({
      graph,
      place: scratchName(),
      target: parts.names[index]!,
    }));
  }

  async facts(): Promise<readonly CollectionFacts[]> {
    const all: CollectionFacts[] = [];
    for (const { graph, place, target } of this.staged) {
      const where = this.#isSwitched ? target : place;
      const facts = await this.#factsOf(graph, where);
      all.push(...facts.map((fact) => ({ ...fact, name: graph.prefix + fact.name })));
    }
    return all;
  }

  /** After a merge: of those records that the dump has. */
  async #factsOf(graph: DumpedGraph, where: string | Uint8Array): Promise<readonly CollectionFacts[]> {
    const { dump, source, isMerge } = this.#parts;
    const isStill = !this.#isSwitched;
    if (!isMerge) return currentFacts(where, this.#parts, dump.rule, isStill);
    const read = await readPartsFor(where, this.#parts, dump.rule, isStill);
    return (await applyDifference({ read, source, dump: graph, isDry: true })).same;
  }

  /**
   * All graphs change places in one transaction, which does nothing when a target was written to since it was read: that
   * would be in no copy. Then the targets are read again, and whoever changed them gets his way (`STORE_CHANGED`).
   */
  async switch(): Promise<SwitchOutcome> {
    const { session, dump } = this.#parts;
    if (this.staged.some(({ target }) => target === "")) throw new TypeError("a drill is not switched");
    for (let attempt = 1; !this.#isSwitched; attempt++) {
      const watch = this.#watch ?? (await this.#watchAnew());
      this.#watch = undefined;
      await using _watch = watch;
      if (await this.#execute(watch)) break;
      if (attempt === maxAttempts) throw changed();
    }
    const present = new Set((await readLibraries(session))?.map(({ name }) => name));
    for (const { name, code } of dump.libraries) {
      if (!present.has(name)) await session.command("GRAPH.UDF", "LOAD", name, code);
    }
    return { warnings: [] };
  }

  async #watchAnew(): Promise<Watch> {
    await using stack = new AsyncDisposableStack();
    const watch = stack.use(
      await Watch.begin(
        this.#parts.session,
        this.staged.map(({ target }) => target),
      ),
    );
    if (!(await this.#parts.isUnchanged())) throw changed();
    stack.move();
    return watch;
  }

  /** False when nothing was done. */
  async #execute(watch: Watch): Promise<boolean> {
    const { session } = this.#parts;
    const places = this.staged.map(({ place }) => place);
    const previous: { readonly target: string; readonly place: Buffer }[] = [];
    const commands: Command[] = [];
    try {
      if (!(await watch.alsoExisting(places))) throw vanished();
      for (const { place, target } of this.staged) {
        commands.push(["PERSIST", place]);
        if (String(await session.ask("TYPE", target)) === "graphdata") {
          const replaced = { target, place: scratchName() };
          previous.push(replaced);
          commands.push(["RENAME", target, replaced.place], ["PEXPIRE", replaced.place, String(lifetimeMs)]);
        }
        commands.push(["RENAME", place, target]);
      }
      this.#isSwitched = (await watch.execute(commands)) !== undefined;
    } catch (error) {
      if (isMemkeepError(error, "STORE_CHANGED")) throw error;
      this.#isSwitched = await this.#hasLeft(places[0]!);
      if (!this.#isSwitched && !isMemkeepError(error, "STORE_UNREACHABLE"))
        throw refused("put a restored graph into place", error);
    }
    if (this.#isSwitched) this.#previous = previous;
    return this.#isSwitched;
  }

  /**
   * Whether a transaction whose answer was lost has taken effect. When it has not, it never will: this writes to a key that
   * it watches.
   */
  async #hasLeft(place: Buffer): Promise<boolean> {
    await using cleanup = this.#parts.session.forCleanup();
    return Number(await cleanup.ask("PEXPIRE", place, String(lifetimeMs))) === 0;
  }

  async rollBack(): Promise<void> {
    if (!this.#isSwitched) return;
    // Also after an interrupt.
    await using cleanup = this.#parts.session.forCleanup();
    const commands: Command[] = [];
    for (const { place, target } of this.staged) {
      if (Number(await cleanup.ask("EXISTS", target)) === 1) commands.push(["RENAME", target, place]);
    }
    for (const { target, place } of this.#previous)
      commands.push(["PERSIST", place], ["RENAME", place, target]);
    // Not the targets: programs that write to them must not be able to keep the old graphs away.
    const needed = this.#previous.map(({ place }) => place);
    await using watch = await Watch.begin(cleanup, needed.length > 0 ? needed : [this.staged[0]!.place]);
    if (needed.length > 0 && !(await watch.alsoExisting(needed))) throw vanished();
    if (!(await watch.execute(commands))) throw vanished();
    for (const { place } of this.staged) await keepAlive(cleanup, place);
    this.#previous = [];
    this.#isSwitched = false;
  }

  /**
   * The safety snapshot holds what was there before: the server's memory is given back. But a query that was under way at
   * the switch has written to the replaced graph, and was told that it succeeded: such a graph stays, by a name of its own.
   */
  async keep(): Promise<void> {
    const { context, held } = this.#parts;
    for (const { place, target } of this.#previous.splice(0)) {
      try {
        if (await this.#removeIf(place, held.get(target))) continue;
        const name = `memkeep-replaced-${place.toString().slice(scratchPrefix.length)}`;
        await this.#parts.session.command("PERSIST", place);
        await this.#parts.session.command("RENAME", place, name);
        const words = `somebody wrote to ${JSON.stringify(target)} at the very moment of the switch: what was replaced stays as ${name}`;
        context.observer.warn(context.name, words);
      } catch (error) {
        if (!isMemkeepError(error, "STORE_UNREACHABLE")) throw error;
        const words = "the server cannot be reached to remove the replaced graph; it expires within an hour";
        context.observer.warn(context.name, words);
      }
    }
  }

  /** Removes a replaced graph while it holds what it should; once removed, queries under way on it fail. */
  async #removeIf(place: Buffer, held: string | undefined): Promise<boolean> {
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      await using watch = await Watch.begin(this.#parts.session, [place]);
      if ((await heldBy(place, this.#parts)) !== held) return false;
      if (await watch.execute([["UNLINK", place, telemetryStream(place)]])) return true;
    }
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]();
    if (this.#isSwitched) return;
    const { session, context } = this.#parts;
    const remove = this.isStaged ? removeScratch : banScratch;
    for (const { place } of this.staged) {
      await remove(session, place, (text) => context.observer.warn(context.name, text));
    }
  }
}

function changed(): MemkeepError {
  return new MemkeepError("STORE_CHANGED", {
    tried: "put a restored graph into place",
    happened: "somebody wrote to the graph while the restore was prepared",
    next: "Nothing was replaced. Stop what writes, and run the restore again.",
  });
}

function vanished(): MemkeepError {
  return new MemkeepError("STORE_CHANGED", {
    tried: "put a graph into place",
    happened: "it has vanished, or was changed by somebody else",
    next: "Nothing was replaced. Run the restore again.",
  });
}
