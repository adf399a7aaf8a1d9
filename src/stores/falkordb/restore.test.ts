/** What happens around the moment in which a restored graph takes the place of the old one. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { Proxy } from "../../../test/falkordb/proxy.ts";
import type { Fate } from "../../../test/falkordb/proxy.ts";
import { TestServer } from "../../../test/falkordb/testing.ts";
import type { TakenDump } from "../contract/dump-folder.ts";
import type { Restoration, Store } from "../store.ts";
import { scratchPrefix } from "./scratch.ts";

const falkordb = await engine("falkordb");

describe.skipIf(falkordb.missing)("the switch of a FalkorDB restore", () => {
  let server: TestServer;
  let taken: TakenDump;
  beforeAll(async () => {
    server = await TestServer.start(await falkordb.start());
    const graph = server.newName();
    await server.query(graph, "UNWIND range(1, 50) AS i CREATE (:Memory {id:toString(i), text:'as it was'})");
    taken = await server.dump(graph);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const options = { target: { kind: "in-place" }, force: false } as const;

  async function living(): Promise<string> {
    const graph = server.newName();
    await server.query(graph, "UNWIND range(1, 40) AS i CREATE (:Memory {id:toString(i), text:'as it is'})");
    return graph;
  }

  async function stage(store: Store): Promise<Restoration> {
    const source = taken.dump.source(taken.manifest);
    return await store.stage(await store.planRestore(source, options), source, options);
  }

  async function texts(graph: string): Promise<string[]> {
    const query = "MATCH (n) RETURN DISTINCT n.text ORDER BY n.text";
    const rows = await server.session.rows(Buffer.from(graph), query, () => (reader) => reader.reply());
    return rows.map((row) => String((row as unknown as [[bigint, Buffer]])[0][1]));
  }

  async function ownKeys(): Promise<string[]> {
    return (await server.keys()).filter((key) => key.startsWith(scratchPrefix));
  }

  test("law 5: what is written while a restore is prepared makes it fail, and stays", async () => {
    const graph = await living();
    await using store = await server.connect(graph);
    {
      await using restoration = await stage(store);
      await server.query(graph, "CREATE (:Memory {id:'new', text:'just now'})");
      await expect(restoration.switch()).rejects.toMatchObject({ code: "STORE_CHANGED" });
      await restoration.rollBack();
    }
    expect(await texts(graph)).toEqual(["as it is", "just now"]);
    expect(await ownKeys()).toEqual([]);
  });

  test("law 5: so does what is written at the last moment, and a graph that comes into being then", async () => {
    for (const graph of [await living(), server.newName()]) {
      let isWritten = false;
      const request = async (bytes: Buffer): Promise<Fate> => {
        if (!bytes.includes("EXEC\r\n") || isWritten) return "pass";
        isWritten = true;
        await server.query(graph, "CREATE (:Memory {id:'new', text:'just now'})");
        return "pass";
      };
      await using proxy = await Proxy.start(server.url, { request });
      await using store = await server.connect(graph, { url: proxy.url });
      await using restoration = await stage(store);
      await expect(restoration.switch()).rejects.toMatchObject({ code: "STORE_CHANGED" });
      expect(await texts(graph)).toContain("just now");
    }
  });

  test("a write that changes nothing does not stop a restore", async () => {
    const graph = await living();
    await using store = await server.connect(graph);
    await using restoration = await stage(store);
    await server.query(graph, "MATCH (n) SET n.text = 'as it is'");
    await restoration.switch();
    await restoration.keep();
    expect(await texts(graph)).toEqual(["as it was"]);
  });

  test("a query that runs across the switch is refused, or what it wrote is somewhere", async () => {
    const graph = await living();
    await server.query(graph, "UNWIND range(1, 1500) AS i CREATE (:Slow {i:i, text:'as it is'})");
    await using store = await server.connect(graph);
    await using restoration = await stage(store);
    const slow = "MATCH (a:Slow), (b:Slow) WHERE a.i * b.i = 17 AND a.i < b.i WITH a SET a.text = 'just now'";
    const writer = server.query(graph, slow).then(
      () => "written",
      () => "refused",
    );
    await restoration.switch().then(
      () => restoration.keep(),
      (error: unknown) => expect(error).toMatchObject({ code: "STORE_CHANGED" }),
    );
    if ((await writer) === "refused") return;
    const places = (await server.keys()).filter(
      (key) => key === graph || key.startsWith("memkeep-replaced-"),
    );
    expect((await Promise.all(places.map(texts))).flat()).toContain("just now");
  });

  test("law 5: a replaced graph that holds what no snapshot has is not removed", async () => {
    const graph = await living();
    await using store = await server.connect(graph);
    await using restoration = await stage(store);
    await restoration.switch();
    const [replaced] = await ownKeys();
    // As a query does that began before the switch.
    await server.query(replaced!, "CREATE (:Memory {id:'new', text:'just now'})");
    await restoration.keep();
    expect(await texts(graph)).toEqual(["as it was"]);
    const name = replaced!.replace(scratchPrefix, "memkeep-replaced-");
    expect(await texts(name)).toEqual(["as it is", "just now"]);
    expect(Number(await server.session.command("PTTL", name))).toBe(-1);
    await server.session.command("UNLINK", name);
    expect(await ownKeys()).toEqual([]);
  });

  test.each(["lost", "unanswered"] as const)("a switch whose order is %s is done once", async (fate) => {
    const graph = await living();
    let isLost = false;
    const request = (bytes: Buffer): Fate => {
      if (!bytes.includes("EXEC\r\n") || isLost) return "pass";
      isLost = true;
      return fate;
    };
    await using proxy = await Proxy.start(server.url, { request });
    await using store = await server.connect(graph, { url: proxy.url });
    await using restoration = await stage(store);
    await restoration.switch();
    expect(isLost).toBe(true);
    expect(await texts(graph)).toEqual(["as it was"]);
    await restoration.rollBack();
    expect(await texts(graph)).toEqual(["as it is"]);
  });

  test("an interrupt after the switch is followed by a roll-back that works", async () => {
    const graph = await living();
    const interrupt = new AbortController();
    await using store = await server.connect(graph, {}, interrupt.signal);
    {
      await using restoration = await stage(store);
      await restoration.switch();
      interrupt.abort(new Error("interrupted"));
      await restoration.rollBack();
    }
    expect(await texts(graph)).toEqual(["as it is"]);
    expect(await ownKeys()).toEqual([]);
  });
});
