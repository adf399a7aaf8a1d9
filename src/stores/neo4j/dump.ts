/** Writes the dump files of a view, and finds counts and digests in such files again. */
import { z } from "zod";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { damaged } from "../format/damaged.ts";
import { dumpFormatVersion, readLayout, schemaFile, writeLayout } from "../format/layout.ts";
import type { CollectionFiles } from "../format/layout.ts";
import { writeCollection } from "../format/write-collection.ts";
import { dumpedFacts } from "../graph/dumped-records.ts";
import type { KeyRule } from "../graph/records.ts";
import type { DumpFacts, DumpSink, DumpSource } from "../store.ts";
import type { GraphRead } from "./read-graph.ts";
import { GraphSchema } from "./schema.ts";
import type { ServerFacts } from "./server.ts";

const Schema = z.strictObject({
  rule: z.strictObject({ key: z.string(), keys: z.record(z.string(), z.string()) }),
  indexes: GraphSchema.shape.indexes,
  constraints: GraphSchema.shape.constraints,
  /** Properties of the type VECTOR, which not every server can hold. */
  holdsVectorType: z.boolean(),
});

export interface DumpedGraph {
  readonly rule: KeyRule;
  readonly schema: GraphSchema;
  readonly holdsVectorType: boolean;
  readonly nodes: CollectionFiles;
  readonly edges: CollectionFiles;
}

/** Two collections, then `schema.json`. */
export async function writeDump(
  read: GraphRead,
  { rule, schema }: { readonly rule: KeyRule; readonly schema: GraphSchema },
  sink: DumpSink,
): Promise<void> {
  const collections = [
    await writeCollection(sink, read.nodes, "nodes", "nodes"),
    await writeCollection(sink, read.edges, "edges", "edges"),
  ];
  const whole = {
    rule: { key: rule.key, keys: rule.keys },
    ...schema,
    holdsVectorType: read.holdsVectorType,
  };
  await sink.file(schemaFile, "document", once(writeLayout({ store: "neo4j", collections, schema: whole })));
}

export function dumpFacts(read: GraphRead, server: ServerFacts, warnings: readonly string[]): DumpFacts {
  return {
    engine: { name: `Neo4j ${server.edition}`, version: server.version },
    dumpVersion: dumpFormatVersion,
    view: { moved: read.moved },
    collections: [...read.facts],
    settings: {},
    omitted: [
      {
        what: "element ids of nodes and relationships",
        why: "Neo4j gives them out again; keys name the records",
      },
      { what: "users, roles and privileges", why: "they belong to the server (the database `system`)" },
      { what: "the server's settings", why: "they belong to the server" },
      { what: "labels, types and property names without users", why: "Neo4j does not list them" },
      { what: "the sign and payload of NaN", why: "the driver keeps none" },
    ],
    warnings: [...warnings],
  };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(bytes);
}

/** What a dump's `schema.json` says. */
export async function readDump(source: DumpSource): Promise<DumpedGraph> {
  const layout = await readLayout(source, "neo4j");
  const parsed = Schema.safeParse(layout.schema);
  if (!parsed.success) throw damaged(schemaFile, z.prettifyError(parsed.error), parsed.error);
  const files = (name: string): CollectionFiles => {
    const found = layout.collections.find((collection) => collection.name === name);
    if (!found) throw damaged(schemaFile, `the files of ${name} are missing`);
    return found;
  };
  const { rule, indexes, constraints, holdsVectorType } = parsed.data;
  return {
    rule,
    schema: { indexes, constraints },
    holdsVectorType,
    nodes: files("nodes"),
    edges: files("edges"),
  };
}

/** Counts and digests of a dump, computed anew from its files without any server. */
export async function decodeDump(source: DumpSource): Promise<readonly CollectionFacts[]> {
  const { nodes, edges } = await readDump(source);
  return dumpedFacts(source, nodes, edges);
}
