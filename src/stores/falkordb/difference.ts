/**
 * Brings the records of a dump into a graph: inserts those that are missing, updates those that differ, deletes nothing. Both
 * are walked in the order of keys, so memory does not grow with the records (16 to 40 bytes a node for the ends of edges).
 * Ids are used across queries, so the graph must be one that nobody else writes, unless it is only looked at.
 */
import type { CollectionFacts } from "../../domain/manifest.ts";
import { damaged } from "../format/damaged.ts";
import { readCollection } from "../format/read-collection.ts";
import { RecordSorter } from "../format/sort.ts";
import { CollectionDigests } from "../graph/collection-digests.ts";
import { edgeMembers, nodeMembers } from "../graph/dumped-records.ts";
import { KeyIndex } from "../graph/key-index.ts";
import { KeyTable } from "../graph/key-table.ts";
import { pairUp } from "../graph/pair-up.ts";
import { edgeCollection, edgeRecord, nodeCollection, nodeRecord, nodeReference } from "../graph/records.ts";
import type { DumpSource } from "../store.ts";
import { Batches } from "./batches.ts";
import type { DumpedGraph } from "./dumped-store.ts";
import { labelsOf } from "./labels.ts";
import type { ReadParts } from "./read-graph.ts";
import { GraphScan } from "./scan.ts";
import { send } from "./send.ts";
import { changeEdges, changeNodes, createEdges, createNodes, splitProperties } from "./write-batch.ts";
import type { ChangedEdge, NewEdge, NewNode, SplitProperties } from "./write-batch.ts";

export interface DifferenceParts {
  /** Of the graph that is to get the records, by the dump's rule of keys. */
  readonly read: ReadParts;
  readonly source: DumpSource;
  readonly dump: DumpedGraph;
  /** Only look: nothing is written. */
  readonly isDry: boolean;
}

export interface Difference {
  /** Records of the dump that were found as they are, by collection. */
  readonly same: readonly CollectionFacts[];
  /** Records that were inserted, or would be, by collection. */
  readonly inserted: ReadonlyMap<string, number>;
  readonly updated: number;
}

export async function applyDifference(parts: DifferenceParts): Promise<Difference> {
  const merge = new Merge(parts);
  await merge.nodes();
  await merge.edges();
  return merge.outcome();
}

interface PlacedNode extends NewNode {
  readonly reference: string;
  readonly continues: boolean;
}

interface Loose {
  readonly continues: boolean;
}

class Merge {
  readonly #parts: DifferenceParts;
  readonly #same = new CollectionDigests();
  readonly #inserted = new Map<string, number>();
  #updated = 0;
  /** Reference in the dump → id in the graph, for the ends of new edges. */
  readonly #ids = new KeyIndex();
  /** The way back, for the ends of those that are there. */
  readonly #keys = new KeyTable();

  constructor(parts: DifferenceParts) {
    this.#parts = parts;
  }

  outcome(): Difference {
    return { same: this.#same.all(), inserted: this.#inserted, updated: this.#updated };
  }

  async nodes(): Promise<void> {
    const { read, source, dump, isDry } = this.#parts;
    await using living = new RecordSorter({ folder: read.folder, stem: `${read.stem}.living-nodes` });
    const scan = await GraphScan.open(read);
    await scan.nodes(async (page) => {
      for (const node of page) {
        const { key, digest } = nodeRecord(node, read.rule);
        await living.add({ key, digest, line: "", vectors: [], tie: node.id });
      }
    });
    await using creations = new Batches<PlacedNode>(read, async (batch) => {
      const ids = isDry ? [] : await send(read, createNodes, batch);
      for (const [at, id] of ids.entries()) this.#ids.set(batch[at]!.reference, id);
      read.onProgress?.(batch.length);
    });
    await using changes = new Batches<NewNode & Loose & { readonly id: number }>(read, async (batch) => {
      if (!isDry) await changeNodesOf(read, batch);
      read.onProgress?.(batch.length);
    });
    for await (const pair of pairUp(readCollection(source, dump.nodes), living.keys())) {
      read.signal.throwIfAborted();
      if (pair.kind === "extra") continue;
      const { record, digest, ordinal } = pair.dumped;
      const { labels, properties } = nodeMembers(record, dump.nodes.file);
      const reference = nodeReference(record.key, ordinal);
      if (pair.kind === "missing") {
        this.#count(nodeCollection(labels));
        const split = splitProperties(properties);
        const node = { labels, properties: split, reference, continues: ordinal > 0 };
        await creations.add(`${JSON.stringify(labels)} ${split.shape}`, node, record);
        continue;
      }
      const id = pair.living.tie;
      this.#ids.set(reference, id);
      this.#keys.set(id, record.key);
      if (ordinal > 0) this.#keys.setOrdinal(id, ordinal);
      if (pair.kind === "same") {
        this.#same.add({ collection: nodeCollection(labels), key: record.key, digest });
        continue;
      }
      this.#updated++;
      const split = splitProperties(properties);
      const node = { labels, properties: split, id, continues: false };
      await changes.add(`${JSON.stringify(labels)} ${split.shape}`, node, record);
    }
    await creations.drain();
    await changes.drain();
  }

  async edges(): Promise<void> {
    const { read, source, dump, isDry } = this.#parts;
    await using living = new RecordSorter({ folder: read.folder, stem: `${read.stem}.living-edges` });
    const scan = await GraphScan.open(read);
    await scan.edges(async (page) => {
      for (const edge of page) {
        // Without a record where one of its ends is not in the dump.
        const record = edgeRecord(edge, this.#keys);
        if (record) await living.add({ ...record, line: "", vectors: [], tie: edge.id });
      }
    });
    await using creations = new Batches<NewEdge & Loose>(read, async (batch) => {
      if (!isDry) await send(read, createEdges, batch);
      read.onProgress?.(batch.length);
    });
    await using changes = new Batches<ChangedEdge & Loose>(read, async (batch) => {
      if (!isDry) await send(read, changeEdges, batch);
      read.onProgress?.(batch.length);
    });
    for await (const pair of pairUp(readCollection(source, dump.edges), living.keys())) {
      read.signal.throwIfAborted();
      if (pair.kind === "extra") continue;
      const { record, digest } = pair.dumped;
      const { type, from, to, properties } = edgeMembers(record, dump.edges.file);
      if (pair.kind === "same") {
        this.#same.add({ collection: edgeCollection(type), key: record.key, digest });
        continue;
      }
      const isNew = pair.kind === "missing";
      if (isNew) this.#count(edgeCollection(type));
      else this.#updated++;
      if (isDry) continue;
      const [source, target] = [this.#ids.get(from), this.#ids.get(to)];
      if (source === undefined || target === undefined) {
        throw damaged(dump.edges.file, "an edge names a node that is not in the dump");
      }
      const split: SplitProperties = splitProperties(properties);
      const edge = { type, source, target, properties: split, continues: false };
      const shape = `${JSON.stringify(type)} ${split.shape}`;
      if (isNew) await creations.add(shape, edge, record);
      else await changes.add(shape, { ...edge, id: pair.living.tie }, record);
    }
    await creations.drain();
    await changes.drain();
  }

  #count(collection: string): void {
    this.#inserted.set(collection, (this.#inserted.get(collection) ?? 0) + 1);
  }
}

/** Gives nodes other labels and properties. All of `nodes` are to have the same labels; they may have had others. */
async function changeNodesOf(
  read: ReadParts,
  nodes: readonly (NewNode & { readonly id: number })[],
): Promise<void> {
  const had = await labelsOf(
    read,
    nodes.map(({ id }) => id),
  );
  const groups = Map.groupBy(nodes, ({ id, labels }) => {
    const superfluous = (had.get(id) ?? []).filter((label) => !labels.includes(label));
    return JSON.stringify(superfluous.sort());
  });
  for (const [text, group] of groups) {
    const superfluous = JSON.parse(text) as string[];
    const batch = group.map((node) => ({ ...node, superfluous }));
    await send(read, changeNodes, batch);
  }
}
