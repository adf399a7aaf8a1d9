/** Each trap of values and shapes by its number: filled in, backed up, restored, and asked of the server itself. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { Proxy } from "../../../test/falkordb/proxy.ts";
import type { Fate } from "../../../test/falkordb/proxy.ts";
import { TestServer } from "../../../test/falkordb/testing.ts";
import type { Reply } from "./resp.ts";
import { awaitSettled } from "./schema.ts";

const falkordb = await engine("falkordb");

/** What the server answers to `ask` in the graph that `fill` makes: `expected`, also after a restore. */
interface Trap {
  readonly name: string;
  readonly fill: readonly (string | Buffer)[];
  readonly ask: string;
  readonly expected: unknown;
}

const traps: readonly Trap[] = [
  {
    name: "trap 4: options of full-text and vector indexes",
    fill: [
      "CREATE FULLTEXT INDEX FOR (n:M) ON (n.t) OPTIONS {language:'german', stopwords:['der'], weight:2.5, nostem:true, phonetic:'dm:en'}",
      "CREATE VECTOR INDEX FOR (n:M) ON (n.v) OPTIONS {dimension:3, similarityFunction:'cosine', M:32, efConstruction:100, efRuntime:20}",
      "CREATE (:M {t:'a', v:vecf32([1,2,3])})",
    ],
    ask: "CALL db.indexes() YIELD options, language, stopwords, info UNWIND info.fields AS f WITH options, language, stopwords, f WHERE f.name = 't' RETURN [options.v.dimension, options.v.M, options.v.efConstruction, options.v.efRuntime, options.v.similarityFunction, language, stopwords[0], toString(f.textWeight), f.options]",
    expected: [3, 32, 100, 20, "cosine", "german", "der", "2.500000", 12],
  },
  {
    name: "trap 9: integers of 64 bits",
    fill: ["CREATE (:M {a:9223372036854775807, b:-9223372036854775808, c:9007199254740993})"],
    ask: "MATCH (n) RETURN [toString(n.a), toString(n.b), toString(n.c)]",
    expected: ["9223372036854775807", "-9223372036854775808", "9007199254740993"],
  },
  {
    name: "trap 10: one is no 1.0",
    fill: ["CREATE (:M {a:1, b:1.0, c:[1, 1.0]})"],
    ask: "MATCH (n) RETURN [typeof(n.a), typeof(n.b), typeof(n.c[0]), typeof(n.c[1])]",
    expected: ["Integer", "Float", "Integer", "Float"],
  },
  {
    name: "trap 11: NaN, infinities, minus zero, subnormals",
    fill: ["CREATE (:M {a:0.0/0.0, b:1.0/0.0, c:-1.0/0.0, d:-0.0, e:3.0*pow(2.0,-1074), l:[0.0/0.0, -0.0]})"],
    ask: "MATCH (n) RETURN [n.a = n.a, toString(n.b), toString(n.c), toString(1.0/n.d), toString(n.e*pow(2.0,1000)*pow(2.0,74)), n.l[0] = n.l[0], toString(1.0/n.l[1])]",
    expected: ["false", "inf", "-inf", "-inf", "3.000000", "false", "-inf"],
  },
  {
    name: "trap 12: fifteen digits are too few",
    fill: ["CREATE (:M {a:0.1+0.2, l:[[0.1+0.2]]})-[:R {a:1.0/3}]->(:N {a:1.0-pow(2.0,-53)})"],
    ask: "MATCH (n:M)-[e]->(m) RETURN [n.a = 0.1+0.2, n.a = 0.3, n.l[0][0] = 0.1+0.2, e.a = 1.0/3, m.a < 1.0]",
    expected: ["true", "false", "true", "true", "true"],
  },
  {
    name: "trap 13: float32 is no float64",
    fill: ["CREATE (:M {a:vecf32([0.1, 16777217.0, 1e-45]), b:0.1})"],
    ask: "MATCH (n) RETURN [toString(vec.euclideanDistance(n.a, vecf32([0.1, 16777217.0, 1e-45]))), n.b = 0.1]",
    expected: ["0.000000", "true"],
  },
  {
    name: "trap 15: a vector is no list, a list no vector, and the vector index finds it",
    fill: [
      "CREATE VECTOR INDEX FOR (n:M) ON (n.a) OPTIONS {dimension:2, similarityFunction:'euclidean'}",
      "CREATE (:M {a:vecf32([1,2]), b:[1.0, 2.0]})",
    ],
    ask: "CALL db.idx.vector.queryNodes('M', 'a', 1, vecf32([1,2])) YIELD node RETURN [typeof(node.a), typeof(node.b)]",
    expected: ["Vectorf32", "List"],
  },
  {
    name: "trap 16: parallel edges, alike and not",
    fill: [
      "CREATE (a:M {id:'a'}), (b:M {id:'b'}), (a)-[:R]->(b), (a)-[:R]->(b), (a)-[:R {w:1}]->(b), (b)-[:R]->(a)",
    ],
    ask: "MATCH (a:M {id:'a'})-[e:R]->(b) RETURN [count(e), count(e.w)]",
    expected: [3, 1],
  },
  {
    name: "trap 17: loops, no label, many labels, nothing at all",
    fill: [
      "CREATE (a:M {id:'a'})-[:R]->(a), (), (:A:B:C)",
      "MATCH (n) WHERE labels(n) = [] CREATE (n)-[:S]->(n)",
    ],
    ask: "MATCH (n) OPTIONAL MATCH (n)-[e]->(n) WITH size(labels(n)) AS l, size(keys(n)) AS k, count(e) AS c ORDER BY l RETURN collect([l, k, c])",
    expected: [
      [0, 0, 1],
      [1, 1, 1],
      [3, 0, 0],
    ],
  },
  {
    name: "trap 18: ends that share their key stay the ends that they are",
    fill: [
      "CREATE (a:M {id:'s', x:1}), (b:M {id:'s', x:2}), (c:N {id:'s', x:3}), (a)-[:R]->(b), (b)-[:R]->(c), (c)-[:R]->(c)",
    ],
    ask: "MATCH (a)-[:R]->(b) WITH a.x AS f, b.x AS t ORDER BY f RETURN collect([f, t])",
    expected: [
      [1, 2],
      [2, 3],
      [3, 3],
    ],
  },
  {
    name: "trap 22: empty, null, missing, mixed",
    fill: ["CREATE (:M {a:'', b:null, c:[], d:[1, 2.0, 'x', true, [], '']})"],
    ask: "MATCH (n) RETURN [n.a = '', 'b' IN keys(n), size(n.c), size(n.d), typeof(n.d[1]), typeof(n.d[4]), n.d[5] = '']",
    expected: ["true", "false", 0, 6, "Float", "List", "true"],
  },
  {
    name: "trap 23: quotes, backslashes, four bytes, names of any kind",
    fill: [
      "CREATE (:`a 'b' \"c\" \\\\ $x`:`\u{1f600}` {`k 'k' \\\\n`:'it\\'s \\\\ \"it\" \u{1f600} `tick` \\n', z:'end\\\\'})",
    ],
    ask: "MATCH (n:`\u{1f600}`) RETURN [n.`k 'k' \\\\n` = 'it\\'s \\\\ \"it\" \u{1f600} `tick` \\n', n.z = 'end\\\\', size(n.z), size(labels(n)), \"a 'b' \\\"c\\\" \\\\\\\\ $x\" IN labels(n)]",
    expected: ["true", "true", 4, 2, "true"],
  },
  {
    name: "trap 24: dates, times, durations",
    fill: [
      "CREATE (:M {a:date('2026-11-27'), b:localtime('10:11:12'), c:localdatetime('1850-03-04T05:06:07'), d:duration('P1Y2M3DT4H5M6S')})",
    ],
    ask: "MATCH (n) RETURN [typeof(n.a), n.a = date('2026-11-27'), n.b = localtime('10:11:12'), n.c = localdatetime('1850-03-04T05:06:07'), n.d = duration('P1Y2M3DT4H5M6S')]",
    expected: ["Date", "true", "true", "true", "true"],
  },
  {
    name: "trap 25: points, latitude and longitude in their places",
    fill: ["CREATE (:M {a:point({latitude:1.23456789, longitude:-170.5})})"],
    ask: "MATCH (n) RETURN [typeof(n.a), n.a = point({latitude:1.23456789, longitude:-170.5}), toString(n.a.longitude)]",
    expected: ["Point", "true", "-170.500000"],
  },
  {
    name: "trap 48: bytes that are no text",
    fill: [
      Buffer.concat([
        Buffer.from("CREATE (:M {id:'"),
        Buffer.from([0xff, 0xc3, 0x28]),
        Buffer.from("', n:1})"),
      ]),
    ],
    ask: "MATCH (n) RETURN [n.id, n.n]",
    expected: [Buffer.from([0xff, 0xc3, 0x28]).toString("latin1"), 1],
  },
];

/** A compact value as plain data; text as latin1 unless it is UTF-8. */
function plain(reply: Reply): unknown {
  const [type, value] = reply as readonly [bigint, Reply];
  if (value === null) return null;
  if (type === 6n) return (value as readonly Reply[]).map((item) => plain(item));
  if (typeof value === "bigint") return Number(value);
  const bytes = value as Buffer;
  return bytes.includes(0xff) ? bytes.toString("latin1") : bytes.toString("utf8");
}

describe.skipIf(falkordb.missing)("falkordb traps, by the server's own word", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start(await falkordb.start());
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function asked(graph: string, query: string): Promise<unknown> {
    return plain(await server.session.scalar(Buffer.from(graph), query));
  }

  test.each(traps)("$name", async ({ fill, ask, expected }) => {
    const [graph, copy] = [server.newName(), server.newName()];
    for (const query of fill) {
      await server.session.command("GRAPH.QUERY", graph, query);
      // What is created while an index is being built may never be found by it.
      await awaitSettled(server.session, Buffer.from(graph), await server.context());
    }
    expect(await asked(graph, ask)).toEqual(expected);
    await server.restore(await server.dump(graph), copy);
    expect(await asked(copy, ask)).toEqual(expected);
  });

  test("trap 19: an id that goes to another node while the living graph is read names nobody else's edges", async () => {
    const graph = server.newName();
    await server.query(graph, "UNWIND range(0, 299) AS i CREATE (a:Memory {id:toString(i)})-[:NEXT]->(a)");
    await server.query(graph, "CREATE (a:Other {id:'o'})-[:ITS {of:'o'}]->(a)");
    let swaps = 0;
    const request = async (bytes: Buffer): Promise<Fate> => {
      if (!bytes.includes("RETURN e")) return "pass";
      // As often as it is read anew.
      swaps++;
      await server.query(graph, "MATCH (n) WHERE id(n) = 7 DELETE n");
      await server.query(graph, `CREATE (a:Other {id:'new${swaps}'})-[:ITS {of:'new${swaps}'}]->(a)`);
      return "pass";
    };
    await using proxy = await Proxy.start(server.url, { request });
    const settings = { url: proxy.url, view: "live", connections: 1 };
    const { dump, manifest } = await server.dump(graph, settings);
    expect(swaps).toBeGreaterThan(0);
    const edges = (await dump.contents()).get("edges.jsonl")!.toString();
    for (const line of edges.trimEnd().split("\n")) {
      const { key, properties } = JSON.parse(line) as { key: string[]; properties: { of?: string } };
      expect(key[0]).toBe(key[1] === "NEXT" ? key[2] : properties.of);
    }
    expect(manifest.collections.find(({ name }) => name === "[:NEXT]")!.records).toBe(299);
    await server.restore({ dump, manifest }, server.newName());
  });

  test("trap 20: deletions behind the reader push nothing past it", async () => {
    const graph = server.newName();
    await server.query(graph, "UNWIND range(0, 999) AS i CREATE (:Memory {id:toString(i)})");
    let pages = 0;
    const request = async (bytes: Buffer): Promise<Fate> => {
      if (bytes.includes("RETURN n") && ++pages === 2)
        await server.query(graph, "MATCH (n:Memory) WHERE id(n) < 100 DELETE n");
      return "pass";
    };
    await using proxy = await Proxy.start(server.url, { request });
    const { dump } = await server.dump(graph, { url: proxy.url, view: "live", connections: 1 });
    expect(pages).toBeGreaterThan(2);
    const nodes = (await dump.contents()).get("nodes.jsonl")!.toString();
    for (let id = 100; id < 1000; id++) expect(nodes).toContain(`{"key":"${id}"`);
  });

  test("trap 26: constraints come with their index, work, and one that fails is an error", async () => {
    const [graph, copy] = [server.newName(), server.newName()];
    await server.query(graph, "UNWIND range(1, 500) AS i CREATE (:M {id:i, twice:i % 2})");
    await server.query(graph, "CREATE INDEX FOR (n:M) ON (n.id, n.twice)");
    const constraint = ["CREATE", graph, "UNIQUE", "NODE", "M", "PROPERTIES", "1", "id"];
    await server.session.command("GRAPH.CONSTRAINT", ...constraint);
    const taken = await server.dump(graph);
    await server.restore(taken, copy);
    expect(await asked(copy, "CALL db.constraints() YIELD status RETURN collect(status)")).toEqual([
      "OPERATIONAL",
    ]);
    await expect(server.query(copy, "CREATE (:M {id:7})")).rejects.toThrow(/unique constraint/);
    const contents = (await taken.dump.contents()).get("schema.json")!.toString();
    const forged = contents.replace(/"properties": ?\[\s*"id"\s*\]/, '"properties":["twice"]');
    expect(forged).not.toBe(contents);
    await writeFile(join(taken.dump.folder, "schema.json"), forged);
    await expect(server.restore(taken, server.newName())).rejects.toMatchObject({
      code: "COMPARE_FAILED",
      message: expect.stringContaining("FAILED") as string,
    });
  });

  test("traps 33, 41: a restore leaves nothing of what was there, and equal counts are no proof", async () => {
    const graph = server.newName();
    await server.query(graph, "CREATE (:M {id:'a', x:1}), (:M {id:'b'})");
    const taken = await server.dump(graph);
    await server.query(graph, "MATCH (n {id:'a'}) SET n.stale = true, n:Stale");
    await server.query(graph, "CREATE (:M {id:'extra'})");
    const source = taken.dump.source(taken.manifest);
    const options = { target: { kind: "in-place" }, force: false } as const;
    await using store = await server.connect(graph);
    await using restoration = await store.stage(await store.planRestore(source, options), source, options);
    const graphs = ((await server.session.command("GRAPH.LIST")) as readonly Buffer[]).map(String);
    const beside = graphs.find((name) => name.startsWith("memkeep-scratch-"));
    await server.query(beside!, "MATCH (n {id:'a'}) SET n.x = 2");
    expect(await restoration.facts()).not.toEqual(taken.manifest.collections);
    await server.query(beside!, "MATCH (n {id:'a'}) SET n.x = 1");
    expect(await restoration.facts()).toEqual(taken.manifest.collections);
    await restoration.switch();
    await restoration.keep();
    expect(
      await asked(graph, "MATCH (n) WITH n ORDER BY n.id RETURN collect([n.id, n.stale, size(labels(n))])"),
    ).toEqual([
      ["a", null, 1],
      ["b", null, 1],
    ]);
  });

  test("traps 42, 43: a dump with an edge to nowhere is refused whole, and the target stays", async () => {
    const graph = server.newName();
    await server.query(graph, "CREATE (:M {id:'a'})-[:R]->(:M {id:'b'})");
    const taken = await server.dump(graph);
    const edges = (await taken.dump.contents()).get("edges.jsonl")!.toString();
    await writeFile(join(taken.dump.folder, "edges.jsonl"), edges.replace('"b"', '"c"'));
    await expect(server.restore(taken, graph)).rejects.toMatchObject({ code: "DUMP_DAMAGED" });
    expect(await asked(graph, "MATCH (n)-[e]->() RETURN count(e)")).toBe(1);
    expect((await server.keys()).filter((key) => key.startsWith("memkeep-replaced"))).toEqual([]);
  });

  test("trap 49: a restore never uses RESTORE, which ends the server", async () => {
    const graph = server.newName();
    await server.query(graph, "CREATE (:M {id:'a'})-[:R]->(:M {id:'b'})");
    await server.restore(await server.dump(graph), graph);
    const info = String(await server.session.command("INFO", "commandstats"));
    expect(info).toContain("cmdstat_rename");
    expect(info).not.toMatch(/cmdstat_restore/);
  });

  test("TIMEOUT: pages that take too long are asked in halves; a node that does alone is an error", async () => {
    const graph = server.newName();
    await server.query(graph, "UNWIND range(0, 299) AS i CREATE (:Memory {id:toString(i)})");
    const whole = await server.dump(graph);
    let pages = 0;
    const answer = "-Query timed out\r\n";
    const once = (bytes: Buffer): Fate =>
      bytes.includes("RETURN n") && [2, 3, 5].includes(++pages) ? { answer } : "pass";
    {
      await using proxy = await Proxy.start(server.url, { request: once });
      const { dump } = await server.dump(graph, { url: proxy.url });
      expect(pages).toBeGreaterThan(5);
      expect(await dump.contents()).toEqual(await whole.dump.contents());
    }
    const always = (bytes: Buffer): Fate => (bytes.includes("RETURN n") ? { answer } : "pass");
    await using proxy = await Proxy.start(server.url, { request: always });
    await expect(server.dump(graph, { url: proxy.url })).rejects.toMatchObject({
      code: "STORE_UNREADABLE",
      message: expect.stringContaining("Query timed out") as string,
    });
  });
});
