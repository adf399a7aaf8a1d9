/** Writes a dumped graph into an empty one: nodes in the dump's order, then edges by the nodes' new ids. */
import type { DumpSource } from "../store.ts";
import type { CollectionFiles } from "../format/layout.ts";
import { readCollection } from "../format/read-collection.ts";
import type { ServerLimits, Session } from "./client.ts";
import { damaged } from "../format/damaged.ts";
import { KeyIndex } from "../graph/key-index.ts";
import { edgeMembers, nodeMembers } from "../graph/dumped-records.ts";
import { nodeReference } from "../graph/records.ts";
import { Batches } from "./batches.ts";
import type { Placed } from "./batches.ts";
import { send } from "./send.ts";
import { createEdges, createNodes, splitProperties } from "./write-batch.ts";
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
  readonly limits: ServerLimits;
}

export async function writeGraph(parts: WriteParts): Promise<void> {
  const index = new KeyIndex();
  await writeNodes(parts, index);
  await writeEdges(parts, index);
}

interface PlacedNode extends NewNode, Placed {
  readonly reference: string;
}

async function writeNodes(parts: WriteParts, index: KeyIndex): Promise<void> {
  await using queue = new Batches<PlacedNode>(parts, async (batch) => {
    const ids = await send(parts, createNodes, batch);
    for (const [at, { reference }] of batch.entries()) index.set(reference, ids[at]!);
    parts.onProgress(batch.length);
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
    await send(parts, createEdges, batch);
    parts.onProgress(batch.length);
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
