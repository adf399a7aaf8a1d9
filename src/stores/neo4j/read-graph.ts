/** Reads a whole database: records sorted by key, exact counts, digests of each collection. */
import { MemkeepError } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { RecordSorter } from "../format/sort.ts";
import { CollectionDigests } from "../graph/collection-digests.ts";
import { KeyTable } from "../graph/key-table.ts";
import { numberEqualKeys } from "../graph/number-keys.ts";
import { edgeRecord, nodeRecord } from "../graph/records.ts";
import type { KeyRule, RecordLine } from "../graph/records.ts";
import { countGraph, differences } from "./counts.ts";
import type { Counts } from "./counts.ts";
import { edgeKind, nodeKind } from "./kinds.ts";
import { markerLabel } from "./marker.ts";
import { Sweep } from "./sweep.ts";
import type { SweepParts } from "./sweep.ts";
import { holdsVectorType } from "./values.ts";

export interface ReadParts extends SweepParts {
  readonly rule: KeyRule;
  readonly folder: string;
  /** Begins the names of spool files: `[A-Za-z0-9._-]+`. */
  readonly stem: string;
  /** `facts`: the records themselves are not kept. */
  readonly keep: "records" | "facts";
  /** Told of records as they come. */
  readonly onProgress?: (records: number) => void;
}

export interface GraphRead extends AsyncDisposable {
  readonly nodes: RecordSorter;
  readonly edges: RecordSorter;
  readonly facts: readonly CollectionFacts[];
  /** Records that came or went meanwhile. */
  readonly moved: number;
  readonly holdsVectorType: boolean;
}

/** How often what came meanwhile is looked for, before it is left to the next backup. */
const maxRounds = 4;

/**
 * Reads all of it. What was there throughout is in it, and the server's own counts say so: `DUMP_INCOMPLETE` where they
 * stand still and fewer records were read.
 */
export async function readGraph(parts: ReadParts): Promise<GraphRead> {
  const { client } = parts;
  await using guard = await client.guardIds();
  await using stack = new AsyncDisposableStack();
  const nodes = stack.use(new RecordSorter({ folder: parts.folder, stem: `${parts.stem}.nodes` }));
  const edges = stack.use(new RecordSorter({ folder: parts.folder, stem: `${parts.stem}.edges` }));
  const keys = new KeyTable();
  const facts = new CollectionDigests();
  const seen = { nodes: 0, edges: 0, labels: new Map<string, number>(), types: new Map<string, number>() };
  let hasVectors = false;
  let loose = 0;

  const before = await countGraph(client);
  const nodeSweep = new Sweep({ ...parts }, nodeKind, async (page) => {
    let bytes = 0;
    let count = 0;
    for (const node of page) {
      if (node.labels.includes(markerLabel)) continue;
      const record = nodeRecord(node, parts.rule);
      hasVectors ||= holdsVectorType(node.properties);
      keys.set(node.id, record.key);
      facts.add(record);
      for (const label of node.labels) seen.labels.set(label, (seen.labels.get(label) ?? 0) + 1);
      bytes += sizeOf(record);
      count++;
      const wait = nodes.add({ ...kept(record, parts.keep), tie: node.id });
      if (wait) await wait;
    }
    seen.nodes += count;
    parts.onProgress?.(count);
    return bytes;
  });
  await nodeSweep.all();
  let came = await settle(nodeSweep, () => countGraph(client), seen, "nodes");
  await numberEqualKeys(nodes, keys);

  const edgeSweep = new Sweep({ ...parts }, edgeKind, async (page) => {
    let bytes = 0;
    for (const edge of page) {
      const record = edgeRecord(edge, keys);
      if (!record) {
        // One of its ends came after the nodes were read.
        loose++;
        continue;
      }
      hasVectors ||= holdsVectorType(edge.properties);
      facts.add(record);
      seen.types.set(edge.type, (seen.types.get(edge.type) ?? 0) + 1);
      seen.edges++;
      bytes += sizeOf(record);
      const wait = parts.keep === "records" ? edges.add(record) : undefined;
      if (wait) await wait;
    }
    parts.onProgress?.(page.length);
    return bytes;
  });
  await edgeSweep.all();
  came += await settle(
    edgeSweep,
    () => countGraph(client),
    seen,
    "edges",
    () => loose,
  );
  const after = await countGraph(client);
  const moved = Math.max(differences(before, seen), differences(after, seen)) + came + loose;
  if (moved > 0 && !(await guard.isHeld())) throw guardLost();
  const owned = stack.move();
  return {
    nodes,
    edges,
    facts: facts.all(),
    moved,
    holdsVectorType: hasVectors,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Reads what came meanwhile until the counts hold, or there is too much going on. The number of records that came. */
async function settle(
  sweep: { again(): Promise<number> },
  count: () => Promise<Counts>,
  seen: { readonly nodes: number; readonly edges: number },
  what: "nodes" | "edges",
  loose = (): number => 0,
): Promise<number> {
  let came = 0;
  for (let round = 1; ; round++) {
    const counted = (await count())[what];
    const read = seen[what] + loose();
    if (counted === read) return came;
    const more = await sweep.again();
    came += more;
    if (round < maxRounds) continue;
    const isStill = more === 0 && (await count())[what] === counted;
    if (!isStill || read >= counted) return came;
    throw new MemkeepError("DUMP_INCOMPLETE", {
      tried: `read the ${what} of a database`,
      happened: `the server counts ${counted}, and ${read} were read`,
      next: "Run it again; if it stays, report it.",
    });
  }
}

function guardLost(): MemkeepError {
  return new MemkeepError("DUMP_INCOMPLETE", {
    tried: "read a database while others write",
    happened: "the server ended the transaction that keeps ids from being given out again",
    next: "Raise `db.transaction.timeout` on the server beyond the time of a backup, or back up while nobody writes.",
  });
}

function sizeOf({ line, vectors }: RecordLine): number {
  return vectors.reduce((sum, { vector }) => sum + vector.sizeBytes, line.length);
}

function kept(record: RecordLine, keep: ReadParts["keep"]): RecordLine {
  return keep === "records" ? record : { ...record, line: "", vectors: [] };
}
