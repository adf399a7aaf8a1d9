/** Connections that break, a server that goes: tried again or failed in words, never a short dump, never a changed target. */
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { scratchPrefix } from "./scratch.ts";
import { TestServer } from "../../../test/falkordb/testing.ts";

const falkordb = await engine("falkordb");

/** A proxy that resets a connection after so many bytes from the server, once for each number given. */
async function cutter(
  url: string,
  cuts: number[],
): Promise<{ url: string; proxy: Server; made: () => number }> {
  const { port } = new URL(url);
  let made = 0;
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const upstream = connect(Number(port), "127.0.0.1");
    sockets.add(client).add(upstream);
    let left = cuts.shift() ?? Infinity;
    client.pipe(upstream);
    upstream.on("data", (bytes: Buffer) => {
      left -= bytes.length;
      if (left > 0) {
        client.write(bytes);
        return;
      }
      if (left !== -Infinity) made++;
      client.write(bytes.subarray(0, Math.max(0, bytes.length + left)));
      client.resetAndDestroy();
      upstream.destroy();
    });
    for (const socket of [client, upstream]) socket.on("error", () => sockets.delete(socket));
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return { url: `redis://127.0.0.1:${(proxy.address() as AddressInfo).port}`, proxy, made: () => made };
}

describe.skipIf(falkordb.missing)("broken connections", () => {
  let server: TestServer;
  let graph: string;
  beforeAll(async () => {
    server = await TestServer.start(await falkordb.start());
    graph = server.newName();
    await server.query(
      graph,
      "UNWIND range(1, 3000) AS i CREATE (a:Memory {id:toString(i), score:i/7.0, v:vecf32([i, i/3.0])})-[:NEXT {w:i/3.0}]->(a)",
    );
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("a reset at 20 places of a dump gives the whole dump, or an error", async () => {
    const whole = await (await server.dump(graph)).dump.contents();
    let cuts = 0;
    for (let place = 1; place <= 20; place++) {
      const { url, proxy, made } = await cutter(server.url, [place * 3500, place * 9000, place * 20_000]);
      try {
        const { dump } = await server.dump(graph, { url, retryFor: "2s" });
        expect(await dump.contents()).toEqual(whole);
      } catch (error) {
        expect(error).toMatchObject({ code: "STORE_UNREACHABLE" });
      } finally {
        cuts += made();
        proxy.close();
      }
    }
    expect(cuts).toBeGreaterThan(10);
  });

  test("a reset at 20 places of a restore leaves the target as it was, or as it should be", async () => {
    const taken = await server.dump(graph);
    const target = server.newName();
    await server.query(target, "CREATE (:Old {id:'old'})");
    const old = await (await server.dump(target)).dump.contents();
    for (let place = 1; place <= 20; place++) {
      const { url, proxy } = await cutter(server.url, [place * 700, place * 1500]);
      await using store = await server.connect(target, { url, retryFor: "2s" });
      const source = taken.dump.source(taken.manifest);
      const options = { target: { kind: "in-place" }, force: false } as const;
      try {
        const plan = await store.planRestore(source, options);
        await using restoration = await store.stage(plan, source, options);
        expect(await restoration.facts()).toEqual(taken.manifest.collections);
      } catch (error) {
        expect(error).toMatchObject({ code: "STORE_UNREACHABLE" });
      } finally {
        proxy.close();
      }
      expect(await (await server.dump(target)).dump.contents()).toEqual(old);
    }
    expect((await server.keys()).filter((key) => key.startsWith(scratchPrefix))).toEqual([]);
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
