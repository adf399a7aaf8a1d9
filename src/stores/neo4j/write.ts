/** Takes given records: inserts those that are missing, updates those that differ, deletes nothing. */
import { MemkeepError } from "../../domain/errors.ts";
import { writeValue } from "../format/json-write.ts";
import { readValue } from "../format/json-read.ts";
import type { Value, ValueMap } from "../format/value.ts";
import { nodeRecord } from "../graph/records.ts";
import type { StoreRecord, Written } from "../store.ts";
import { findRecords, isEdges } from "./keys.ts";
import type { Found } from "./keys.ts";
import type { ReadParts } from "./read-graph.ts";
import { Batches, changeEdges, changeNodes, createEdges, createNodes } from "./write-batches.ts";
import { findEnds } from "./ends.ts";

/** Records that are looked up at once. */
const atOnce = 2000;

export async function writeRecords(
  collection: string,
  records: AsyncIterable<StoreRecord>,
  parts: ReadParts,
): Promise<Written> {
  const written = { inserted: 0, updated: 0, unchanged: 0 };
  let some: StoreRecord[] = [];
  const write = async (): Promise<void> => {
    const done = await writeSome(collection, some, parts);
    written.inserted += done.inserted;
    written.updated += done.updated;
    written.unchanged += done.unchanged;
    some = [];
  };
  for await (const record of records) {
    some.push(record);
    if (some.length >= atOnce) await write();
  }
  if (some.length > 0) await write();
  return written;
}

async function writeSome(
  collection: string,
  records: readonly StoreRecord[],
  parts: ReadParts,
): Promise<Written> {
  await using _guard = await parts.client.guardIds();
  const found = new Map<string, Found>();
  const keys = records.map(({ key }) => key);
  if (new Set(keys.map(text)).size < keys.length) throw indistinct();
  for (const record of await findRecords(collection, keys, parts)) {
    if (found.has(text(record.key))) throw indistinct();
    found.set(text(record.key), record);
  }
  return isEdges(collection) ? writeEdges(records, found, parts) : writeNodes(records, found, parts);
}

async function writeNodes(
  records: readonly StoreRecord[],
  found: ReadonlyMap<string, Found>,
  parts: ReadParts,
): Promise<Written> {
  const { client, rule } = parts;
  const written = { inserted: 0, updated: 0, unchanged: 0 };
  const creations = new Batches<NodeFields>(async (nodes) => void (await createNodes(client, nodes)));
  const changes = new Batches<NodeFields & { readonly id: number }>((nodes) => changeNodes(client, nodes));
  for (const { key, fields } of records) {
    const node = nodeFields(fields);
    const { digest, key: own } = nodeRecord(node, rule);
    if (!own.equals(Buffer.from(key))) throw strange("its key is not the one that its properties give");
    const there = found.get(text(key));
    if (!there) {
      written.inserted++;
      await creations.add(JSON.stringify(node.labels), node, sizeOf(node.properties));
    } else if (digest.equals(Buffer.from(there.digest))) {
      written.unchanged++;
    } else {
      written.updated++;
      await changes.add(JSON.stringify(node.labels), { ...node, id: there.id }, sizeOf(node.properties));
    }
  }
  await creations.drain();
  await changes.drain();
  return written;
}

async function writeEdges(
  records: readonly StoreRecord[],
  found: ReadonlyMap<string, Found>,
  parts: ReadParts,
): Promise<Written> {
  const { client } = parts;
  const written = { inserted: 0, updated: 0, unchanged: 0 };
  const missing = records.filter(({ key }) => !found.has(text(key))).map((record) => edgeFields(record));
  const ids = await findEnds(
    missing.flatMap(({ from, to }) => [from, to]),
    parts,
  );
  const creations = new Batches<{ type: string; source: number; target: number; properties: ValueMap }>(
    async (edges) => void (await createEdges(client, edges)),
  );
  const changes = new Batches<{ id: number; properties: ValueMap }>((edges) => changeEdges(client, edges));
  for (const record of records) {
    const { type, from, to, properties, whole } = edgeFields(record);
    const there = found.get(text(record.key));
    if (there?.edge) {
      if (whole === writeValue(there.edge.properties)) {
        written.unchanged++;
        continue;
      }
      written.updated++;
      await changes.add("", { id: there.id, properties }, sizeOf(properties));
      continue;
    }
    const [source, target] = [ids.get(from), ids.get(to)];
    if (source === undefined || target === undefined) throw strange("one of its ends is not in the database");
    written.inserted++;
    await creations.add(type, { type, source, target, properties }, sizeOf(properties));
  }
  await creations.drain();
  await changes.drain();
  return written;
}

interface NodeFields {
  readonly labels: readonly string[];
  readonly properties: ValueMap;
}

function nodeFields(fields: StoreRecord["fields"]): NodeFields {
  const { labels, properties } = fields;
  if (!Array.isArray(labels) || !labels.every((label) => typeof label === "string") || !isMap(properties)) {
    throw strange("it has no labels or properties");
  }
  return { labels, properties };
}

function edgeFields({ key, fields }: StoreRecord): {
  readonly type: string;
  readonly from: string;
  readonly to: string;
  readonly properties: ValueMap;
  readonly whole: string;
} {
  const parts = readValue(Buffer.from(key).toString("utf8"));
  const [from, type, to] = Array.isArray(parts) ? (parts as readonly Value[]) : [];
  const { properties } = fields;
  if (from === undefined || to === undefined || typeof type !== "string" || !isMap(properties)) {
    throw strange("it has no ends, no type or no properties");
  }
  return { type, from: writeValue(from), to: writeValue(to), properties, whole: writeValue(properties) };
}

function isMap(value: unknown): value is ValueMap {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function sizeOf(properties: ValueMap): number {
  return writeValue(properties).length;
}

function text(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}

function indistinct(): MemkeepError {
  return new MemkeepError("STORE_UNSUPPORTED", {
    tried: "write single records",
    happened: "several records have one key, and cannot be told apart",
    next: "Restore the whole store with --mode merge.",
  });
}

function strange(happened: string): MemkeepError {
  return new MemkeepError("STORE_UNSUPPORTED", { tried: "write a record into Neo4j", happened });
}
