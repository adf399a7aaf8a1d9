/** Restores: into a new graph beside the target, compared there, then renamed over it. Never Redis RESTORE: it can end the server. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { MemkeepError, isMemkeepError, reasonOf } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { damaged } from "../format/damaged.ts";
import { readLayout, schemaFile } from "../format/layout.ts";
import type { CollectionFiles } from "../format/layout.ts";
import type {
  DumpSource,
  Restoration,
  RestoreOptions,
  RestorePlan,
  StoreContext,
  SwitchOutcome,
} from "../store.ts";
import type { Session } from "./client.ts";
import { graphNames } from "./config.ts";
import type { FalkorDBConfig } from "./config.ts";
import { readGraph } from "./read-graph.ts";
import type { KeyRule } from "../graph/records.ts";
import { GraphSchema, createIndexes, createNames, readSchema } from "./schema.ts";
import { keepAlive, keepingAlive, removeScratch, scratchName } from "./scratch.ts";
import { Library, readLibraries } from "./server.ts";
import { writeGraph } from "./write-graph.ts";

const Schema = z.strictObject({
  rule: z.strictObject({ key: z.string(), keys: z.record(z.string(), z.string()) }),
  graphs: z.array(GraphSchema).min(1),
  libraries: z.array(Library),
});

export interface DumpedGraph {
  readonly schema: GraphSchema;
  readonly prefix: string;
  readonly nodes: CollectionFiles;
  readonly edges: CollectionFiles;
}

export interface DumpedStore {
  readonly rule: KeyRule;
  readonly graphs: readonly DumpedGraph[];
  readonly libraries: readonly Library[];
}

/** What a dump's `schema.json` says. */
export async function readDump(source: DumpSource): Promise<DumpedStore> {
  const layout = await readLayout(source, "falkordb");
  const parsed = Schema.safeParse(layout.schema);
  if (!parsed.success) throw damaged(schemaFile, z.prettifyError(parsed.error), parsed.error);
  const files = (name: string): CollectionFiles => {
    const found = layout.collections.find((collection) => collection.name === name);
    if (!found) throw damaged(schemaFile, "the files of a graph are missing");
    return found;
  };
  const graphs = parsed.data.graphs.map((schema) => {
    const prefix = schema.name ?? "";
    return { schema, prefix, nodes: files(`${prefix}nodes`), edges: files(`${prefix}edges`) };
  });
  return { ...parsed.data, graphs };
}

interface RestoreParts {
  readonly session: Session;
  readonly config: FalkorDBConfig;
  readonly context: StoreContext;
}

/** Where each graph of the dump goes: on the configured server, or the one of an `into` target. */
function targets(config: FalkorDBConfig, options: RestoreOptions, dump: DumpedStore): readonly string[] {
  if (options.target.kind === "scratch") return dump.graphs.map(() => "");
  const names = graphNames(config);
  if (options.target.kind === "into") {
    const [name] = names;
    return dump.graphs.length === 1 ? [name!] : dump.graphs.map(({ prefix }) => `${name!}${prefix}`);
  }
  if (dump.graphs.length === 1) return [names[0]!];
  return dump.graphs.map(({ prefix }) => prefix);
}

export async function planRestore(
  source: DumpSource,
  options: RestoreOptions,
  { session, config, context }: RestoreParts,
): Promise<RestorePlan> {
  const server = new URL(config.url).host;
  let dump: DumpedStore;
  try {
    dump = await readDump(source);
  } catch (error) {
    if (!isMemkeepError(error, "DUMP_DAMAGED")) throw error;
    const obstacles = [{ text: reasonOf(error), overridable: false }];
    return {
      destination: server,
      actions: [],
      obstacles,
      changes: [],
      replacesData: false,
      basis: "damaged",
    };
  }
  const names = targets(config, options, dump);
  const actions: string[] = [];
  const obstacles: { text: string; overridable: boolean }[] = [];
  const now = new Map<string, number>();
  const basis = createHash("sha256").update(JSON.stringify([options.target, names]));
  let replacesData = false;
  for (const [index, { prefix, nodes, edges }] of dump.graphs.entries()) {
    const name = names[index]!;
    actions.push(
      `Write ${nodes.records} nodes and ${edges.records} edges into a new graph beside, and compare it.`,
    );
    if (name === "") continue;
    const type = String(await session.ask("TYPE", name));
    basis.update(`${name} ${type}`);
    if (type === "none") {
      actions.push(`Name it ${JSON.stringify(name)}.`);
    } else if (type === "graphdata") {
      const facts = await currentFacts(name, { session, config, context });
      for (const fact of facts) now.set(prefix + fact.name, fact.records);
      basis
        .update(JSON.stringify(facts))
        .update(JSON.stringify((await readSchema(session, Buffer.from(name))).schema));
      actions.push(`Rename it over the graph ${JSON.stringify(name)}.`);
      replacesData = true;
    } else {
      obstacles.push({
        text: `the key ${JSON.stringify(name)} holds something that is no graph`,
        overridable: false,
      });
    }
  }
  const present = new Map((await readLibraries(session))?.map(({ name, code }) => [name, code]));
  for (const { name, code } of dump.libraries) {
    const found = present.get(name);
    if (found === undefined) actions.push(`Load the function library ${JSON.stringify(name)}.`);
    else if (found !== code) {
      obstacles.push({
        text: `the server has another function library ${JSON.stringify(name)}, which stays`,
        overridable: true,
      });
    }
  }
  const then = new Map(source.manifest.collections.map(({ name, records }) => [name, records]));
  return {
    destination:
      names[0] === "" ? `scratch on ${server}` : names.map((name) => `${server}/${name}`).join(", "),
    actions,
    obstacles,
    changes: [...new Set([...now.keys(), ...then.keys()])].map((collection) => ({
      collection,
      recordsNow: now.get(collection),
      recordsThen: then.get(collection),
    })),
    replacesData,
    basis: basis.digest("hex"),
  };
}

/** Counts and digests of a graph as it is now. */
async function currentFacts(
  graph: string | Uint8Array,
  { session, config, context }: RestoreParts,
  rule: KeyRule = config,
  isStill = false,
): Promise<readonly CollectionFacts[]> {
  await using read = await readGraph({
    session,
    graph: Buffer.from(graph),
    limits: await session.limits(),
    connections: config.connections,
    signal: context.signal,
    isStill,
    rule,
    folder: context.spoolFolder,
    stem: `falkordb-facts-${process.pid}-${spoolNumber++}`,
    keep: "facts",
  });
  return read.facts;
}
let spoolNumber = 0;

export async function stageRestore(
  plan: RestorePlan,
  source: DumpSource,
  options: RestoreOptions,
  parts: RestoreParts,
): Promise<Restoration> {
  const { session, config, context } = parts;
  const dump = await readDump(source);
  const fresh = await planRestore(source, options, parts);
  if (fresh.basis !== plan.basis) {
    throw new MemkeepError("PLAN_STALE", {
      tried: "restore",
      happened: "the target has changed since the plan was made",
      next: "Make a new plan.",
    });
  }
  const standing = fresh.obstacles.filter(({ overridable }) => !(overridable && options.force));
  if (standing.length > 0) {
    throw new MemkeepError("TARGET_IN_USE", {
      tried: "restore",
      happened: standing.map(({ text }) => text).join("; "),
    });
  }
  const restoration = new GraphRestoration(parts, dump, targets(config, options, dump));
  using _beat = keepingAlive(
    session,
    restoration.staged.map(({ place }) => place),
  );
  try {
    let records = 0;
    const total = source.manifest.collections.reduce((sum, collection) => sum + collection.records, 0);
    for (const { graph, place } of restoration.staged) {
      await createNames(session, place, graph.schema);
      await keepAlive(session, place);
      await writeGraph({
        session,
        graph: place,
        source,
        nodes: graph.nodes,
        edges: graph.edges,
        signal: context.signal,
        connections: Math.min(3, config.connections),
        onProgress: (count) => context.observer.progress(context.name, (records += count), total, "records"),
      });
      await createIndexes(session, place, graph.schema, context);
      await keepAlive(session, place);
    }
    return restoration;
  } catch (error) {
    await restoration[Symbol.asyncDispose]();
    throw error;
  }
}

class GraphRestoration implements Restoration {
  readonly comparable = "before-switch";
  readonly staged: readonly {
    readonly graph: DumpedGraph;
    readonly place: Buffer;
    readonly target: string;
  }[];
  readonly #parts: RestoreParts;
  readonly #dump: DumpedStore;
  /** Where replaced graphs are until the restore is kept. */
  #previous: { readonly target: string; readonly place: Buffer }[] = [];
  #isSwitched = false;

  constructor(parts: RestoreParts, dump: DumpedStore, names: readonly string[]) {
    this.#parts = parts;
    this.#dump = dump;
    this.staged = dump.graphs.map((graph, index) => ({ graph, place: scratchName(), target: names[index]! }));
  }

  async facts(): Promise<readonly CollectionFacts[]> {
    const all: CollectionFacts[] = [];
    for (const { graph, place, target } of this.staged) {
      const where = this.#isSwitched ? target : place;
      const facts = await currentFacts(where, this.#parts, this.#dump.rule, !this.#isSwitched);
      all.push(...facts.map((fact) => ({ ...fact, name: graph.prefix + fact.name })));
    }
    return all;
  }

  /** All graphs change places in one transaction. */
  async switch(): Promise<SwitchOutcome> {
    const { session } = this.#parts;
    const warnings: string[] = [];
    const commands: (string | Uint8Array)[][] = [];
    for (const { place, target } of this.staged) {
      if (target === "") throw new TypeError("a drill is not switched");
      commands.push(["PERSIST", place]);
      if (String(await session.ask("TYPE", target)) === "graphdata") {
        const previous = { target, place: scratchName() };
        this.#previous.push(previous);
        commands.push(["RENAME", target, previous.place]);
      }
      commands.push(["RENAME", place, target]);
    }
    await session.transaction(
      this.staged.map(({ place }) => place),
      commands,
    );
    this.#isSwitched = true;
    for (const { place } of this.#previous) await keepAlive(session, place);
    const present = new Set((await readLibraries(session))?.map(({ name }) => name));
    for (const { name, code } of this.#dump.libraries) {
      if (!present.has(name)) await session.command("GRAPH.UDF", "LOAD", name, code);
    }
    return { warnings };
  }

  async rollBack(): Promise<void> {
    if (!this.#isSwitched) return;
    const commands: (string | Uint8Array)[][] = this.staged.map(({ place, target }) => [
      "RENAME",
      target,
      place,
    ]);
    for (const { target, place } of this.#previous)
      commands.push(["PERSIST", place], ["RENAME", place, target]);
    const needed = [
      ...this.staged.map(({ target }) => Buffer.from(target)),
      ...this.#previous.map(({ place }) => place),
    ];
    await this.#parts.session.transaction(needed, commands);
    this.#previous = [];
    this.#isSwitched = false;
  }

  /** The safety snapshot holds what was there before: the server's memory is given back. */
  async keep(): Promise<void> {
    for (const { place } of this.#previous.splice(0)) await removeScratch(this.#parts.session, place);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isSwitched) return;
    const { session, context } = this.#parts;
    for (const { place } of this.staged) {
      await removeScratch(session, place, (text) => context.observer.warn(context.name, text));
    }
  }
}
