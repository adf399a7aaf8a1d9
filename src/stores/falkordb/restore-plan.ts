/** What a restore would do. Its `basis` is everything that the target holds: counts, digests, schema. */
import { createHash } from "node:crypto";
import { isMemkeepError, reasonOf } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { KeyRule } from "../graph/records.ts";
import type { DumpSource, RestoreOptions, RestorePlan, StoreContext } from "../store.ts";
import type { Session } from "./client.ts";
import { graphNames } from "./config.ts";
import type { FalkorDBConfig } from "./config.ts";
import { applyDifference } from "./difference.ts";
import type { Difference } from "./difference.ts";
import { readDump } from "./dumped-store.ts";
import type { DumpedStore } from "./dumped-store.ts";
import { readGraph } from "./read-graph.ts";
import type { ReadParts } from "./read-graph.ts";
import { readSchema } from "./schema.ts";
import { readLibraries, serverFacts } from "./server.ts";

export interface RestoreParts {
  readonly session: Session;
  readonly config: FalkorDBConfig;
  readonly context: StoreContext;
}

/** Where each graph of the dump goes: on the configured server, or the one of an `into` target. */
export function targets(
  config: FalkorDBConfig,
  options: RestoreOptions,
  dump: DumpedStore,
): readonly string[] {
  if (options.target.kind === "scratch") return dump.graphs.map(() => "");
  const names = graphNames(config);
  if (options.target.kind === "into") {
    const [name] = names;
    return dump.graphs.length === 1 ? [name!] : dump.graphs.map(({ prefix }) => `${name!}${prefix}`);
  }
  if (dump.graphs.length === 1) return [names[0]!];
  return dump.graphs.map(({ prefix }) => prefix);
}

/** A plan, and a digest of what each target holds that is to be replaced. */
export interface PreparedRestore {
  readonly plan: RestorePlan;
  readonly held: ReadonlyMap<string, string>;
}

export async function prepareRestore(
  source: DumpSource,
  options: RestoreOptions,
  parts: RestoreParts,
): Promise<PreparedRestore> {
  const { session, config } = parts;
  const server = new URL(config.url).host;
  let dump: DumpedStore;
  try {
    dump = await readDump(source);
  } catch (error) {
    if (!isMemkeepError(error, "DUMP_DAMAGED")) throw error;
    const obstacles = [{ text: reasonOf(error), overridable: false }];
    const nothing = { actions: [], obstacles, changes: [], replacesData: false, basis: "damaged" };
    return { plan: { destination: server, ...nothing }, held: new Map() };
  }
  const names = targets(config, options, dump);
  const actions: string[] = [];
  const obstacles: { text: string; overridable: boolean }[] = [];
  if ((await serverFacts(session)).isReplica) {
    obstacles.push({
      text: `${server} is a replica and takes no writes: name its primary`,
      overridable: false,
    });
  }
  const now = new Map<string, number>();
  const held = new Map<string, string>();
  const inserted = new Map<string, number>();
  const basis = createHash("sha256").update(JSON.stringify([options.target, options.mode, names]));
  for (const [index, graph] of dump.graphs.entries()) {
    const { prefix, nodes, edges } = graph;
    const name = names[index]!;
    const type = name === "" ? "none" : String(await session.ask("TYPE", name));
    basis.update(`${name} ${type}`);
    if (options.mode === "merge" && type === "graphdata") {
      const read = await readPartsFor(name, parts, dump.rule);
      const found = await applyDifference({ read, source, dump: graph, isDry: true });
      for (const [collection, records] of found.inserted) inserted.set(prefix + collection, records);
      actions.push(
        mergeSentence(found),
        "Stop the programs that write to it before: the graph is copied on the server, and beside a writing query GRAPH.COPY can stop FalkorDB 4.16 for good.",
      );
    } else {
      actions.push(
        `Write ${nodes.records} nodes and ${edges.records} edges into a new graph beside, and compare it.`,
      );
    }
    if (name === "") continue;
    if (type === "none") {
      actions.push(`Name it ${JSON.stringify(name)}.`);
    } else if (type === "graphdata") {
      const facts = await currentFacts(name, parts);
      for (const fact of facts) now.set(prefix + fact.name, fact.records);
      held.set(name, await contentsDigest(name, facts, session));
      basis.update(held.get(name)!);
      actions.push(`Rename it over the graph ${JSON.stringify(name)}.`);
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
  const then =
    options.mode === "merge"
      ? merged(now, inserted, source)
      : new Map(source.manifest.collections.map(({ name, records }) => [name, records]));
  const plan = {
    destination:
      names[0] === "" ? `scratch on ${server}` : names.map((name) => `${server}/${name}`).join(", "),
    actions,
    obstacles,
    changes: [...new Set([...now.keys(), ...then.keys()])].map((collection) => ({
      collection,
      recordsNow: now.get(collection),
      recordsThen: then.get(collection),
    })),
    replacesData: held.size > 0,
    basis: basis.digest("hex"),
  };
  return { plan, held };
}

/** Names everything that a graph holds: equal digests, equal graphs. */
export async function heldBy(graph: string | Uint8Array, parts: RestoreParts): Promise<string> {
  return await contentsDigest(graph, await currentFacts(graph, parts), parts.session);
}

async function contentsDigest(
  graph: string | Uint8Array,
  facts: readonly CollectionFacts[],
  session: Session,
): Promise<string> {
  const { schema } = await readSchema(session, Buffer.from(graph));
  return createHash("sha256")
    .update(JSON.stringify([facts, schema]))
    .digest("hex");
}

function mergeSentence({ inserted, updated, same }: Difference): string {
  const sum = (counts: Iterable<number>): number => [...counts].reduce((total, count) => total + count, 0);
  const unchanged = sum(same.map(({ records }) => records));
  return (
    `Copy the graph on the server; insert ${sum(inserted.values())} nodes and edges there that are missing, ` +
    `update ${updated} that differ, leave ${unchanged} as they are, delete nothing; and compare it.`
  );
}

/** Counts after a merge: what is there, and what would be inserted. */
function merged(
  now: ReadonlyMap<string, number>,
  inserted: ReadonlyMap<string, number>,
  source: DumpSource,
): ReadonlyMap<string, number> {
  // A graph that is not there yet becomes what the dump holds.
  if (now.size === 0) return new Map(source.manifest.collections.map(({ name, records }) => [name, records]));
  const then = new Map(now);
  for (const [name, records] of inserted) then.set(name, (then.get(name) ?? 0) + records);
  return then;
}

/** Counts and digests of a graph as it is now. */
export async function currentFacts(
  graph: string | Uint8Array,
  parts: RestoreParts,
  rule: KeyRule = parts.config,
  isStill = false,
): Promise<readonly CollectionFacts[]> {
  await using read = await readGraph(await readPartsFor(graph, parts, rule, isStill));
  return read.facts;
}

/** How a graph of a restore is read. */
export async function readPartsFor(
  graph: string | Uint8Array,
  { session, config, context }: RestoreParts,
  rule: KeyRule,
  isStill = false,
): Promise<ReadParts> {
  return {
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
  };
}
let spoolNumber = 0;
