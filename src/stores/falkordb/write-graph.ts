/** Writes a dumped graph into an empty one: nodes in the dump's order, then edges by the nodes' new ids. */
import { MemkeepError } from "../../domain/errors.ts";
import type { DumpSource } from "../store.ts";
import type { CollectionFiles } from "../format/layout.ts";
import { readCollection } from "../format/read-collection.ts";
import type { DumpedRecord } from "../format/read-collection.ts";
import type { Session } from "./client.ts";
import { damaged } from "../format/damaged.ts";
import { KeyIndex } from "../graph/key-index.ts";
import { edgeMembers, nodeMembers } from "../graph/dumped-records.ts";
import { nodeReference } from "../graph/records.ts";
import type { Reply } from "./resp.ts";
import { createEdges, createNodes, setProperty, splitProperties } from "./write-batch.ts";
import type { NewEdge, NewNode } from "./write-batch.ts";

export interface WriteParts {
  readonly session: Session;
  readonly graph: Uint8Array;
  readonly source: DumpSource;
  readonly nodes: CollectionFiles;
  readonly edges: CollectionFiles;
  readonly signal: AbortSignal;
  readonly onProgress: (records: number) => void;
  /** Queries under way at once: the server reads one while it executes another. */
  readonly connections: number;
}

const batchRows = 2000;
/** Floats in one query; a vector counts as its columns. Keeps a query below about 2 MB. */
const batchFloats = 150_000;
const batchTextLength = 2 * 1024 * 1024;

export async function writeGraph(parts: WriteParts): Promise<void> {
  const index = new KeyIndex();
  await writeNodes(parts, index);
  await writeEdges(parts, index);
}

interface Placed {
  /** It must not be created before those of earlier batches. */
  readonly continues: boolean;
}

interface PlacedNode extends NewNode, Placed {
  readonly reference: string;
}

async function writeNodes(parts: WriteParts, index: KeyIndex): Promise<void> {
  await using queue = new Batches<PlacedNode>(parts, async (batch) => {
    const ids = await create(parts, createNodes(batch), batch.length);
    for (const [at, { reference, properties }] of batch.entries()) {
      index.set(reference, ids[at]!);
      await setRest(parts, "node", ids[at]!, properties);
    }
  });
  let before: Buffer | undefined;
  let ordinal = 0;
  for await (const records of readCollection(parts.source, parts.nodes)) {
    for (const record of records) {
      const isSameKey = before?.equals(record.key) === true;
      ordinal = isSameKey ? ordinal + 1 : 0;
      before = record.key;
      const { labels, properties } = nodeMembers(record, parts.nodes.file);
      const split = splitProperties(properties);
      const reference = nodeReference(record.key, ordinal);
      const node = { labels, properties: split, reference, continues: isSameKey };
      await queue.add(`${JSON.stringify(labels)} ${split.shape}`, node, record);
    }
  }
  await queue.drain();
}

async function writeEdges(parts: WriteParts, index: KeyIndex): Promise<void> {
  await using queue = new Batches<NewEdge & Placed>(parts, async (batch) => {
    const ids = await create(parts, createEdges(batch), batch.length);
    for (const [at, { properties }] of batch.entries()) await setRest(parts, "edge", ids[at]!, properties);
  });
  for await (const records of readCollection(parts.source, parts.edges)) {
    for (const record of records) {
      const { type, from, to, properties } = edgeMembers(record, parts.edges.file);
      const [source, target] = [index.get(from), index.get(to)];
      if (source === undefined || target === undefined) {
        throw damaged(parts.edges.file, "an edge names a node that is not in the dump");
      }
      const split = splitProperties(properties);
      await queue.add(
        `${JSON.stringify(type)} ${split.shape}`,
        { type, source, target, properties: split, continues: false },
        record,
      );
    }
  }
  await queue.drain();
}

/** One row of one list of `[3, id]`. */
type IdRows = readonly [readonly [readonly [bigint, readonly (readonly [bigint, bigint])[]]]];

async function create(
  { session, graph, onProgress }: WriteParts,
  query: Buffer,
  count: number,
): Promise<number[]> {
  const [, rows] = (await session.command("GRAPH.QUERY", graph, query, "--compact")) as readonly [
    Reply,
    IdRows,
  ];
  const [[[, items]]] = rows;
  if (items.length !== count) {
    throw new MemkeepError("COMPARE_FAILED", {
      tried: "write a graph",
      happened: `the server created ${items.length} of ${count} records`,
    });
  }
  onProgress(count);
  return items.map(([, id]) => Number(id));
}

async function setRest(
  { session, graph }: WriteParts,
  kind: "node" | "edge",
  id: number,
  { rest }: NewNode["properties"],
): Promise<void> {
  for (const { name, value } of rest) {
    await session.command("GRAPH.QUERY", graph, setProperty(kind, id, name, value));
  }
}

/** Collects records of one shape and sends them when there are enough, several queries at once. */
class Batches<Item extends Placed> implements AsyncDisposable {
  readonly #parts: WriteParts;
  readonly #send: (batch: readonly Item[]) => Promise<void>;
  readonly #open = new Map<string, { items: Item[]; floats: number; textLength: number }>();
  readonly #underWay = new Set<Promise<void>>();
  #held = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(parts: WriteParts, send: (batch: readonly Item[]) => Promise<void>) {
    this.#parts = parts;
    this.#send = send;
  }

  async add(shape: string, item: Item, { line, vectors }: DumpedRecord): Promise<void> {
    let batch = this.#open.get(shape);
    if (!batch) {
      batch = { items: [], floats: 0, textLength: 0 };
      this.#open.set(shape, batch);
    }
    batch.items.push(item);
    batch.textLength += line.length;
    for (const { vector } of vectors) batch.floats += vector.columns;
    this.#held++;
    const isFull =
      batch.items.length >= batchRows || batch.floats >= batchFloats || batch.textLength >= batchTextLength;
    if (isFull) await this.#flush(shape);
    // Many shapes, few records each: they would pile up.
    else if (this.#held >= batchRows * 4) await this.drain();
  }

  /** Sends what is left and waits for all queries. Rejects with the first failure. */
  async drain(): Promise<void> {
    for (const shape of this.#open.keys()) await this.#flush(shape);
    while (this.#underWay.size > 0) await Promise.race(this.#underWay);
    if (this.#failure) throw this.#failure.error;
  }

  /** Waits for queries that are under way, whatever becomes of them. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #flush(shape: string): Promise<void> {
    const { items } = this.#open.get(shape)!;
    this.#open.delete(shape);
    this.#held -= items.length;
    // Nodes that are alike keep their order, by which edges name them: their queries must not overtake each other.
    const most = items[0]!.continues ? 1 : this.#parts.connections;
    while (this.#underWay.size >= most) await Promise.race(this.#underWay);
    this.#parts.signal.throwIfAborted();
    if (this.#failure) throw this.#failure.error;
    const sent: Promise<void> = this.#send(items)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#underWay.delete(sent));
    this.#underWay.add(sent);
  }
}
