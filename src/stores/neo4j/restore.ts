/**
 * Restores. Community Edition has one database, so there is no place beside: what was there is kept in the spool folder (and
 * in the engine's safety snapshot), the difference is applied, read back and compared, and taken back when it does not hold.
 */
import { compareFacts } from "../../domain/compare-facts.ts";
import { MemkeepError } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { DumpSource, Restoration, RestorePlan, SwitchOutcome } from "../store.ts";
import { become, lookOnly } from "./become.ts";
import { Client } from "./client.ts";
import { readDump, writeDump } from "./dump.ts";
import type { DumpedGraph } from "./dump.ts";
import { removeMarker, setMarker } from "./marker.ts";
import { readGraph } from "./read-graph.ts";
import { checkDump, currentFacts, prepare } from "./restore-plan.ts";
import type { Prepared } from "./restore-plan.ts";
import { readSchema } from "./schema.ts";
import { SpoolDump } from "./spool-dump.ts";
import type { Target } from "./target.ts";
import { readParts } from "./view.ts";
import { wipe } from "./wipe.ts";

export async function stageRestore(
  plan: RestorePlan,
  source: DumpSource,
  target: Target,
): Promise<Restoration> {
  await checkDump(source, await readDump(source));
  const prepared = await prepare(source, target);
  if (prepared.plan.basis !== plan.basis) {
    throw new MemkeepError("PLAN_STALE", {
      tried: `restore to ${target.client.where}`,
      happened: "the database has changed since the plan was made",
      next: "Stop what writes, and make a new plan.",
    });
  }
  const inTheWay = prepared.plan.obstacles.filter(
    ({ overridable }) => !(overridable && target.options.force),
  );
  if (inTheWay.length > 0) {
    throw new MemkeepError("TARGET_IN_USE", {
      tried: `restore to ${target.client.where}`,
      happened: inTheWay.map(({ text }) => text).join("; "),
    });
  }
  const restoration = new Neo4jRestoration(target, source, prepared);
  try {
    await restoration.stage();
    return restoration;
  } catch (error) {
    await restoration[Symbol.asyncDispose]();
    throw error;
  }
}

/** What a database held. */
interface Before {
  readonly spool: SpoolDump;
  readonly facts: readonly CollectionFacts[];
  readonly dump: DumpedGraph;
}

/** Several restores may share a spool folder. */
let spoolNumber = 0;

class Neo4jRestoration implements Restoration {
  readonly comparable: Restoration["comparable"];
  readonly #target: Target;
  readonly #source: DumpSource;
  readonly #prepared: Prepared;
  readonly #isScratch: boolean;
  /** For what must be done also after an interrupt: the same database without the signal. */
  readonly #calm: Target;
  #before: Before | undefined;
  #isTouched = false;

  constructor(target: Target, source: DumpSource, prepared: Prepared) {
    this.#target = target;
    this.#source = source;
    this.#prepared = prepared;
    this.#isScratch = target.options.target.kind === "scratch";
    this.comparable = this.#isScratch ? "before-switch" : "after-switch";
    const context = { ...target.context, signal: new AbortController().signal };
    this.#calm = { ...target, context, client: new Client(target.config, target.client.access, context) };
  }

  async stage(): Promise<void> {
    if (!this.#isScratch) {
      this.#before = await this.#copyTarget();
      return;
    }
    const { client } = this.#target;
    this.#isTouched = true;
    await setMarker(client, this.#marker("scratch"));
    // What a killed drill left.
    await wipe(client);
    await become(this.#target, this.#source, this.#wanted, { isMerge: false, replacesData: false });
  }

  get #wanted(): DumpedGraph {
    return { ...this.#prepared.dump, schema: this.#prepared.schema };
  }

  #marker(purpose: "restore" | "scratch"): { purpose: "restore" | "scratch"; since: string } {
    return { purpose, since: new Date(this.#target.context.clock.now()).toISOString() };
  }

  async #copyTarget(): Promise<Before> {
    const { client, config, context } = this.#target;
    const { rule } = this.#prepared.dump;
    const { schema } = await readSchema(client);
    const folder = `${context.spoolFolder}/neo4j-before-${process.pid}-${spoolNumber++}`;
    const spool = await SpoolDump.create(folder, this.#source.manifest);
    try {
      const settings = { ...rule, keys: { ...rule.keys }, connections: config.connections };
      await using read = await readGraph(readParts(client, settings, context, "records"));
      await writeDump(read, { rule, schema }, spool);
      return { spool, facts: read.facts, dump: await readDump(spool) };
    } catch (error) {
      await spool[Symbol.asyncDispose]();
      throw error;
    }
  }

  get #isMerge(): boolean {
    return this.#target.options.mode === "merge";
  }

  async facts(): Promise<readonly CollectionFacts[]> {
    const { dump } = this.#prepared;
    if (!this.#isMerge) return currentFacts(this.#target, dump.rule);
    return (await lookOnly(this.#target, this.#source, dump)).same;
  }

  async switch(): Promise<SwitchOutcome> {
    if (this.#isScratch) throw new TypeError("a drill is not switched");
    await this.#refuseChanged();
    this.#isTouched = true;
    const { client } = this.#target;
    await setMarker(client, this.#marker("restore"));
    const replacesData = this.#before!.facts.length > 0;
    await become(this.#target, this.#source, this.#wanted, { isMerge: this.#isMerge, replacesData });
    await removeMarker(client);
    return { warnings: this.#prepared.leftOut };
  }

  /** What came after the copy was made would be in no copy, and be deleted. */
  async #refuseChanged(): Promise<void> {
    const { facts } = this.#before!;
    const differences = compareFacts(facts, await currentFacts(this.#target, this.#prepared.dump.rule));
    if (differences.length === 0) return;
    throw new MemkeepError("STORE_CHANGED", {
      tried: `restore to ${this.#target.client.where}`,
      happened: `somebody wrote to the database while the restore was prepared: ${differences[0]!}`,
      next: "Nothing was changed. Stop what writes, and run it again.",
    });
  }

  async rollBack(): Promise<void> {
    if (!this.#isTouched || !this.#before) return;
    const { spool, dump, facts } = this.#before;
    const { client } = this.#calm;
    await setMarker(client, this.#marker("restore"));
    await become(this.#calm, spool, dump, { isMerge: false, replacesData: true });
    const differences = compareFacts(facts, await currentFacts(this.#calm, dump.rule));
    if (differences.length > 0) {
      throw new MemkeepError("COMPARE_FAILED", {
        tried: "bring back what was there before",
        happened: `what came back is something else: ${differences[0]!}`,
      });
    }
    await removeMarker(client);
    this.#isTouched = false;
  }

  keep(): Promise<void> {
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { observer, name } = this.#target.context;
    if (this.#isScratch && this.#isTouched) {
      try {
        await wipe(this.#calm.client);
        await removeMarker(this.#calm.client);
      } catch {
        observer.warn(name, "the scratch database could not be emptied: the next drill does that");
      }
    }
    await this.#before?.spool[Symbol.asyncDispose]();
    await this.#calm.client[Symbol.asyncDispose]();
    await this.#target.client[Symbol.asyncDispose]();
  }
}
