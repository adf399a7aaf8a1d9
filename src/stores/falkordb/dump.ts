/** Writes the dump files of a view, and finds counts and digests in such files again. */
import type { CollectionFacts } from "../../domain/manifest.ts";
import { dumpFormatVersion, schemaFile, writeLayout } from "../format/layout.ts";
import type { CollectionFiles } from "../format/layout.ts";
import { writeCollection } from "../format/write-collection.ts";
import type { DumpFacts, DumpSink, DumpSource, StoreContext } from "../store.ts";
import type { Session } from "./client.ts";
import { dumpedFacts } from "../graph/dumped-records.ts";
import type { GraphRead } from "./read-graph.ts";
import type { KeyRule } from "../graph/records.ts";
import { readDump } from "./dumped-store.ts";
import { readSchema } from "./schema.ts";
import type { GraphSchema } from "./schema.ts";
import { readLibraries } from "./server.ts";

/** One graph of the view. */
export interface SeenGraph {
  /** Its name in the configuration; begins its collections' names where there are several graphs. */
  readonly name: string;
  readonly prefix: string;
  /** Where it is read: the copy, or the graph itself. */
  readonly place: Uint8Array;
  readonly stem: string;
}

export interface DumpParts {
  readonly session: Session;
  readonly rule: KeyRule;
  readonly context: StoreContext;
  readonly graphs: readonly SeenGraph[];
  readonly version: string;
  readonly read: (graph: SeenGraph) => Promise<GraphRead>;
}

/** Two collections a graph, then `schema.json`. */
export async function writeDump(parts: DumpParts, sink: DumpSink): Promise<DumpFacts> {
  const { session, context, graphs, version } = parts;
  const libraries = await readLibraries(session);
  const collections: CollectionFiles[] = [];
  const schemas: GraphSchema[] = [];
  const facts: CollectionFacts[] = [];
  const warnings: string[] = [];
  let moved = 0;
  for (const graph of graphs) {
    const { schema, warnings: more } = await readSchema(session, graph.place);
    await using read = await parts.read(graph);
    warnings.push(...more);
    moved += read.moved;
    if (read.nodes.count === 0) context.observer.warn(context.name, "the graph has no nodes");
    collections.push(await writeCollection(sink, read.nodes, `${graph.prefix}nodes`, `${graph.stem}nodes`));
    collections.push(await writeCollection(sink, read.edges, `${graph.prefix}edges`, `${graph.stem}edges`));
    facts.push(...read.facts.map((fact) => ({ ...fact, name: graph.prefix + fact.name })));
    schemas.push(graph.prefix === "" ? schema : { name: graph.name, ...schema });
  }
  const rule = { key: parts.rule.key, keys: parts.rule.keys };
  const schema = { rule, graphs: schemas, libraries: libraries ?? [] };
  await sink.file(schemaFile, "document", once(writeLayout({ store: "falkordb", collections, schema })));
  return {
    engine: { name: "FalkorDB", version },
    dumpVersion: dumpFormatVersion,
    view: { moved },
    collections: facts,
    settings: {},
    omitted: omitted(libraries === undefined),
    warnings,
  };
}

function omitted(librariesAreUnknown: boolean): DumpFacts["omitted"] {
  return [
    { what: "internal ids of nodes and edges", why: "FalkorDB gives them out again; keys name the records" },
    { what: "the server's settings and users", why: "they belong to the server, not to the graph" },
    { what: "the sign and payload of NaN", why: "the server prints none" },
    ...(librariesAreUnknown
      ? [{ what: "libraries of user-defined functions", why: "the user may not list them" }]
      : []),
  ];
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(bytes);
}

/** Counts and digests of a dump, computed anew from its files without any server. */
export async function decodeDump(source: DumpSource): Promise<readonly CollectionFacts[]> {
  const all: CollectionFacts[] = [];
  for (const { prefix, nodes, edges } of (await readDump(source)).graphs) {
    all.push(...(await dumpedFacts(source, nodes, edges, prefix)));
  }
  return all;
}
