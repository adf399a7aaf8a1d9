/**
 * Nodes and edges as lines of the dump, and the canonical keys that name them.
 *
 * A node's key is the text of its key property (`id`, or what the configuration says for its label) when that is a text
 * or an integer; otherwise `#` and the first 32 hexadecimal digits of the digest of its content. Internal ids are never a
 * key: an engine gives them out again. Several nodes may have one key; then their places in the dump tell them apart, and
 * an edge names the n-th of them (from 0) as `[key, n]`.
 */
import { contentDigest } from "../format/digest.ts";
import { writeValue } from "../format/json-write.ts";
import { keyValue } from "../format/read-collection.ts";
import type { PlacedVector, Value, ValueMap } from "../format/value.ts";
import type { KeyTable } from "./key-table.ts";

/** A node as a store's reader gives it. */
export interface GraphNode {
  /** The engine's internal id: good within one view, never a key. */
  readonly id: number;
  /** In the order of their UTF-8 bytes. */
  readonly labels: readonly string[];
  readonly properties: ValueMap;
}

export interface GraphEdge {
  readonly id: number;
  readonly type: string;
  readonly source: number;
  readonly target: number;
  readonly properties: ValueMap;
}

/** Which property names a node. */
export interface KeyRule {
  readonly key: string;
  readonly keys: Readonly<Record<string, string>>;
}

export interface RecordLine {
  /** Name of its collection. */
  readonly collection: string;
  readonly key: Buffer;
  readonly line: string;
  readonly vectors: readonly PlacedVector[];
  readonly digest: Buffer;
}

export function keyProperty(labels: readonly string[], { key, keys }: KeyRule): string {
  const label = labels.find((label) => Object.hasOwn(keys, label));
  return label === undefined ? key : keys[label]!;
}

export function nodeRecord(node: Omit<GraphNode, "id">, rule: KeyRule): RecordLine {
  const vectors: PlacedVector[] = [];
  const labels = writeValue(node.labels);
  const rest = `"labels":${labels},"properties":${writeValue(node.properties, vectors)}}`;
  const name = keyProperty(node.labels, rule);
  const value = Object.hasOwn(node.properties, name) ? node.properties[name]! : null;
  const key = keyBytes(value) ?? Buffer.from(`#${contentDigest(rest, vectors).toString("hex", 0, 16)}`);
  const line = `{"key":${writeValue(keyValue(key))},${rest}`;
  return {
    collection: nodeCollection(node.labels),
    key,
    line,
    vectors,
    digest: contentDigest(line, vectors),
  };
}

/** The key that a value of the key property gives; undefined when it gives none. */
export function keyBytes(value: Value): Buffer | undefined {
  if (typeof value === "bigint") return Buffer.from(value.toString());
  if (typeof value === "string" && value !== "") return Buffer.from(value, "utf8");
  return value instanceof Uint8Array ? Buffer.from(value) : undefined;
}

/** How an edge names a node. */
export function nodeReference(key: Uint8Array, ordinal: number): string {
  const text = writeValue(keyValue(key));
  return ordinal === 0 ? text : `[${text},${ordinal}]`;
}

/** Undefined when one of the ends is not in the table: it came into being after the nodes were read. */
export function edgeRecord(edge: GraphEdge, nodes: KeyTable): RecordLine | undefined {
  const source = nodes.get(edge.source);
  const target = nodes.get(edge.target);
  if (!source || !target) return undefined;
  const vectors: PlacedVector[] = [];
  const from = nodeReference(source.key, source.ordinal);
  const to = nodeReference(target.key, target.ordinal);
  const key = `[${from},${JSON.stringify(edge.type)},${to}]`;
  const line = edgeLine(key, edge.properties, vectors);
  return {
    collection: edgeCollection(edge.type),
    key: Buffer.from(key),
    line,
    vectors,
    digest: contentDigest(line, vectors),
  };
}

/** The digest of an edge's record, by the text of its key. */
export function edgeDigest(key: string, properties: ValueMap): Buffer {
  const vectors: PlacedVector[] = [];
  return contentDigest(edgeLine(key, properties, vectors), vectors);
}

function edgeLine(key: string, properties: ValueMap, vectors: PlacedVector[]): string {
  return `{"key":${key},"properties":${writeValue(properties, vectors)}}`;
}

/** `(:Label)`, `(:One:Two)`, `()` for nodes without label. Colons and backslashes in labels get a backslash. */
export function nodeCollection(labels: readonly string[]): string {
  return `(${labels.map((label) => `:${escaped(label)}`).join("")})`;
}

export function edgeCollection(type: string): string {
  return `[:${escaped(type)}]`;
}

/** Asked for every record: almost no name has anything to replace. */
function escaped(name: string): string {
  return name.includes(":") || name.includes("\\") ? name.replaceAll(/[\\:]/g, "\\$&") : name;
}
