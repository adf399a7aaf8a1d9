/** `examples/automem` on real engines: one recovery point of graph and vectors, each lost and brought back, then both. */
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeFolder, removeFolder, runMemkeep } from "../cli/run-memkeep.ts";
import type { Ended } from "../cli/run-memkeep.ts";
import type { QdrantServer } from "../engines/qdrant/index.ts";
import { engine } from "../engines/require.ts";
import { TestServer } from "../falkordb/testing.ts";
import { Place } from "../qdrant/testing.ts";

const falkordb = await engine("falkordb");
const qdrant = await engine("qdrant");
const example = fileURLToPath(new URL("../../examples/automem/memkeep.yaml", import.meta.url));
const memories = 1000;
const columns = 768;
const password = "of-falkordb";
const types = ["Decision", "Pattern", "Preference", "Style", "Habit", "Insight", "Context"];
const relations = ["RELATES_TO", "LEADS_TO", "OCCURRED_BEFORE", "PREFERS_OVER", "REINFORCES", "CONTRADICTS"];

interface Memory {
  readonly id: string;
  readonly content: string;
  readonly tags: readonly string[];
  readonly tag_prefixes: readonly string[];
  readonly importance: number;
  readonly confidence: number;
  readonly timestamp: string;
  readonly updated_at: string;
  readonly last_accessed: string;
  readonly type: string;
}

function memory(at: number): Memory {
  const time = new Date(Date.UTC(2026, 0, 1) + at * 4_321_000).toISOString().replace("Z", "+00:00");
  return {
    id: `${at.toString(16).padStart(8, "0")}-1a2b-4c3d-8e4f-0123456789ab`,
    content: `Chose PostgreSQL over MongoDB for service ${at}: "ACID" matters – it's the ledger's rule ☕`,
    tags: ["project:ledger", `topic-${at % 17}`],
    tag_prefixes: ["project", "project:ledger", `topic-${at % 17}`],
    importance: (at % 100) / 99,
    confidence: 1 / (1 + (at % 7)),
    timestamp: time,
    updated_at: time,
    last_accessed: time,
    type: types[at % types.length]!,
  };
}

function id(at: number): string {
  return memory(at % memories).id;
}

describe.skipIf(falkordb.missing ?? qdrant.missing)("examples/automem", () => {
  let folder: string;
  let graphs: TestServer;
  let graph: string;
  let vectors: QdrantServer;
  let place: Place;
  let env: Readonly<Record<string, string>>;
  beforeAll(async () => {
    folder = await makeFolder();
    await cp(example, join(folder, "memkeep.yaml"));
    graphs = await TestServer.start(await falkordb.start({ password }));
    vectors = await qdrant.start({ apiKey: "of-qdrant" });
    place = new Place(vectors);
    graph = graphs.newName();
    const { hostname, port } = new URL(graphs.url);
    env = {
      FALKORDB_HOST: hostname,
      FALKORDB_PORT: port,
      FALKORDB_PASSWORD: password,
      FALKORDB_GRAPH: graph,
      QDRANT_URL: vectors.url,
      QDRANT_API_KEY: "of-qdrant",
      QDRANT_COLLECTION: `${place.prefix}memories`,
      MEMKEEP_PASSWORD: "a password",
    };
    await fillGraph();
    await fillVectors();
  });
  afterAll(async () => {
    await place?.[Symbol.asyncDispose]();
    await vectors?.stop();
    await graphs?.[Symbol.asyncDispose]();
    await removeFolder(folder);
  });

  function memkeep(...args: string[]): Promise<Ended> {
    return runMemkeep(args, { cwd: folder, env });
  }

  /** As `store_memory`, the enrichment and `create_association` write it: properties, a JSON text, edges with a strength. */
  async function fillGraph(): Promise<void> {
    for (const property of ["id", "timestamp", "importance", "type"]) {
      await graphs.query(graph, `CREATE INDEX FOR (m:Memory) ON (m.${property})`);
    }
    for (let first = 0; first < memories; first += 250) {
      const rows = Array.from({ length: 250 }, (_, n) => {
        const entries = Object.entries(memory(first + n));
        return `{${entries.map(([name, value]) => `${name}:${JSON.stringify(value)}`).join()}}`;
      });
      await graphs.query(
        graph,
        `CYPHER rows=[${rows.join()}] UNWIND $rows AS row MERGE (m:Memory {id: row.id}) SET m += row, m.metadata = '{"source": "session", "entities": {"tools": ["PostgreSQL"]}}', m.processed = true, m.enriched = true, m.relevance_score = row.importance * 0.3`,
      );
    }
    for (const [kind, relation] of relations.entries()) {
      const edges = Array.from(
        { length: 200 },
        (_, n) => `["${id(n * 5)}","${id(n * 7 + kind)}",${n / 199 + 0.1}]`,
      );
      await graphs.query(
        graph,
        `CYPHER rows=[${edges.join()}] UNWIND $rows AS row MATCH (a:Memory {id: row[0]}), (b:Memory {id: row[1]}) MERGE (a)-[r:${relation}]->(b) SET r.strength = row[2], r.updated_at = '2026-11-27T10:00:00+00:00'`,
      );
    }
    // The enrichment's patterns and the consolidation's own node.
    await graphs.query(
      graph,
      "CREATE (:Pattern {id: 'pattern-1', type: 'Decision', confidence: 0.35, observations: 3}), (:ConsolidationControl {id: 'global', decay_last_run: '2026-11-27T09:00:00+00:00'})",
    );
    await graphs.query(
      graph,
      "MATCH (p:Pattern), (m:Memory {type: 'Decision'}) CREATE (m)-[:EXEMPLIFIES {confidence: 0.7}]->(p)",
    );
  }

  async function fillVectors(): Promise<void> {
    await place.create("memories", `{"vectors":{"size":${columns},"distance":"Cosine"}}`);
    for (const field of ["tags", "tag_prefixes"]) {
      await place.ask(
        "PUT",
        `${place.path("memories")}/index?wait=true`,
        `{"field_name":"${field}","field_schema":"keyword"}`,
      );
    }
    for (let first = 0; first < memories; first += 250) {
      const points = Array.from({ length: 250 }, (_, n) => {
        const { id: own, ...payload } = memory(first + n);
        const vector = Array.from({ length: columns }, (__, d) => Math.sin((first + n + 1) * (d + 1)));
        return `{"id":"${own}","vector":[${vector.join()}],"payload":${JSON.stringify({ ...payload, metadata: { source: "session" } })}}`;
      });
      await place.upsert("memories", points.join());
    }
  }

  /** All that the two stores hold, asked of them directly; the graph's dump has it to the last bit. */
  async function everything(): Promise<unknown> {
    const answers = [];
    for (const query of [
      "MATCH (m:Memory) RETURN m.id, m.content, m.tags, m.importance, m.last_accessed, m.metadata ORDER BY m.id",
      "MATCH (a)-[r]->(b) RETURN a.id, type(r), b.id, r.strength ORDER BY a.id, type(r), b.id",
      // One row a property: their order within an index means nothing.
      "CALL db.indexes() YIELD label, properties, types UNWIND properties AS name RETURN label, name, types[name] ORDER BY label, name",
    ]) {
      const [, rows] = (await graphs.session.command("GRAPH.RO_QUERY", graph, query)) as unknown[];
      answers.push(String(rows));
    }
    const files = [...(await (await graphs.dump(graph)).dump.contents())].map(([name, bytes]) => [
      name,
      bytes.toString("base64"),
    ]);
    const body = `{"limit":${memories + 1},"with_payload":true,"with_vector":true}`;
    // Parsed, since the order of a payload's members means nothing.
    const points: unknown = JSON.parse(
      await place.ask("POST", `${place.path("memories")}/points/scroll`, body),
    );
    const { result } = JSON.parse(await place.ask("GET", place.path("memories"))) as {
      result: { points_count: number; payload_schema: unknown; config: { params: unknown } };
    };
    const { points_count: count, payload_schema: indexes, config } = result;
    return { answers, files, points, count, indexes, parameters: config.params };
  }

  async function restore(...args: string[]): Promise<void> {
    const ended = await memkeep("restore", "latest", "--apply", ...args);
    expect(ended.code, ended.stderr + ended.stdout).toBe(0);
  }

  it("takes both as one recovery point, brings back each that is lost, and both", async () => {
    const before = await everything();
    expect(before).toMatchObject({ count: memories });
    expect((await memkeep("init")).code).toBe(0);
    const backup = await memkeep("backup", "--json");
    expect(backup.code, backup.stderr).toBe(0);
    expect(backup.stdout + backup.stderr).not.toMatch(/of-falkordb|of-qdrant/);

    await graphs.session.command("GRAPH.DELETE", graph);
    await restore("--store", "graph");
    expect(await everything()).toEqual(before);

    await place.dropAll();
    await restore("--store", "vectors");
    expect(await everything()).toEqual(before);

    await graphs.query(
      graph,
      "MATCH (m:Memory) WHERE m.importance < 0.5 SET m.last_accessed = 'now' DELETE m",
    );
    await place.dropAll();
    await restore();
    expect(await everything()).toEqual(before);

    await graphs.session.command("GRAPH.DELETE", graph);
    await place.dropAll();
    await restore();
    expect(await everything()).toEqual(before);
  });

  it("a drill proves both beside the living ones, which stay as they are", async () => {
    const before = await everything();
    const verified = await memkeep("verify", "latest", "--level", "restored");
    expect(verified.code, verified.stderr + verified.stdout).toBe(0);
    expect(await everything()).toEqual(before);
    expect((await graphs.keys()).filter((key) => key.startsWith("memkeep-scratch-"))).toEqual([]);
  });

  it("is what the README shows first", async () => {
    const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    expect(/```yaml\n(.*?)```/s.exec(readme)?.[1]).toBe(await readFile(example, "utf8"));
  });
});
