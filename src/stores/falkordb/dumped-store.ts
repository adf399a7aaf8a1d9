/** What the `schema.json` of a dump says, and which files its graphs have. */
import { z } from "zod";
import { damaged } from "../format/damaged.ts";
import { readLayout, schemaFile } from "../format/layout.ts";
import type { CollectionFiles } from "../format/layout.ts";
import type { KeyRule } from "../graph/records.ts";
import type { DumpSource } from "../store.ts";
import { GraphSchema } from "./schema.ts";
import { Library } from "./server.ts";

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
