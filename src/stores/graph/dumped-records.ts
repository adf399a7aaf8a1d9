/** What the lines of a dumped graph say. */
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { DumpSource } from "../store.ts";
import { damaged } from "../format/damaged.ts";
import { contentDigest } from "../format/digest.ts";
import { writeValue } from "../format/json-write.ts";
import type { CollectionFiles } from "../format/layout.ts";
import { readCollection } from "../format/read-collection.ts";
import type { DumpedRecord } from "../format/read-collection.ts";
import type { Value, ValueMap } from "../format/value.ts";
import { CollectionDigests } from "./collection-digests.ts";
import { edgeCollection, nodeCollection } from "./records.ts";

export interface NodeMembers {
  readonly labels: readonly string[];
  readonly properties: ValueMap;
}

export interface EdgeMembers {
  readonly type: string;
  /** References to the ends, as `nodeReference` writes them. */
  readonly from: string;
  readonly to: string;
  readonly properties: ValueMap;
}

/** `DUMP_DAMAGED` for a record that is no node. */
export function nodeMembers({ value }: Pick<DumpedRecord, "value">, file: string): NodeMembers {
  const { labels, properties } = value;
  const isList = Array.isArray(labels) && labels.every((label) => typeof label === "string");
  if (!isList || !isMap(properties)) throw damaged(file, "a node has no labels or properties");
  return { labels, properties };
}

/** `DUMP_DAMAGED` for a record that is no edge. */
export function edgeMembers({ value }: Pick<DumpedRecord, "value">, file: string): EdgeMembers {
  const { key, properties } = value;
  const [from, type, to] = Array.isArray(key) ? (key as readonly Value[]) : [];
  if (from === undefined || typeof type !== "string" || to === undefined || !isMap(properties)) {
    throw damaged(file, "an edge has no ends, no type or no properties");
  }
  return { type, from: writeValue(from), to: writeValue(to), properties };
}

function isMap(value: Value | undefined): value is ValueMap {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Counts and digests of a dumped graph, computed anew from its files. */
export async function dumpedFacts(
  source: DumpSource,
  nodes: CollectionFiles,
  edges: CollectionFiles,
  prefix = "",
): Promise<CollectionFacts[]> {
  const digests = new CollectionDigests();
  for (const [files, collectionOf] of [
    [nodes, (record: DumpedRecord): string => nodeCollection(nodeMembers(record, nodes.file).labels)],
    [edges, (record: DumpedRecord): string => edgeCollection(edgeMembers(record, edges.file).type)],
  ] as const) {
    for await (const batch of readCollection(source, files)) {
      for (const record of batch) {
        const digest = contentDigest(record.line, record.vectors);
        digests.add({ collection: collectionOf(record), key: record.key, digest });
      }
    }
  }
  return digests.all(prefix);
}
