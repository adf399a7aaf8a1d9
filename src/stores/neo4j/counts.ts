/** Exact counts, as the server keeps them (its count store): asked before and after, and held against what was read. */
import type { Client } from "./client.ts";
import { markerLabel } from "./marker.ts";
import { quoteName } from "./names.ts";

export interface Counts {
  readonly nodes: number;
  readonly edges: number;
  readonly labels: ReadonlyMap<string, number>;
  readonly types: ReadonlyMap<string, number>;
}

export async function countGraph(client: Client): Promise<Counts> {
  const labels = await names(client, "CALL db.labels() YIELD label RETURN label");
  const types = await names(
    client,
    "CALL db.relationshipTypes() YIELD relationshipType RETURN relationshipType",
  );
  const nodes = labels.map((label) => `(n:${quoteName(label)})`);
  const edges = types.map((type) => `()-[n:${quoteName(type)}]->()`);
  const [all, allEdges, ...counts] = await countPatterns(client, ["(n)", "()-[n]->()", ...nodes, ...edges]);
  const byLabel = new Map(labels.map((label, index) => [label, counts[index]!]));
  const byType = new Map(types.map((type, index) => [type, counts[labels.length + index]!]));
  const markers = byLabel.get(markerLabel) ?? 0;
  byLabel.delete(markerLabel);
  return { nodes: all! - markers, edges: allEdges!, labels: byLabel, types: byType };
}

function names(client: Client, query: string): Promise<string[]> {
  return client.rows(query, {}, (row) => row.get(0) as string);
}

/** Patterns in one query: each is a look at the count store. */
const atOnce = 50;

async function countPatterns(client: Client, patterns: readonly string[]): Promise<number[]> {
  const counts: number[] = [];
  for (let at = 0; at < patterns.length; at += atOnce) {
    const parts = patterns
      .slice(at, at + atOnce)
      .map((pattern, index) => `MATCH ${pattern} WITH count(n) AS found RETURN ${at + index} AS at, found`);
    await client.rows(parts.join(" UNION ALL "), {}, (row) => {
      counts[Number(row.get(0))] = Number(row.get(1));
    });
  }
  return counts;
}

/** By how many records two counts are apart. */
export function differences(counted: Counts, seen: Counts): number {
  return Math.max(
    Math.abs(counted.nodes - seen.nodes) + Math.abs(counted.edges - seen.edges),
    apart(counted.labels, seen.labels) + apart(counted.types, seen.types),
  );
}

function apart(left: ReadonlyMap<string, number>, right: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    sum += Math.abs((left.get(name) ?? 0) - (right.get(name) ?? 0));
  }
  return sum;
}
