/**
 * Makes a living database like a dumped one: inserts, updates, then deletes. Both are walked in the order of keys, so memory
 * does not grow with the records (16 to 40 bytes a node for the ends of relationships). Doing it twice is doing it once: what
 * was interrupted at an unknown place is done again from the start, by comparison.
 */
import { MemkeepError } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { readCollection } from "../format/read-collection.ts";
import { RecordSorter } from "../format/sort.ts";
import { CollectionDigests } from "../graph/collection-digests.ts";
import { edgeMembers, nodeMembers } from "../graph/dumped-records.ts";
import { KeyIndex } from "../graph/key-index.ts";
import { KeyTable } from "../graph/key-table.ts";
import { edgeCollection, edgeRecord, nodeCollection, nodeRecord, nodeReference } from "../graph/records.ts";
import { damaged } from "../format/damaged.ts";
import type { DumpSource } from "../store.ts";
import type { DumpedGraph } from "./dump.ts";
import { edgeKind, nodeKind } from "./kinds.ts";
import { markerLabel } from "./marker.ts";
import { pairUp } from "../graph/pair-up.ts";
import type { ReadParts } from "./read-graph.ts";
import { Sweep } from "./sweep.ts";
import {
  Batches,
  changeEdges,
  changeNodes,
  createEdges,
  createNodes,
  deleteEdges,
  deleteNodes,
  sizeOf,
} from "./write-batches.ts";
import type { ChangedEdge, ChangedNode, NewEdge, NewNode } from "./write-batches.ts";

export interface Changed {
  inserted: number;
  updated: number;
  deleted: number;
  unchanged: number;
}

export interface DifferenceParts {
  readonly read: ReadParts;
  readonly source: DumpSource;
  readonly dump: Pick<DumpedGraph, "nodes" | "edges" | "rule">;
  /** What the dump lacks stays. */
  readonly isMerge: boolean;
  /** Only look: nothing is written. */
  readonly isDry?: boolean;
}

interface Placed {
  readonly reference: string;
}

/** What `applyDifference` found of the dump in the database, by collection: records that are the same on both sides. */
export interface Outcome {
  readonly changed: Changed;
  readonly same: readonly CollectionFacts[];
  /** Records that were inserted, or would be, by collection. */
  readonly inserted: ReadonlyMap<string, number>;
}

export async function applyDifference(parts: DifferenceParts): Promise<Outcome> {
  const work = new Difference(parts);
  return work.run();
}

class Difference {
  readonly #parts: DifferenceParts;
  readonly #changed: Changed = { inserted: 0, updated: 0, deleted: 0, unchanged: 0 };
  readonly #same = new CollectionDigests();
  readonly #inserted = new Map<string, number>();
  /** Reference in the dump → id in the database, for the ends of new relationships. */
  readonly #ids = new KeyIndex();
  /** The way back, for the ends of those that are there. */
  readonly #keys = new KeyTable();
  readonly #extraNodes: number[] = [];
  readonly #extraEdges: number[] = [];

  constructor(parts: DifferenceParts) {
    this.#parts = parts;
  }

  async run(): Promise<Outcome> {
    const { client } = this.#parts.read;
    await using guard = await client.guardIds();
    await this.#nodes();
    await this.#edges();
    if (!(await guard.isHeld())) {
      throw new MemkeepError("STORE_UNREACHABLE", {
        tried: "write to the database",
        happened: "the server ended the transaction that keeps ids from being given out again",
        next: "Raise `db.transaction.timeout` on the server beyond the time of a restore.",
      });
    }
    if (!this.#parts.isMerge) {
      this.#changed.deleted += this.#extraEdges.length + this.#extraNodes.length;
      if (this.#parts.isDry !== true) {
        await deleteEdges(client, this.#extraEdges);
        await deleteNodes(client, this.#extraNodes);
      }
    }
    return { changed: this.#changed, same: this.#same.all(), inserted: this.#inserted };
  }

  async #nodes(): Promise<void> {
    const { read, source, dump } = this.#parts;
    const isDry = this.#parts.isDry === true;
    const rule = dump.rule;
    await using living = new RecordSorter({ folder: read.folder, stem: `${read.stem}.living-nodes` });
    await new Sweep(read, nodeKind, async (page) => {
      let bytes = 0;
      for (const node of page) {
        if (node.labels.includes(markerLabel)) continue;
        const { key, digest, line, vectors } = nodeRecord(node, rule);
        bytes += sizeOf({ line, vectors });
        const wait = living.add({ key, digest, line: "", vectors: [], tie: node.id });
        if (wait) await wait;
      }
      return bytes;
    }).all();
    const creations = new Batches<NewNode & Placed>(async (nodes) => {
      const ids = isDry ? [] : await createNodes(read.client, nodes);
      for (const [at, id] of ids.entries()) this.#ids.set(nodes[at]!.reference, id);
      this.#changed.inserted += nodes.length;
      read.onProgress?.(nodes.length);
    });
    const changes = new Batches<ChangedNode>(async (nodes) => {
      if (!isDry) await changeNodes(read.client, nodes);
      this.#changed.updated += nodes.length;
      read.onProgress?.(nodes.length);
    });
    for await (const pair of pairUp(readCollection(source, dump.nodes), living.keys())) {
      read.signal.throwIfAborted();
      if (pair.kind === "extra") {
        this.#extraNodes.push(pair.living.tie);
        continue;
      }
      const { record, digest, ordinal } = pair.dumped;
      const { labels, properties } = nodeMembers(record, dump.nodes.file);
      const reference = nodeReference(record.key, ordinal);
      if (pair.kind === "missing") {
        this.#countInserted(nodeCollection(labels));
        const wait = creations.add(JSON.stringify(labels), { labels, properties, reference }, sizeOf(record));
        if (wait) await wait;
        continue;
      }
      const id = pair.living.tie;
      this.#ids.set(reference, id);
      this.#keys.set(id, record.key);
      if (ordinal > 0) this.#keys.setOrdinal(id, ordinal);
      if (pair.kind === "same") {
        this.#changed.unchanged++;
        this.#same.add({ collection: nodeCollection(labels), key: record.key, digest });
        continue;
      }
      const wait = changes.add(JSON.stringify(labels), { labels, properties, id }, sizeOf(record));
      if (wait) await wait;
    }
    await creations.drain();
    await changes.drain();
  }

  #countInserted(collection: string): void {
    this.#inserted.set(collection, (this.#inserted.get(collection) ?? 0) + 1);
  }

  async #edges(): Promise<void> {
    const { read, source, dump } = this.#parts;
    const isDry = this.#parts.isDry === true;
    await using living = new RecordSorter({ folder: read.folder, stem: `${read.stem}.living-edges` });
    await new Sweep(read, edgeKind, async (page) => {
      let bytes = 0;
      for (const edge of page) {
        const record = edgeRecord(edge, this.#keys);
        if (!record) {
          // One of its ends is not in the dump.
          this.#extraEdges.push(edge.id);
          continue;
        }
        bytes += sizeOf(record);
        const { key, digest } = record;
        const wait = living.add({ key, digest, line: "", vectors: [], tie: edge.id });
        if (wait) await wait;
      }
      return bytes;
    }).all();
    const creations = new Batches<NewEdge>(async (edges) => {
      if (!isDry) await createEdges(read.client, inLockOrder(edges));
      this.#changed.inserted += edges.length;
      read.onProgress?.(edges.length);
    });
    const changes = new Batches<ChangedEdge>(async (edges) => {
      if (!isDry) await changeEdges(read.client, edges);
      this.#changed.updated += edges.length;
      read.onProgress?.(edges.length);
    });
    for await (const pair of pairUp(readCollection(source, dump.edges), living.keys())) {
      read.signal.throwIfAborted();
      if (pair.kind === "extra") {
        this.#extraEdges.push(pair.living.tie);
        continue;
      }
      const { record, digest } = pair.dumped;
      const { type, from, to, properties } = edgeMembers(record, dump.edges.file);
      if (pair.kind === "same") {
        this.#changed.unchanged++;
        this.#same.add({ collection: edgeCollection(type), key: record.key, digest });
        continue;
      }
      if (pair.kind === "different") {
        const wait = changes.add("", { id: pair.living.tie, properties }, sizeOf(record));
        if (wait) await wait;
        continue;
      }
      this.#countInserted(edgeCollection(type));
      const [start, end] = [this.#ids.get(from), this.#ids.get(to)];
      if ((start === undefined || end === undefined) && !isDry) {
        throw damaged(dump.edges.file, "an edge names a node that is not in the dump");
      }
      const wait = creations.add(
        type,
        { type, source: start ?? 0, target: end ?? 0, properties },
        sizeOf(record),
      );
      if (wait) await wait;
    }
    await creations.drain();
    await changes.drain();
  }
}

/** Two writers that lock nodes in one order do not wait for each other. */
function inLockOrder(edges: readonly NewEdge[]): readonly NewEdge[] {
  const low = ({ source, target }: NewEdge): number => Math.min(source, target);
  return edges.toSorted((a, b) => low(a) - low(b));
}
