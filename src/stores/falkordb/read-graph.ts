/** Reads one graph whole: records sorted by key, exact counts, digests of each collection. */
import { MemkeepError } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { RecordSorter } from "../format/sort.ts";
import { quoteName } from "./names.ts";
import { CollectionDigests } from "../graph/collection-digests.ts";
import { KeyTable } from "../graph/key-table.ts";
import { numberEqualKeys } from "../graph/number-keys.ts";
import type { Value } from "../format/value.ts";
import { edgeRecord, keyBytes, nodeRecord } from "../graph/records.ts";
import type { GraphEdge, RecordLine } from "../graph/records.ts";
import { GraphScan } from "./scan.ts";
import type { ScanParts } from "./scan.ts";

export interface ReadParts extends ScanParts {
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
  /** Records that came or went meanwhile. Always 0 for a graph that stands still. */
  readonly moved: number;
}

/** Counts of a graph, exactly, as the server gives them. */
interface Counts {
  readonly nodes: number;
  readonly edges: number;
  readonly labels: ReadonlyMap<string, number>;
  readonly types: ReadonlyMap<string, number>;
}

/**
 * Reads all of it. Where the graph stands still, what was read must be what the server counts (`DUMP_INCOMPLETE`);
 * otherwise the differences are `moved`, and everything that was there throughout has been read.
 */
export async function readGraph(parts: ReadParts): Promise<GraphRead> {
  const scan = await GraphScan.open(parts);
  const before = await countGraph(parts, scan);
  await using stack = new AsyncDisposableStack();
  const nodes = stack.use(new RecordSorter({ folder: parts.folder, stem: `${parts.stem}.nodes` }));
  const edges = stack.use(new RecordSorter({ folder: parts.folder, stem: `${parts.stem}.edges` }));
  const keys = new KeyTable();
  const facts = new CollectionDigests();
  const seen = { nodes: 0, edges: 0, labels: new Map<string, number>(), types: new Map<string, number>() };

  await scan.nodes(async (page) => {
    for (const node of page) {
      const record = nodeRecord(node, parts.rule);
      keys.set(node.id, record.key);
      facts.add(record);
      for (const label of node.labels) seen.labels.set(label, (seen.labels.get(label) ?? 0) + 1);
      await nodes.add({ ...kept(record, parts.keep), tie: node.id });
    }
    seen.nodes += page.length;
    parts.onProgress?.(page.length);
  });
  await numberEqualKeys(nodes, keys);
  let loose = 0;
  const takeEdges = async (page: readonly GraphEdge[]): Promise<void> => {
    for (const edge of page) {
      const record = edgeRecord(edge, keys);
      if (!record) {
        loose++;
        continue;
      }
      facts.add(record);
      seen.types.set(edge.type, (seen.types.get(edge.type) ?? 0) + 1);
      seen.edges++;
      if (parts.keep === "records") await edges.add(record);
    }
    parts.onProgress?.(page.length);
  };
  await scan.edges(takeEdges, (id, values) => mayBe(keys.get(id)?.key, values));
  const after = await countGraph(parts, scan);
  const moved = differences(before, seen) + differences(after, seen) + loose + scan.moved;
  if (moved > 0 && parts.isStill) {
    throw new MemkeepError("DUMP_INCOMPLETE", {
      tried: "read a graph",
      happened:
        `the server counts ${after.nodes} nodes and ${after.edges} edges, ` +
        `${seen.nodes} and ${seen.edges} were read`,
      next: "Run it again; if it stays, report it.",
    });
  }
  const owned = stack.move();
  return { nodes, edges, facts: facts.all(), moved, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Whether a node that had this key may have these values in its key properties. */
function mayBe(key: Buffer | undefined, values: readonly Value[]): boolean {
  if (!key) return true;
  const own = values.map(keyBytes).filter((bytes) => bytes !== undefined);
  // A digest of content: of several key properties, one of another label may be there.
  if (/^#[0-9a-f]{32}$/.test(key.toString("latin1"))) return values.length > 1 || own.length === 0;
  return own.some((bytes) => bytes.equals(key));
}

function kept(record: RecordLine, keep: ReadParts["keep"]): RecordLine {
  return keep === "records" ? record : { ...record, line: "", vectors: [] };
}

async function countGraph({ session, graph }: ScanParts, { names }: GraphScan): Promise<Counts> {
  const labels = new Map<string, number>();
  for (const label of names.labels) {
    labels.set(label, await session.count(graph, `MATCH (n:${quoteName(label)}) RETURN count(n)`));
  }
  const types = new Map<string, number>();
  for (const type of names.types) {
    types.set(type, await session.count(graph, `MATCH ()-[e:${quoteName(type)}]->() RETURN count(e)`));
  }
  const nodes = await session.count(graph, "MATCH (n) RETURN count(n)");
  const edges = await session.count(graph, "MATCH ()-[e]->() RETURN count(e)");
  return { nodes, edges, labels, types };
}

function differences(counted: Counts, seen: Counts): number {
  let sum = Math.abs(counted.nodes - seen.nodes) + Math.abs(counted.edges - seen.edges);
  for (const [label, count] of counted.labels) sum += Math.abs(count - (seen.labels.get(label) ?? 0));
  for (const [type, count] of counted.types) sum += Math.abs(count - (seen.types.get(type) ?? 0));
  return sum;
}
