/**
 * Keys in order, and records by key. `collection` is a name as in the manifest (`(:Memory)`, `[:RELATES_TO]`); where the
 * store is one graph, a bare label (`Memory`) means all nodes that have it, whatever other labels they have.
 */
import type { KeyDigest, KeyStream, StoreRecord } from "../store.ts";
import { readValue } from "../format/json-read.ts";
import { RecordSorter } from "../format/sort.ts";
import { KeyTable } from "../graph/key-table.ts";
import { numberEqualKeys } from "../graph/number-keys.ts";
import { writeString, quoteName } from "./names.ts";
import type { ReadParts } from "./read-graph.ts";
import { edgeRecord, keyProperty, nodeCollection, nodeRecord, nodeReference } from "../graph/records.ts";
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

/** A record as it is now, with the id that it has now. */
export interface Found extends KeyDigest {
  readonly id: number;
  readonly fields: StoreRecord["fields"];
  /** Of an edge: the ids of its ends. */
  readonly ends?: { readonly source: number; readonly target: number };
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
        const fields = { labels: node.labels, properties: node.properties };
        await take({ key: record.key, digest: record.digest, id: node.id, fields });
      }
    }
  }, nodesWhere);
  if (!isEdges) return;
  await numberEqualKeys(sorter, keys);
  await scan.edges(async (page) => {
    for (const edge of page) {
      const record = edgeRecord(edge, keys);
      if (record?.collection !== name) continue;
      const { id, type, source, target, properties } = edge;
      const { key, digest } = record;
      await take({ key, digest, id, fields: { type, properties }, ends: { source, target } });
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
  for (const { key, fields } of await findRecords(name, keys, partsOf(graph))) yield { key, fields };
}

/** The records with the given keys, of a collection named without its graph. */
export async function findRecords(
  name: string,
  keys: readonly Uint8Array[],
  parts: ReadParts,
): Promise<Found[]> {
  const wanted = new Set(keys.map((key) => Buffer.from(key).toString("latin1")));
  const found: Found[] = [];
  const where = name.startsWith("[") || name === nodeCollection([]) ? undefined : lookup(keys, parts);
  await eachRecord(
    name,
    parts,
    (record) => {
      if (wanted.has(Buffer.from(record.key).toString("latin1"))) found.push(record);
      return Promise.resolve();
    },
    where,
  );
  return found;
}

/** Reference (`nodeReference`) → id, of those nodes that are there now. */
export async function findEnds(
  references: ReadonlySet<string>,
  parts: ReadParts,
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  if (references.size === 0) return found;
  const keys = [...references].map((text) => keyOfReference(readValue(text)));
  await using nodes = new RecordSorter({ folder: parts.folder, stem: `${parts.stem}.found` });
  const scan = await GraphScan.open(parts);
  const isDecided = keys.every((key) => key !== undefined);
  await scan.nodes(
    async (page) => {
      for (const node of page) {
        const { key, digest } = nodeRecord(node, parts.rule);
        await nodes.add({ key, digest, line: "", vectors: [], tie: node.id });
      }
    },
    isDecided ? lookup(keys, parts) : undefined,
  );
  let before: Buffer | undefined;
  let ordinal = 0;
  for await (const batch of nodes.keys()) {
    for (const { key, tie } of batch) {
      ordinal = before?.equals(key) === true ? ordinal + 1 : 0;
      before = key;
      const reference = nodeReference(key, ordinal);
      if (references.has(reference)) found.set(reference, tie);
    }
  }
  return found;
}

/** The key in what an edge calls its end: the key, or `[key, n]`. */
function keyOfReference(reference: unknown): Uint8Array | undefined {
  const key: unknown = Array.isArray(reference) ? reference[0] : reference;
  if (typeof key === "string") return Buffer.from(key, "utf8");
  return key instanceof Uint8Array ? key : undefined;
}

/**
 * A condition that finds the keys by their property, or undefined when only reading everything does: for keys that are
 * digests of the content, and for labels whose key property is not the one rule for all of them.
 */
function lookup(keys: readonly Uint8Array[], { rule }: ReadParts): string | undefined {
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
  return values.length === 0 ? undefined : `${property} IN [${values.join()}]`;
}

/** The graph of a collection, and the collection's name within. `STORE_MISSING` where there is none. */
export function place<Graph extends NamedGraph>(
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
