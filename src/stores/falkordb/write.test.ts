/** Single records and merges: what is missing comes, what differs is put right, nothing goes. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { Proxy } from "../../../test/falkordb/proxy.ts";
import type { Fate } from "../../../test/falkordb/proxy.ts";
import { TestServer, fillAwkward } from "../../../test/falkordb/testing.ts";
import type { Store, StoreRecord, View } from "../store.ts";

const falkordb = await engine("falkordb");

describe.skipIf(falkordb.missing)("writing records into FalkorDB", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start(await falkordb.start());
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function keysOf(view: View, collection: string): Promise<Uint8Array[]> {
    const keys: Uint8Array[] = [];
    for await (const batch of view.keys(collection)) for (const { key } of batch) keys.push(key);
    return keys;
  }

  async function allOf(store: Store, collection: string): Promise<StoreRecord[]> {
    await using view = await store.open();
    return await allSeen(view, collection);
  }

  async function allSeen(view: View, collection: string): Promise<StoreRecord[]> {
    return await Array.fromAsync(view.records(collection, await keysOf(view, collection)));
  }

  async function* each(records: readonly StoreRecord[]): AsyncGenerator<StoreRecord> {
    for (const record of records) yield await Promise.resolve(record);
  }

  test("law 2: every awkward record that can be told apart goes into an empty graph and comes out the same", async () => {
    const graph = server.newName();
    await fillAwkward(server.session, graph);
    await server.query(graph, "MATCH (n:Memory) WHERE id(n) % 10 > 0 DELETE n");
    const empty = server.newName();
    await server.query(empty, "CREATE (n) DELETE n");
    await using store = await server.connect(graph);
    await using other = await server.connect(empty);
    await using view = await store.open();
    const collections = (await view.collections()).map(({ name }) => name);
    const facts = new Map((await server.dump(graph)).manifest.collections.map((fact) => [fact.name, fact]));
    const refused: string[] = [];
    // Nodes before edges: `(` sorts before `[`.
    for (const collection of collections.toSorted()) {
      const records = await allSeen(view, collection);
      try {
        const { inserted } = await other.write(collection, each(records));
        expect(inserted, collection).toBe(records.length);
      } catch (error) {
        expect(error, collection).toMatchObject({ code: "STORE_UNSUPPORTED" });
        refused.push(collection);
      }
    }
    // Nodes that are alike, nodes of one key, parallel edges, and edges of nodes that were refused.
    expect(refused).toEqual(["()", "(:Same)", "(:Twin)", "[:E]", "[:OF]", "[:P]"]);
    const written = (await server.dump(empty)).manifest.collections;
    for (const fact of written) expect(fact, fact.name).toEqual(facts.get(fact.name));
    expect(written.map(({ name }) => name).sort()).toEqual(
      collections.filter((name) => !refused.includes(name)).sort(),
    );
  });

  test("a node gets the labels that it shall have, and loses others; an edge gets its properties", async () => {
    const [graph, other] = [server.newName(), server.newName()];
    await server.query(
      graph,
      "CREATE (a:M:New {id:'a', v:vecf32([1,2])})-[:R {w:vecf32([1,2])}]->(b:M {id:'b'})",
    );
    await server.query(
      other,
      "CREATE (a:M:Old {id:'a', gone:1})-[:R {w:vecf32([1,3])}]->(b:M {id:'b'}), (:M {id:'more'})",
    );
    await using store = await server.connect(graph);
    await using target = await server.connect(other);
    expect(await target.write("M", each(await allOf(store, "M")))).toEqual({
      inserted: 0,
      updated: 1,
      unchanged: 1,
    });
    const edges = await allOf(store, "[:R]");
    expect(await target.write("[:R]", each(edges))).toEqual({ inserted: 0, updated: 1, unchanged: 0 });
    await server.query(other, "MATCH (n {id:'more'}) DELETE n");
    expect((await server.dump(other)).manifest.collections).toEqual(
      (await server.dump(graph)).manifest.collections,
    );
  });

  test("what a constraint demands is there from the first moment", async () => {
    const [graph, other] = [server.newName(), server.newName()];
    const data = "CREATE (a:M {id:'a', v:vecf32([1,2])})-[:R {w:0.0/0.0}]->(b:M {id:'b', v:vecf32([1])})";
    await server.query(graph, data);
    await server.query(other, data);
    await server.query(other, "MATCH (n) DELETE n");
    for (const [entity, label, property] of [
      ["NODE", "M", "v"],
      ["NODE", "M", "id"],
      ["RELATIONSHIP", "R", "w"],
    ] as const) {
      const words = ["MANDATORY", entity, label, "PROPERTIES", "1", property];
      await server.session.command("GRAPH.CONSTRAINT", "CREATE", other, ...words);
    }
    await using store = await server.connect(graph);
    await using target = await server.connect(other);
    for (const name of ["(:M)", "[:R]"]) await target.write(name, each(await allOf(store, name)));
    expect((await server.dump(other)).manifest.collections).toEqual(
      (await server.dump(graph)).manifest.collections,
    );
  });

  test.each(["lost", "unanswered", "late"] as const)(
    "a batch whose order is %s is compared, and written once",
    async (fate) => {
      const [graph, other] = [server.newName(), server.newName()];
      await server.query(graph, "UNWIND range(1, 30) AS i CREATE (:M {id:i})");
      await server.query(other, "UNWIND range(1, 10) AS i CREATE (:M {id:i})");
      await using store = await server.connect(graph);
      let isLost = false;
      const request = (bytes: Buffer): Fate => {
        if (!bytes.includes("EXEC\r\n") || isLost) return "pass";
        isLost = true;
        return fate;
      };
      await using proxy = await Proxy.start(server.url, { request });
      await using target = await server.connect(other, { url: proxy.url });
      const written = await target.write("(:M)", each(await allOf(store, "(:M)")));
      if (fate === "late") await proxy.deliverLate();
      expect(written).toEqual({ inserted: 20, updated: 0, unchanged: 10 });
      expect((await server.dump(other)).manifest.collections).toEqual(
        (await server.dump(graph)).manifest.collections,
      );
    },
  );

  test("records are written while others write, each once; ids that go to other nodes meanwhile are not used", async () => {
    const [graph, other] = [server.newName(), server.newName()];
    await server.query(graph, "UNWIND range(1, 50) AS i CREATE (:M {id:i, text:'right'})");
    await server.query(other, "UNWIND range(1, 50) AS i CREATE (:M {id:i, text:'wrong'})");
    await using store = await server.connect(graph);
    const records = await allOf(store, "(:M)");
    let swaps = 0;
    const request = async (bytes: Buffer): Promise<Fate> => {
      if (!bytes.includes("MULTI\r\n") || swaps >= 3) return "pass";
      swaps++;
      // The freed id goes to the node of another key.
      await server.query(other, `MATCH (n:M {id:${swaps}}) DELETE n`);
      await server.query(other, `CREATE (:Other {id:'other${swaps}', text:'untouched'})`);
      return "pass";
    };
    await using proxy = await Proxy.start(server.url, { request });
    await using target = await server.connect(other, { url: proxy.url });
    const written = await target.write("(:M)", each(records));
    expect(written).toEqual({ inserted: 3, updated: 47, unchanged: 0 });
    const { manifest } = await server.dump(other);
    const { manifest: wanted } = await server.dump(graph);
    expect(manifest.collections.find(({ name }) => name === "(:M)")).toEqual(wanted.collections[0]);
    const query = "MATCH (n:Other) WHERE n.text = 'untouched' RETURN count(n)";
    expect(await server.session.count(Buffer.from(other), query)).toBe(3);
  });

  test("a merge of awkward graphs inserts and updates, keeps what is more, its indexes too, and is rolled back", async () => {
    const graph = server.newName();
    await fillAwkward(server.session, graph);
    const taken = await server.dump(graph);
    for (const query of [
      "MATCH (n:Hole) DELETE n",
      "MATCH (n:Value {id:'all'}) SET n.p1 = 5, n:Wrong",
      "MATCH (:Memory {id:'m3'})-[e:RELATES_TO]->() SET e.strength = 0.5",
      "MATCH (a:Other)-[e:P]->(a) DELETE e",
      "CREATE (:Memory {id:'more'})-[:RELATES_TO {strength:1.0}]->(:Memory {id:'evenmore'})",
      "DROP INDEX ON :Memory(importance)",
    ])
      await server.query(graph, query);
    const before = await server.dump(graph);
    const options = { target: { kind: "in-place" }, force: false, mode: "merge" } as const;
    const source = taken.dump.source(taken.manifest);
    await using store = await server.connect(graph);
    const plan = await store.planRestore(source, options);
    expect(plan.actions[0]).toMatch(
      /insert \d+ nodes and edges there that are missing, update \d+ that differ/,
    );
    {
      await using restoration = await store.stage(plan, source, options);
      expect(await restoration.facts()).toEqual(taken.manifest.collections);
      await restoration.switch();
      expect(await restoration.facts()).toEqual(taken.manifest.collections);
      await restoration.rollBack();
    }
    expect(await (await server.dump(graph)).dump.contents()).toEqual(await before.dump.contents());
    await using restoration = await store.stage(await store.planRestore(source, options), source, options);
    await restoration.switch();
    await restoration.keep();
    const after = await server.dump(graph);
    const counts = new Map(after.manifest.collections.map(({ name, records }) => [name, records]));
    for (const { name, records } of taken.manifest.collections) {
      const more = name === "(:Memory)" ? 2 : name === "[:RELATES_TO]" ? 1 : 0;
      expect(counts.get(name), name).toBe(records + more);
    }
    const schemas = [after, before].map(async ({ dump }) => {
      const { schema } = JSON.parse((await dump.contents()).get("schema.json")!.toString()) as {
        schema: { graphs: { indexes: unknown; constraints: unknown }[] };
      };
      return [schema.graphs[0]!.indexes, schema.graphs[0]!.constraints];
    });
    expect(await schemas[0]).toEqual(await schemas[1]);
  });

  test("a merge that a constraint refuses leaves everything as it was", async () => {
    const graph = server.newName();
    await server.query(graph, "CREATE (:M {id:'a', name:'x'})");
    const taken = await server.dump(graph);
    await server.query(graph, "MATCH (n) SET n.id = 'b'");
    await server.query(graph, "CREATE INDEX FOR (n:M) ON (n.name)");
    await server.session.command(
      "GRAPH.CONSTRAINT",
      "CREATE",
      graph,
      "UNIQUE",
      "NODE",
      "M",
      "PROPERTIES",
      "1",
      "name",
    );
    const before = await server.dump(graph);
    const options = { target: { kind: "in-place" }, force: false, mode: "merge" } as const;
    const source = taken.dump.source(taken.manifest);
    await using store = await server.connect(graph);
    const plan = await store.planRestore(source, options);
    await expect(store.stage(plan, source, options)).rejects.toThrow(/does not satisfy|FAILED/);
    expect(await (await server.dump(graph)).dump.contents()).toEqual(await before.dump.contents());
  });
});
