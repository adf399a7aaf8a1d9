/** Finds the nodes that references of the dump name, for new relationships between them. */
import { RecordSorter } from "../format/sort.ts";
import { nodeRecord, nodeReference } from "../graph/records.ts";
import { nodeKind } from "./kinds.ts";
import { markerLabel } from "./marker.ts";
import type { ReadParts } from "./read-graph.ts";
import { Sweep } from "./sweep.ts";

/** Reference (`nodeReference`) → id, of those that are there. Reads all nodes: a reference may count nodes of one key. */
export async function findEnds(
  references: readonly string[],
  parts: ReadParts,
): Promise<ReadonlyMap<string, number>> {
  const wanted = new Set(references);
  const found = new Map<string, number>();
  if (wanted.size === 0) return found;
  await using nodes = new RecordSorter({ folder: parts.folder, stem: `${parts.stem}.found` });
  await new Sweep(parts, nodeKind, async (page) => {
    for (const node of page) {
      if (node.labels.includes(markerLabel)) continue;
      const { key, digest } = nodeRecord(node, parts.rule);
      await nodes.add({ key, digest, line: "", vectors: [], tie: node.id });
    }
    return page.length * 500;
  }).all();
  let before: Buffer | undefined;
  let ordinal = 0;
  for await (const batch of nodes.keys()) {
    for (const { key, tie } of batch) {
      ordinal = before?.equals(key) === true ? ordinal + 1 : 0;
      before = key;
      const reference = nodeReference(key, ordinal);
      if (wanted.has(reference)) found.set(reference, tie);
    }
  }
  return found;
}
