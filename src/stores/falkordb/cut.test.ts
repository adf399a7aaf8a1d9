/** Connections that break, a server that goes: tried again or failed in words, never a short dump, never a changed target. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { Proxy } from "../../../test/falkordb/proxy.ts";
import type { Fate } from "../../../test/falkordb/proxy.ts";
import { scratchPrefix } from "./scratch.ts";
import { TestServer } from "../../../test/falkordb/testing.ts";

const falkordb = await engine("falkordb");

describe.skipIf(falkordb.missing)("broken connections", () => {
  let server: TestServer;
  let graph: string;
  beforeAll(async () => {
    server = await TestServer.start(await falkordb.start());
    graph = server.newName();
    await server.query(
      graph,
      "UNWIND range(1, 1500) AS i CREATE (a:Memory {id:toString(i), score:i/7.0, v:vecf32([i, i/3.0])})-[:NEXT {w:i/3.0}]->(a)",
    );
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("a reset at 20 places of a dump gives the whole dump, or an error", async () => {
    const whole = await (await server.dump(graph)).dump.contents();
    let cuts = 0;
    for (let place = 1; place <= 20; place++) {
      await using proxy = await Proxy.start(server.url, {
        cuts: [place * 3500, place * 9000, place * 20_000],
      });
      try {
        const { dump } = await server.dump(graph, { url: proxy.url, retryFor: "2s" });
        expect(await dump.contents()).toEqual(whole);
      } catch (error) {
        expect(error).toMatchObject({ code: "STORE_UNREACHABLE" });
      }
      cuts += proxy.resets;
    }
    expect(cuts).toBeGreaterThan(10);
  });

  test("a reset at 20 places of a restore leaves the target as it was, or as it should be", async () => {
    const taken = await server.dump(graph);
    const target = server.newName();
    await server.query(target, "CREATE (:Old {id:'old'})");
    const old = await (await server.dump(target)).dump.contents();
    for (let place = 1; place <= 20; place++) {
      await using proxy = await Proxy.start(server.url, { cuts: [place * 700, place * 1500] });
      await using store = await server.connect(target, { url: proxy.url, retryFor: "2s" });
      const source = taken.dump.source(taken.manifest);
      const options = { target: { kind: "in-place" }, force: false } as const;
      try {
        const plan = await store.planRestore(source, options);
        await using restoration = await store.stage(plan, source, options);
        expect(await restoration.facts()).toEqual(taken.manifest.collections);
      } catch (error) {
        expect(error).toMatchObject({ code: "STORE_UNREACHABLE" });
      }
      expect(await (await server.dump(target, { view: "live" })).dump.contents()).toEqual(old);
    }
    expect(await scratchGraphs()).toEqual([]);
  });

  /** Names that are only kept from being used do not count, if they end soon. */
  async function scratchGraphs(): Promise<string[]> {
    const found: string[] = [];
    for (const key of (await server.keys()).filter((name) => name.includes(scratchPrefix))) {
      const isText = String(await server.session.command("TYPE", key)) === "string";
      const leftMs = Number(await server.session.command("PTTL", key));
      if (!isText || leftMs < 0 || leftMs > 60_000) found.push(key);
    }
    return found;
  }

  test.each([
    ["a query of a restore", "UNWIND $rows"],
    ["the first query of a restore", "CREATE (n:"],
    ["a copy", "GRAPH.COPY"],
  ])("%s that arrives after its run has given up makes no graph", async (_, order) => {
    const taken = await server.dump(graph);
    let isLate = false;
    const request = (bytes: Buffer): Fate => {
      if (isLate || !bytes.includes(order)) return "pass";
      isLate = true;
      return "late";
    };
    await using proxy = await Proxy.start(server.url, { request });
    {
      await using store = await server.connect(graph, { url: proxy.url, retryFor: "1s" });
      const source = taken.dump.source(taken.manifest);
      const options = { target: { kind: "scratch" }, force: false } as const;
      const work =
        order === "GRAPH.COPY"
          ? store.open()
          : store.planRestore(source, options).then((plan) => store.stage(plan, source, options));
      await expect(work).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    }
    expect(await proxy.deliverLate()).toBe(1);
    expect(await scratchGraphs()).toEqual([]);
  });

  test("a copy that a killed run left without an end gets one from the next", async () => {
    const forgotten = `${scratchPrefix}0123456789abcdef`;
    await server.session.command("GRAPH.COPY", graph, forgotten);
    await server.dump(graph);
    expect(Number(await server.session.command("PTTL", forgotten))).toBeGreaterThan(0);
    await server.session.command("UNLINK", forgotten);
  });
});

describe.skipIf(falkordb.missing)("a server that ends", () => {
  test("while it is read: an error in words", async () => {
    const running = await falkordb.start();
    await using server = await TestServer.start(running);
    await server.query("g", "UNWIND range(1, 100) AS i CREATE (:Memory {id:i})");
    await using store = await server.connect("g", { retryFor: "500ms" });
    const view = await store.open();
    await running.process?.stop();
    const sink = { file: () => Promise.reject(new Error("nothing must be written")) };
    await expect(view.dump(sink)).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    await view[Symbol.asyncDispose]();
  });
});
