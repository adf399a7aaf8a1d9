/** What is known to lose data or to leave things behind, each by its number in the trap list where it has one. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { Proxy } from "../../../test/falkordb/proxy.ts";
import type { Fate } from "../../../test/falkordb/proxy.ts";
import type { DumpSink } from "../store.ts";
import { scratchPrefix } from "./scratch.ts";
import { TestServer, fillAwkward } from "../../../test/falkordb/testing.ts";

const falkordb = await engine("falkordb");

describe.skipIf(falkordb.missing)("falkordb traps", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start(await falkordb.start());
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function memories(count: number): Promise<string> {
    const graph = server.newName();
    await server.query(
      graph,
      `UNWIND range(1, ${count}) AS i CREATE (a:Memory {id:toString(i), score:i/7.0})-[:NEXT {w:i/3.0}]->(a)`,
    );
    return graph;
  }

  test("trap 1: a RESULTSET_SIZE below the page, and below the number of labels, loses nothing", async () => {
    const graph = server.newName();
    await fillAwkward(server.session, graph);
    const whole = await server.dump(graph);
    // One node has 301 edges that end in it, and the awkward one has eleven to itself, of one type each.
    await server.session.command("GRAPH.CONFIG", "SET", "RESULTSET_SIZE", "3");
    try {
      const capped = server.dump(graph);
      // Two pairs of edges lie between the same nodes: more than an answer may have is refused in words, not cut.
      await expect(capped).rejects.toThrow(/an answer may have 3/);
      await server.session.command("GRAPH.CONFIG", "SET", "RESULTSET_SIZE", "20");
      const read = await server.dump(graph);
      expect(await read.dump.contents()).toEqual(await whole.dump.contents());
      await server.restore(read, server.newName());
    } finally {
      await server.session.command("GRAPH.CONFIG", "SET", "RESULTSET_SIZE", "-1");
    }
  });

  test("a query memory limit halves the pages and the batches until they fit", async () => {
    const [graph, copy] = [await memories(20_000), server.newName()];
    const whole = await server.dump(graph);
    await server.session.command("GRAPH.CONFIG", "SET", "QUERY_MEM_CAPACITY", "1500000");
    try {
      const read = await server.dump(graph);
      expect(await read.dump.contents()).toEqual(await whole.dump.contents());
      await server.restore(read, copy);
      expect((await server.dump(copy)).manifest.collections).toEqual(whole.manifest.collections);
    } finally {
      await server.session.command("GRAPH.CONFIG", "SET", "QUERY_MEM_CAPACITY", "0");
    }
  });

  test("a page of edges that the server gives up on late is read in halves, and the pages before it not again", async () => {
    const graph = await memories(400);
    const whole = await server.dump(graph);
    await server.session.command("GRAPH.CONFIG", "SET", "RESULTSET_SIZE", "50");
    let pages = 0;
    const request = (bytes: Buffer): Fate =>
      bytes.includes("MATCH (s)-[e]->(t)") && bytes.includes("RETURN e") && ++pages === 4
        ? { answer: "-Query timed out\r\n" }
        : "pass";
    await using proxy = await Proxy.start(server.url, { request });
    try {
      const read = await server.dump(graph, { url: proxy.url, connections: 1 });
      expect(pages).toBeGreaterThan(8);
      expect(await read.dump.contents()).toEqual(await whole.dump.contents());
    } finally {
      await server.session.command("GRAPH.CONFIG", "SET", "RESULTSET_SIZE", "-1");
    }
  });

  test("trap 12: random doubles come back to the last bit", async () => {
    const graph = server.newName();
    const bits = new BigUint64Array(4000);
    crypto.getRandomValues(bits);
    const doubles = [...new Float64Array(bits.buffer)].filter((value) => Number.isFinite(value));
    await server.query(
      graph,
      `CYPHER v=[${doubles.map((value) => (Number.isInteger(value) ? value.toExponential() : value)).join()}] UNWIND range(0, ${doubles.length - 1}) AS i CREATE (:D {id:i, v:$v[i], l:[$v[i]]})`,
    );
    const { dump } = await server.dump(graph);
    const lines = (await dump.contents()).get("nodes.jsonl")!.toString().trimEnd().split("\n");
    const read = new Map(
      lines.map((line) => {
        const { properties } = JSON.parse(line) as { properties: { id: number; v: number; l: number[] } };
        expect(properties.l).toEqual([properties.v]);
        return [properties.id, properties.v];
      }),
    );
    expect(doubles.map((_, index) => read.get(index))).toEqual(doubles);
  });

  test("trap 47: no copy and no telemetry stream stay, on any way out", async () => {
    const graph = await memories(500);
    const own = async (): Promise<string[]> =>
      (await server.keys()).filter((key) => key.includes(scratchPrefix));
    await server.dump(graph);
    {
      await using store = await server.connect(graph);
      await using view = await store.open();
      expect(await own()).not.toEqual([]);
      const failing = { file: () => Promise.reject(new Error("full")) };
      await expect(view.dump(failing)).rejects.toThrow("full");
    }
    // The server writes its telemetry a moment later.
    await delay(500);
    expect(await own()).toEqual([]);
  });

  test("a copy expires by itself when the run was killed", async () => {
    const graph = await memories(1);
    await using store = await server.connect(graph);
    await using _view = await store.open();
    const copy = (await server.keys()).find((key) => key.startsWith(scratchPrefix))!;
    expect(Number(await server.session.command("PTTL", copy))).toBeGreaterThan(0);
  });

  test("a user who may not watch or copy is told; one who may not log in gets words", async () => {
    const graph = await memories(300);
    const user = ["ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@read", "+ping", "+info"];
    await server.session.command(...user, "+GRAPH.RO_QUERY", "+GRAPH.CONFIG|GET");
    const settings = { username: "reader", password: "secret" };
    const live = { ...settings, view: "live" };
    for (const also of ["+WATCH", "+MULTI", "+EXEC"]) {
      const { manifest } = await server.dump(graph, live);
      expect(manifest.view).toMatchObject({ consistency: "fuzzy", moved: 0 });
      await server.session.command("ACL", "SETUSER", "reader", also);
    }
    const { manifest, dump } = await server.dump(graph, live);
    expect(manifest.view).toMatchObject({ consistency: "snapshot", moved: 0 });
    const { dump: copied } = await server.dump(graph);
    expect(await dump.contents()).toEqual(await copied.contents());
    await expect(server.dump(graph, { ...settings, view: "copy" })).rejects.toMatchObject({
      code: "STORE_DENIED",
    });
    await using store = await server.connect(graph, { ...settings, password: "wrong" });
    const failure = await store.open().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "STORE_DENIED" });
    expect(JSON.stringify(failure) + String(failure)).not.toContain("wrong");
  });

  test("trap 21: a view under writers has everything that existed throughout, and makes no copy", async () => {
    const graph = await memories(2000);
    const stop = new AbortController();
    let writes = 0;
    const writer = (async () => {
      for (let n = 0; !stop.signal.aborted; n++) {
        await server.query(graph, `CREATE (a:New {id:'new${n}'})-[:NEW]->(a)`);
        await server.query(graph, `MATCH (a:New {id:'new${n - 3}'}) DELETE a`);
        await server.query(graph, `MATCH (a:Memory {id:'${(n % 2000) + 1}'}) SET a.score = ${n}.5`);
        writes += 3;
      }
    })();
    // GRAPH.COPY while others write can stop the whole server: it is not what a backup does of its own accord.
    const asked: string[] = [];
    const request = (bytes: Buffer): Fate => {
      asked.push(bytes.toString("latin1"));
      return "pass";
    };
    await using proxy = await Proxy.start(server.url, { request });
    const { dump, manifest } = await server.dump(graph, { url: proxy.url, view: undefined });
    const during = writes;
    stop.abort();
    await writer;
    expect(asked.join("\n")).not.toContain("GRAPH.COPY");
    expect(during).toBeGreaterThan(10);
    const counts = new Map(manifest.collections.map(({ name, records }) => [name, records]));
    expect(counts.get("(:Memory)")).toBe(2000);
    expect(counts.get("[:NEXT]")).toBe(2000);
    expect(manifest.view.consistency).toBe("fuzzy");
    const nodes = (await dump.contents()).get("nodes.jsonl")!.toString();
    expect(new Set([...nodes.matchAll(/"key":"(\d+)"/g)].map(([, id]) => id)).size).toBe(2000);
    // Every edge has its ends: it can be restored.
    await server.restore({ dump, manifest }, server.newName());
  });

  test("a living graph that nobody writes to while it is read is one instant", async () => {
    const graph = await memories(50);
    await using store = await server.connect(graph, { view: "live" });
    const sink: DumpSink = {
      file: async (_name, _kind, bytes) => {
        for await (const _part of bytes) continue;
        return { sizeBytes: 0, sha256: "" };
      },
    };
    await using quiet = await store.open();
    await quiet.dump(sink);
    expect(quiet.consistency).toBe("snapshot");
    await using disturbed = await store.open();
    await server.query(graph, "MATCH (n {id:'1'}) SET n.score = 2");
    await disturbed.dump(sink);
    expect(disturbed.consistency).toBe("fuzzy");
  });

  test("several graphs are one store, and come back together", async () => {
    const [one, two] = [await memories(20), await memories(30)].sort() as [string, string];
    const taken = await server.dump("", { graph: undefined, graphs: [two, one] });
    expect(taken.manifest.collections.map(({ name }) => name)).toEqual([
      `${one}(:Memory)`,
      `${one}[:NEXT]`,
      `${two}(:Memory)`,
      `${two}[:NEXT]`,
    ]);
    await using store = await server.connect("", { graph: undefined, graphs: [one, two] });
    const source = taken.dump.source(taken.manifest);
    const options = { target: { kind: "in-place" }, force: false } as const;
    await server.query(one, "MATCH (n) DELETE n");
    await server.session.command("GRAPH.DELETE", two);
    const plan = await store.planRestore(source, options);
    await using restoration = await store.stage(plan, source, options);
    expect(await restoration.facts()).toEqual(taken.manifest.collections);
    await restoration.switch();
    await restoration.keep();
    const again = await server.dump("", { graph: undefined, graphs: [one, two] });
    expect(await again.dump.contents()).toEqual(await taken.dump.contents());
  });

  test("trap 37: function libraries come back; another one of the same name stays, and is named", async () => {
    const code = "falkor.register('twice', function (x) { return x * 2 })";
    const graph = await memories(3);
    await server.session.command("GRAPH.UDF", "LOAD", "memkeeptest", code);
    const taken = await server.dump(graph);
    await server.session.command("GRAPH.UDF", "DELETE", "memkeeptest");
    await server.restore(taken, server.newName());
    expect(String(await server.session.command("GRAPH.UDF", "LIST", "memkeeptest", "WITHCODE"))).toContain(
      code,
    );
    await server.session.command("GRAPH.UDF", "DELETE", "memkeeptest");
    await server.session.command("GRAPH.UDF", "LOAD", "memkeeptest", `${code};`);
    await expect(server.restore(taken, server.newName())).rejects.toMatchObject({ code: "TARGET_IN_USE" });
    await server.session.command("GRAPH.UDF", "DELETE", "memkeeptest");
  });

  test("a graph's name may have any characters; a key that is no graph is refused", async () => {
    const name = 'my graph: "é" {x}*\n';
    await server.query(name, "CREATE (:A {id:'1'})");
    const taken = await server.dump(name);
    expect(taken.manifest.collections).toMatchObject([{ name: "(:A)", records: 1 }]);
    await server.session.command("SET", "no-graph", "x");
    await expect(server.dump("no-graph")).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
    await expect(server.dump("missing")).rejects.toMatchObject({ code: "STORE_MISSING" });
    expect(await server.keys()).not.toContain("missing");
    await expect(server.restore(taken, "no-graph")).rejects.toMatchObject({ code: "TARGET_IN_USE" });
  });

  test("a record is found by its key, also where the key is a digest or shared", async () => {
    const graph = server.newName();
    await server.query(graph, "CREATE (:M {id:'a', v:1}), (:M {id:7}), (:M {v:'no key'}), (:M:N {id:'b'})");
    await using store = await server.connect(graph);
    await using view = await store.open();
    const keys: string[] = [];
    for await (const batch of view.keys("M"))
      for (const { key } of batch) keys.push(Buffer.from(key).toString());
    expect(keys).toEqual([expect.stringMatching(/^#[0-9a-f]{32}$/), "7", "a", "b"]);
    const found = [];
    const wanted = keys.map((key) => Buffer.from(key));
    for await (const { fields } of view.records("M", wanted)) found.push(fields["properties"]);
    expect(found).toHaveLength(4);
    expect(found).toContainEqual({ id: "a", v: 1n });
  });
});
