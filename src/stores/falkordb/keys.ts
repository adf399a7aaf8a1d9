/**
 * Keys in order, and records by key. `collection` is a name as in the manifest (`(:Memory)`, `[:RELATES_TO]`); where the
 * store is one graph, a bare label (`Memory`) means all nodes that have it, whatever other labels they have.
 */
import type { KeyDigest, KeyStream, StoreRecord } from "../store.ts";
import { RecordSorter } from "../format/sort.ts";
import { KeyTable } from "../graph/key-table.ts";
import { numberEqualKeys } from "../graph/number-keys.ts";
import { writeString, quoteName } from "./names.ts";
import type { ReadParts } from "./read-graph.ts";
import { edgeRecord, keyProperty, nodeCollection, nodeRecord } from "../graph/records.ts";
import { GraphScan } from "./scan.ts";
import { MemkeepError } from "../../domain/errors.ts";

interface NamedGraph {
  readonly prefix: string;
}

export function keyStream<Graph extends NamedGraph>(
  collection: string,
  graphs: readonly Graph[],
  partsOf: (graph: Graph) => ReadParts,
): KeyStream {
  const { graph, name } = place(collection, graphs);
  return {
    ordered: true,
    [Symbol.asyncIterator]: () => sortedKeys(name, partsOf(graph)),
  };
}

async function* sortedKeys(name: string, parts: ReadParts): AsyncGenerator<readonly KeyDigest[]> {
  await using sorter = new RecordSorter({ folder: parts.folder, stem: `${parts.stem}.keys` });
  await eachRecord(name, parts, async ({ key, digest }) => {
    await sorter.add({ key, line: "", vectors: [], digest });
  });
  for await (const batch of sorter.keys()) yield batch;
}

interface Found extends KeyDigest {
  readonly fields: StoreRecord["fields"];
}

/** Every record of a collection. Edges need the keys of all nodes first. */
async function eachRecord(
  name: string,
  parts: ReadParts,
  take: (record: Found) => Promise<void>,
  nodesWhere?: string,
): Promise<void> {
  const scan = await GraphScan.open(parts);
  const isEdges = name.startsWith("[");
  const keys = new KeyTable();
  await using sorter = new RecordSorter({ folder: parts.folder, stem: `${parts.stem}.ends` });
  await scan.nodes(async (page) => {
    for (const node of page) {
      const record = nodeRecord(node, parts.rule);
      if (isEdges) {
        keys.set(node.id, record.key);
        await sorter.add({ ...record, line: "", vectors: [], tie: node.id });
      } else if (record.collection === name || node.labels.includes(name)) {
        await take({ ...record, fields: { labels: node.labels, properties: node.properties } });
      }
    }
  }, nodesWhere);
  if (!isEdges) return;
  await numberEqualKeys(sorter, keys);
  await scan.edges(async (page) => {
    for (const edge of page) {
      const record = edgeRecord(edge, keys);
      if (record?.collection === name)
        await take({ ...record, fields: { type: edge.type, properties: edge.properties } });
    }
  });
}

export async function* recordsOf<Graph extends NamedGraph>(
  collection: string,
  keys: readonly Uint8Array[],
  graphs: readonly Graph[],
  partsOf: (graph: Graph) => ReadParts,
): AsyncGenerator<StoreRecord> {
  const { graph, name } = place(collection, graphs);
  const parts = partsOf(graph);
  const wanted = new Set(keys.map((key) => Buffer.from(key).toString("latin1")));
  const found: StoreRecord[] = [];
  const where = name.startsWith("[") ? undefined : lookup(name, keys, parts);
  await eachRecord(
    name,
    parts,
    ({ key, fields }) => {
      if (wanted.has(Buffer.from(key).toString("latin1"))) found.push({ key, fields });
      return Promise.resolve();
    },
    where,
  );
  yield* found;
}

/**
 * A condition that finds the keys by their property, or undefined when only reading everything does: for keys that are
 * digests of the content, and for labels whose key property is not the one rule for all of them.
 */
function lookup(name: string, keys: readonly Uint8Array[], { rule }: ReadParts): string | undefined {
  const texts = keys.map((key) => Buffer.from(key).toString("utf8"));
  if (
    Object.keys(rule.keys).length > 0 ||
    texts.some((text) => /^#[0-9a-f]{32}$|\uFFFD/.test(text) || text.includes("\0"))
  )
    return undefined;
  const property = `n.${quoteName(keyProperty([], rule))}`;
  const values = texts.flatMap((text) => [
    writeString(text),
    ...(/^(?:0|-?[1-9]\d{0,17})$/.test(text) ? [text] : []),
  ]);
  return name === nodeCollection([]) || values.length === 0 ? undefined : `${property} IN [${values.join()}]`;
}

function place<Graph extends NamedGraph>(
  collection: string,
  graphs: readonly Graph[],
): { graph: Graph; name: string } {
  const fits = ({ prefix }: Graph): boolean =>
    collection.startsWith(prefix) && (prefix === "" || /^[([]/.test(collection.slice(prefix.length)));
  const graph = graphs.find(fits);
  if (!graph) {
    throw new MemkeepError("STORE_MISSING", {
      tried: "read the records of a collection",
      happened: "no graph of the store has a collection of that name",
    });
  }
  return { graph, name: collection.slice(graph.prefix.length) };
}
