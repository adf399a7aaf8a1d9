/**
 * Keys in order, and records by key. `collection` is a name as in the manifest (`(:Memory)`, `[:RELATES_TO]`), or a bare
 * label (`Memory`): all nodes that have it, whatever other labels they have.
 */
import type { KeyDigest, KeyStream, StoreRecord } from "../store.ts";
import { RecordSorter } from "../format/sort.ts";
import { KeyTable } from "../graph/key-table.ts";
import { numberEqualKeys } from "../graph/number-keys.ts";
import { edgeRecord, nodeCollection, nodeRecord } from "../graph/records.ts";
import type { GraphEdge, GraphNode } from "../graph/records.ts";
import { edgeKind, nodeKind } from "./kinds.ts";
import { markerLabel } from "./marker.ts";
import { quoteName } from "./names.ts";
import type { ReadParts } from "./read-graph.ts";
import { Sweep } from "./sweep.ts";

/** A record of the living database, with the id that it has there. */
export type Found = KeyDigest & { readonly id: number } & (
    | { readonly node: GraphNode; readonly edge?: never }
    | { readonly edge: GraphEdge; readonly node?: never }
  );

/** True for a name of relationships: `[:TYPE]`. */
export function isEdges(collection: string): boolean {
  return collection.startsWith("[");
}

export function keyStream(collection: string, partsOf: () => ReadParts): KeyStream {
  return { ordered: true, [Symbol.asyncIterator]: () => sortedKeys(collection, partsOf()) };
}

async function* sortedKeys(collection: string, parts: ReadParts): AsyncGenerator<readonly KeyDigest[]> {
  await using sorter = new RecordSorter({ folder: parts.folder, stem: `${parts.stem}.keys` });
  await eachRecord(collection, parts, ({ key, digest, id }) =>
    sorter.add({ key, line: "", vectors: [], digest, tie: id }),
  );
  for await (const batch of sorter.keys()) yield batch;
}

/** Every record of a collection, in no order. */
export async function eachRecord(
  collection: string,
  parts: ReadParts,
  take: (record: Found) => Promise<void> | undefined,
): Promise<void> {
  await using _guard = await parts.client.guardIds();
  if (!isEdges(collection)) {
    await sweepNodes(parts, async (node) => {
      if (!isIn(collection, node.labels)) return;
      const { key, digest } = nodeRecord(node, parts.rule);
      await take({ key, digest, id: node.id, node });
    });
    return;
  }
  // Relationships are named by their ends, so the keys of all nodes come first.
  const keys = new KeyTable();
  await using sorter = new RecordSorter({ folder: parts.folder, stem: `${parts.stem}.ends` });
  await sweepNodes(parts, async (node) => {
    const record = nodeRecord(node, parts.rule);
    keys.set(node.id, record.key);
    await sorter.add({ ...record, line: "", vectors: [], tie: node.id });
  });
  await numberEqualKeys(sorter, keys);
  const sweep = new Sweep(parts, edgeKind, async (page) => {
    for (const edge of page) {
      const record = edgeRecord(edge, keys);
      if (record?.collection !== collection) continue;
      await take({ key: record.key, digest: record.digest, id: edge.id, edge });
    }
    return page.length * 200;
  });
  await sweep.all();
}

async function sweepNodes(parts: ReadParts, each: (node: GraphNode) => Promise<void>): Promise<void> {
  const sweep = new Sweep(parts, nodeKind, async (page) => {
    for (const node of page) if (!node.labels.includes(markerLabel)) await each(node);
    return page.length * 500;
  });
  await sweep.all();
}

function isIn(collection: string, labels: readonly string[]): boolean {
  return nodeCollection(labels) === collection || labels.includes(collection);
}

export async function* recordsOf(
  collection: string,
  keys: readonly Uint8Array[],
  parts: ReadParts,
): AsyncGenerator<StoreRecord> {
  for (const { key, node, edge } of await findRecords(collection, keys, parts)) {
    yield {
      key,
      fields: node
        ? { labels: node.labels, properties: node.properties }
        : { type: edge.type, properties: edge.properties },
    };
  }
}

/** The living records with the given keys. */
export async function findRecords(
  collection: string,
  keys: readonly Uint8Array[],
  parts: ReadParts,
): Promise<Found[]> {
  const wanted = new Set(keys.map(latin1));
  const found: Found[] = [];
  const values = isEdges(collection) ? undefined : propertyValues(keys, parts);
  if (values) {
    const label = collection.startsWith("(") ? "" : `:${quoteName(collection)}`;
    const property = `n.${quoteName(parts.rule.key)}`;
    const query = `MATCH (n${label}) WHERE ${property} IN $values RETURN ${nodeKind.columns}`;
    const broken: string[] = [];
    const nodes = await parts.client.rows(query, { values }, (row) => nodeKind.decode(row, broken));
    // A date beyond the driver's zones: only a sweep can read it.
    if (broken.length === 0) {
      for (const node of nodes) {
        const { key, digest } = nodeRecord(node, parts.rule);
        if (isIn(collection, node.labels) && wanted.has(latin1(key)))
          found.push({ key, digest, id: node.id, node });
      }
      return found;
    }
  }
  await eachRecord(collection, parts, (record) => {
    if (wanted.has(latin1(record.key))) found.push(record);
    return undefined;
  });
  return found;
}

/** The values of the key property that can have these keys; undefined when only reading everything finds them. */
function propertyValues(keys: readonly Uint8Array[], { rule }: ReadParts): unknown[] | undefined {
  if (Object.keys(rule.keys).length > 0) return undefined;
  const texts = keys.map((key) => Buffer.from(key).toString("utf8"));
  // A digest of content, or bytes that are no text.
  if (texts.some((text) => /^#[0-9a-f]{32}$|\uFFFD/.test(text))) return undefined;
  return texts.flatMap((text) => [text, ...integer(text)]);
}

/** A key that is a number's text may be of either type. */
function integer(text: string): bigint[] {
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) return [];
  const value = BigInt(text);
  return BigInt.asIntN(64, value) === value ? [value] : [];
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
