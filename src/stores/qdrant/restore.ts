/** A restore under way: new collections beside the old ones, and differences applied to collections that are in use. */
import { randomBytes } from "node:crypto";
import { MemkeepError, reasonOf } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { collectionFacts } from "../format/read-collection.ts";
import type {
  DumpSource,
  Restoration,
  RestoreOptions,
  RestorePlan,
  StoreContext,
  SwitchOutcome,
} from "../store.ts";
import type { QdrantConfig } from "./config.ts";
import { Difference } from "./difference.ts";
import { expectFacts } from "./dump-contents.ts";
import { applyStrictMode, createCollection, fillCollection, readFacts } from "./load.ts";
import { basisOf, prepare, readTargets, targetConfig } from "./restore-plan.ts";
import type { Obstacle, Prepared, Step } from "./restore-plan.ts";
import type { RecordSum } from "./record-sum.ts";
import { settingsLeft } from "./settings.ts";
import { Server } from "./server.ts";
import type { AliasAction } from "./server.ts";
import { changingMark, dropMarked, mixed, restoringMark, scratchMark } from "./units.ts";

export async function stageRestore(
  plan: RestorePlan,
  source: DumpSource,
  options: RestoreOptions,
  config: QdrantConfig,
  context: StoreContext,
): Promise<Restoration> {
  const server = new Server(targetConfig(config, options), context);
  try {
    const prepared = await prepare(server, source, options);
    refuse(server.client.source, prepared.obstacles, options.force);
    if (basisOf(prepared, await readTargets(server, prepared, options), source, options) !== plan.basis) {
      throw stalePlan(server.client.source);
    }
    const restoration = new QdrantRestoration(server, prepared, source, options);
    try {
      await restoration.stage();
      return restoration;
    } catch (error) {
      await restoration[Symbol.asyncDispose]();
      throw error;
    }
  } catch (error) {
    server[Symbol.dispose]();
    throw error;
  }
}

function refuse(destination: string, obstacles: readonly Obstacle[], force: boolean): void {
  const inTheWay = obstacles.find(({ overridable }) => !overridable || !force);
  if (!inTheWay) return;
  throw new MemkeepError(inTheWay.code, { tried: `restore to ${destination}`, happened: inTheWay.text });
}

function stalePlan(destination: string): MemkeepError {
  return new MemkeepError("PLAN_STALE", {
    tried: `restore to ${destination}`,
    happened: "the collections have changed since the plan was made",
    next: "Stop what writes and look at a new plan, or add --force to restore whatever is written meanwhile.",
  });
}

/** A collection that the restore made. */
interface Made {
  readonly step: Step;
  readonly collection: string;
  /** The alias that marks it; undefined for a scratch collection, whose name does. */
  readonly mark: string | undefined;
  /** Of the records that were sent; undefined until all are. */
  sent: RecordSum | undefined;
}

const longestName = 255;

class QdrantRestoration implements Restoration {
  readonly comparable: Restoration["comparable"];
  readonly #server: Server;
  /** For what must be done also after an interrupt: the same server without the signal. */
  readonly #cleaner: Server;
  readonly #prepared: Prepared;
  readonly #source: DumpSource;
  readonly #options: RestoreOptions;
  readonly #id = randomBytes(4).toString("hex");
  readonly #made: Made[] = [];
  readonly #differences: { readonly step: Step; readonly difference: Difference }[] = [];
  /** What takes the aliases back to where they were. */
  #wayBack: readonly AliasAction[] = [];
  #state: "staged" | "switching" | "ended" = "staged";

  constructor(server: Server, prepared: Prepared, source: DumpSource, options: RestoreOptions) {
    this.#server = server;
    this.#cleaner = new Server(server.config, { ...server.context, signal: new AbortController().signal });
    this.#prepared = prepared;
    this.#source = source;
    this.#options = options;
    const inPlace = prepared.steps.some((step) => this.#isInPlace(step));
    this.comparable = inPlace ? "after-switch" : "before-switch";
  }

  #isInPlace({ kind, now }: Step): boolean {
    return kind === "difference" || (this.#options.mode === "merge" && now !== undefined);
  }

  /** Reads and checks all of the dump, and fills the new collections. */
  async stage(): Promise<void> {
    const { steps } = this.#prepared;
    for (const step of steps.filter((one) => this.#isInPlace(one))) {
      const { files } = step.dumped;
      expectFacts(this.#source, await collectionFacts(this.#source, files), files.file);
    }
    for (const [index, step] of steps.entries()) {
      const stem = `${this.#server.context.name}-restore-${this.#id}-${index}`;
      if (this.#isInPlace(step)) {
        const difference = await Difference.begin(
          this.#server,
          step.now!,
          step.dumped,
          this.#options.mode === "merge",
          stem,
        );
        this.#differences.push({ step, difference });
        continue;
      }
      const made = this.#name(step, index);
      this.#made.push(made);
      await createCollection(this.#server, made.collection, made.mark, step.dumped.schema);
      made.sent = await fillCollection(this.#server, made.collection, this.#source, step.dumped);
    }
  }

  #name(step: Step, index: number): Made {
    if (this.#options.target.kind === "scratch") {
      return { step, collection: `${scratchMark}${this.#id}-${index}`, mark: undefined, sent: undefined };
    }
    const mark = `${restoringMark}${this.#id}-${index}`;
    const isAliased = step.kind === "switch" || step.dumped.schema.isAlias;
    if (!isAliased) return { step, collection: step.address, mark, sent: undefined };
    const stamp = new Date(this.#server.context.clock.now()).toISOString().replaceAll(/[-:]|\.\d+/g, "");
    const ending = `-${stamp}-${this.#id}`;
    return {
      step,
      collection: shortened(step.address, longestName - ending.length) + ending,
      mark,
      sent: undefined,
    };
  }

  async facts(): Promise<readonly CollectionFacts[]> {
    const facts = new Map<string, CollectionFacts>();
    for (const { step, collection, sent } of this.#made) {
      const { name, schema } = step.dumped;
      const read = await readFacts(this.#server, collection, schema);
      // Numbers that the server's storage does not keep are no difference: see settled.ts.
      facts.set(name, read.settled === sent?.settled ? sent.facts(name) : read.facts(name));
    }
    for (const { step, difference } of this.#differences) {
      facts.set(step.dumped.name, await difference.facts(this.#source));
    }
    return this.#prepared.steps.map(({ dumped }) => facts.get(dumped.name)!);
  }

  async switch(): Promise<SwitchOutcome> {
    const { observer, name: scope } = this.#server.context;
    this.#state = "switching";
    const warnings: string[] = [];
    await this.#markChanges();
    for (const { step, difference } of this.#differences) {
      observer.step(scope, `changing ${step.address} into what the snapshot holds`);
      const { inserted, updated, deleted, examples } = await difference.apply(this.#source);
      observer.step(
        scope,
        `${step.address}: ${inserted} inserted, ${updated} updated, ${deleted} deleted${examples.length > 0 ? ` (${examples.join(", ")}${inserted + updated + deleted > examples.length ? ", …" : ""})` : ""}`,
      );
    }
    for (const { step, collection } of this.#made) {
      await applyStrictMode(this.#server, collection, step.dumped.schema);
      warnings.push(...(await this.#settingsLeft(collection, step)));
    }
    if (this.#options.mode !== "merge") {
      for (const { step } of this.#differences)
        warnings.push(...(await this.#settingsLeft(step.address, step)));
    }
    if (this.#options.target.kind === "scratch") return { warnings };
    const { there, back } = this.#aliasChanges();
    this.#wayBack = back;
    await this.#server.changeAliases(there);
    return { ...this.#outcome(back), warnings };
  }

  /** Says on the server what is about to be changed in place, so that a killed restore is found. */
  async #markChanges(): Promise<void> {
    const marks = this.#differences.map(({ step }, index) => ({
      alias: `${changingMark}${this.#id}-${index}`,
      collection: step.now!.collection,
    }));
    await this.#server.changeAliases(marks);
  }

  /** Takes away the marks of this restore and of those before it that were cut: nothing is mixed any more. */
  async #unmarkChanges(): Promise<void> {
    const changed = new Set(this.#differences.map(({ step }) => step.now!.collection));
    if (changed.size === 0) return;
    const marks = mixed({ collections: [], aliases: await this.#cleaner.aliases() });
    const own = [...marks].filter(([, collection]) => changed.has(collection));
    await this.#cleaner.changeAliases(own.map(([alias]) => ({ alias })));
  }

  /** Settings that the server did not take as the snapshot has them, in words. */
  async #settingsLeft(collection: string, { dumped: { schema } }: Step): Promise<string[]> {
    const paths = settingsLeft(await this.#server.schema(collection, [], false), schema);
    if (paths.length === 0) return [];
    return [
      `${collection} has other settings than the snapshot, which this server did not take: ${paths.join(", ")}`,
    ];
  }

  /** One atomic change that puts everything into use, and the one that takes it back. */
  #aliasChanges(): { there: AliasAction[]; back: AliasAction[] } {
    const { aliases } = this.#prepared.names;
    const there: AliasAction[] = [];
    const back: AliasAction[] = [];
    const point = (alias: string, collection: string): void => {
      const before = aliases.get(alias);
      if (before === collection) return;
      if (before !== undefined) there.push({ alias });
      there.push({ alias, collection });
      back.push({ alias });
      if (before !== undefined) back.push({ alias, collection: before });
    };
    for (const { step, collection, mark } of this.#made) {
      if (mark !== undefined) {
        there.push({ alias: mark });
        // Taken back, it is memkeep's to drop again.
        back.push({ alias: mark, collection });
      }
      if (collection !== step.address) point(step.address, collection);
      for (const alias of step.dumped.schema.aliases) point(this.#server.config.prefix + alias, collection);
    }
    if (this.#options.mode === "merge") return { there, back };
    for (const { step } of this.#differences) {
      for (const alias of step.dumped.schema.aliases)
        point(this.#server.config.prefix + alias, step.now!.collection);
    }
    return { there, back };
  }

  #outcome(back: readonly AliasAction[]): Pick<SwitchOutcome, "previous"> {
    const replaced = this.#made.flatMap(({ step: { now } }) => (now === undefined ? [] : [now.collection]));
    if (replaced.length === 0) return {};
    const actions = back
      .filter(({ alias }) => !alias.startsWith(restoringMark))
      .map(({ alias, collection }) =>
        collection === undefined
          ? { delete_alias: { alias_name: alias } }
          : { create_alias: { collection_name: collection, alias_name: alias } },
      );
    const body = JSON.stringify({ actions }).replaceAll("'", "'\\''");
    return {
      previous: {
        location: replaced.join(", "),
        undo: `curl -X POST -H "api-key: $QDRANT_API_KEY" -H 'content-type: application/json' '${this.#server.client.source}/collections/aliases' -d '${body}'`,
      },
    };
  }

  async rollBack(): Promise<void> {
    const failures: string[] = [];
    for (const { difference } of this.#differences.toReversed()) {
      await difference.undo(this.#cleaner).catch((error: unknown) => failures.push(reasonOf(error)));
    }
    await this.#turnBack().catch((error: unknown) => failures.push(reasonOf(error)));
    if (failures.length === 0) {
      await this.#unmarkChanges().catch((error: unknown) => failures.push(reasonOf(error)));
    }
    this.#state = "staged";
    if (failures.length === 0) return;
    throw new MemkeepError("COMPARE_FAILED", {
      tried: `bring back what was on ${this.#server.client.source} before the restore`,
      happened: failures.join("; "),
    });
  }

  async #turnBack(): Promise<void> {
    const now = await this.#cleaner.aliases();
    // The switch may have failed before the aliases were changed, or its answer may have been lost.
    const made = new Set(this.#made.map(({ collection }) => collection));
    const isChanged = this.#wayBack.some(({ alias, collection }) => {
      const of = now.get(alias);
      return collection === undefined ? of !== undefined && made.has(of) : of !== collection;
    });
    if (isChanged) {
      await this.#cleaner.changeAliases(
        this.#wayBack.filter(({ alias, collection }) => collection !== undefined || now.has(alias)),
      );
    }
    this.#wayBack = [];
  }

  async keep(): Promise<void> {
    this.#state = "ended";
    const { observer, name } = this.#server.context;
    try {
      await this.#unmarkChanges();
    } catch (error) {
      observer.warn(
        name,
        `the mark of this restore stays (${reasonOf(error)}): \`memkeep maintain cleanup\` takes it away`,
      );
    }
  }

  /** A switch that was neither kept nor rolled back is left as it is: its marks say what is unfinished. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { difference } of this.#differences) await difference[Symbol.asyncDispose]();
    const isScratch = this.#options.target.kind === "scratch";
    if (isScratch || this.#state === "staged") {
      for (const { collection, mark } of this.#made) await this.#drop(collection, mark);
    }
    this.#server[Symbol.dispose]();
    this.#cleaner[Symbol.dispose]();
  }

  /** A collection that cannot be dropped is found by its mark later; what ended the restore matters more now. */
  async #drop(collection: string, mark: string | undefined): Promise<void> {
    const { observer, name } = this.#server.context;
    try {
      await dropMarked(this.#cleaner, collection, mark);
    } catch (error) {
      observer.warn(
        name,
        `${collection} stays on the server (${reasonOf(error)}): \`memkeep maintain cleanup\` drops it`,
      );
    }
  }
}

/** Cut without splitting a character. */
function shortened(text: string, length: number): string {
  let short = "";
  for (const character of text) {
    if (short.length + character.length > length) break;
    short += character;
  }
  return short;
}
