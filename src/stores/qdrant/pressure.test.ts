/** A server that is short of memory or of patience: asked for less, later, and never for ever. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { QdrantServer } from "../../../test/engines/qdrant/index.ts";
import { engine } from "../../../test/engines/require.ts";
import { tamperWith } from "../../../test/qdrant/tampering.ts";
import type { Answer, Tamper } from "../../../test/qdrant/tampering.ts";
import { Place } from "../../../test/qdrant/testing.ts";
import { ManualClock } from "../../util/clock/manual-clock.ts";
import { takeDump } from "../contract/dump-folder.ts";
import type { TakenDump } from "../contract/dump-folder.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { RestoreOptions, StoreContext } from "../store.ts";
import { Server } from "./server.ts";

const testEngine = await engine("qdrant");

function refusal(status: number, error: string): Answer {
  return { status, text: JSON.stringify({ status: { error } }) };
}
const outOfMemory = refusal(500, "Service internal error: Out of memory, free: 17, cannot allocate");

describe.skipIf(testEngine.missing)("a server under pressure", () => {
  let server: QdrantServer;
  let place: Place;
  beforeAll(async () => {
    server = await testEngine.start();
    place = new Place(server);
    await place.create("c", '{"vectors":{"size":2,"distance":"Dot"}}');
    const points = Array.from(
      { length: 100 },
      (_, n) => `{"id":${n},"vector":[${n}.0,0.5],"payload":{"n":${n}}}`,
    );
    await place.upsert("c", points.join(","));
  });
  afterAll(async () => {
    await place[Symbol.asyncDispose]();
    await server.stop();
  });

  function unhurried(): StoreContext {
    return { ...place.context(), clock: new ManualClock({ skipSleeps: true }) };
  }
  async function dumpThrough(
    tamper: Tamper,
    context: StoreContext = unhurried(),
    config: Parameters<Place["store"]>[0] = {},
  ): Promise<TakenDump> {
    await using between = await tamperWith(server.url, tamper);
    const store = place.store({ collections: ["c"], url: between.url, retryFor: "1s", ...config }, context);
    return await takeDump(store, join(place.folder(), "memory"));
  }
  async function restoreThrough(tamper: Tamper): Promise<readonly CollectionFacts[]> {
    const taken = await takeDump(place.store({ collections: ["c"] }), join(place.folder(), "memory"));
    const source = taken.dump.source(taken.manifest);
    await using between = await tamperWith(server.url, tamper);
    const { target, place: other } = place.beside();
    const options: RestoreOptions = {
      target: { kind: "into", target: target.replace(new URL(server.url).host, new URL(between.url).host) },
      force: false,
    };
    const store = place.store({ url: between.url, retryFor: "1s" }, unhurried());
    try {
      const plan = await store.planRestore(source, options);
      await using restoration = await store.stage(plan, source, options);
      const facts = await restoration.facts();
      expect(facts).toEqual(taken.manifest.collections);
      await restoration.switch();
      await restoration.keep();
      return facts;
    } finally {
      await other[Symbol.asyncDispose]();
    }
  }

  test("a page that is too much for the server's memory is asked for in smaller ones", async () => {
    const asked = new Set<number>();
    const { manifest } = await dumpThrough((exchange, pass) => {
      if (!exchange.path.endsWith("/scroll")) return pass();
      const { limit } = JSON.parse(exchange.body) as { limit: number };
      asked.add(limit);
      return limit > 60 ? Promise.resolve(outOfMemory) : pass();
    });
    expect(manifest.collections[0]!.records).toBe(100);
    expect(Math.min(...asked)).toBeLessThanOrEqual(60);
    expect(Math.min(...asked)).toBeGreaterThan(20);
  });

  test("a server that never has memory fails the dump in words", async () => {
    const never: Tamper = (exchange, pass) =>
      exchange.path.endsWith("/scroll") ? Promise.resolve(outOfMemory) : pass();
    await expect(dumpThrough(never, place.context(), { retryFor: "0s" })).rejects.toMatchObject({
      code: "STORE_UNREACHABLE",
      message: expect.stringContaining("Out of memory") as string,
    });
  });

  test.each([
    ["a proxy that takes small bodies only", { status: 413, text: "<html>too large</html>" }],
    [
      "a lower limit of the server",
      refusal(400, "Payload error: JSON payload (1 bytes) is larger than allowed (limit: 9 bytes)."),
    ],
    ["too little memory", outOfMemory],
  ])("a batch that is too much for %s is sent in halves", async (_, answer) => {
    let largest = 0;
    await restoreThrough((exchange, pass) => {
      if (exchange.method !== "PUT" || !exchange.path.includes("/points")) return pass();
      const { points } = JSON.parse(exchange.body) as { points: unknown[] };
      if (points.length > 30) return Promise.resolve(answer);
      largest = Math.max(largest, points.length);
      return pass();
    });
    expect(largest).toBe(25);
  });

  test.each([
    [
      "memory is short for a moment",
      refusal(
        400,
        "Bad request: Resident memory usage is at 91% of total memory, exceeding the configured limit of 90%",
      ),
    ],
    [
      "a cluster has not agreed in time",
      refusal(408, "Timeout: Waiting for consensus operation commit failed"),
    ],
    ["a shard is moving", refusal(503, "Shard temporarily unavailable: transfer")],
  ])("is tried again when %s", async (_, answer) => {
    let refused = 0;
    await restoreThrough((exchange, pass) =>
      exchange.method === "PUT" && refused++ % 2 === 0 ? Promise.resolve(answer) : pass(),
    );
    expect(refused).toBeGreaterThan(2);
  });

  test("a collection whose creation was done and its answer lost is taken for our own", async () => {
    let isLost = false;
    const facts = await restoreThrough(async (exchange, pass) => {
      const answer = await pass();
      const isCreation = exchange.method === "PUT" && !exchange.path.includes("/points");
      if (!isCreation || isLost) return answer;
      isLost = true;
      throw new Error("lost");
    });
    expect(facts[0]!.records).toBe(100);
  });

  test("a request that costs more than there is in a minute fails, and is not repeated for ever", async () => {
    const clock = new ManualClock({ skipSleeps: true });
    const greedy: Tamper = (exchange, pass) =>
      exchange.path.endsWith("/count")
        ? Promise.resolve(
            refusal(
              429,
              "Rate limiting exceeded: Read rate limit exceeded, request larger than rate limiter capacity, please try to split your request",
            ),
          )
        : pass();
    await expect(dumpThrough(greedy, { ...place.context(), clock })).rejects.toMatchObject({
      code: "STORE_BUSY",
    });
    const endless: Tamper = (exchange, pass) =>
      exchange.path.endsWith("/count") ? Promise.resolve(refusal(429, "Retry after 600s")) : pass();
    await expect(dumpThrough(endless, { ...place.context(), clock })).rejects.toMatchObject({
      code: "STORE_BUSY",
    });
    expect(clock.sleeps.length).toBeLessThan(10);
  });

  test("points are fetched in parts that a limit of reads can pay for", async () => {
    await place.create("slow", '{"vectors":{"size":1,"distance":"Dot"}}');
    await place.upsert("slow", Array.from({ length: 30 }, (_, n) => `{"id":${n},"vector":[1.0]}`).join(","));
    const asked: number[] = [];
    const limiting: Tamper = async (exchange, pass) => {
      if (exchange.method === "GET" && exchange.path === place.path("slow")) {
        const answer = await pass();
        const strict = '"strict_mode_config":{"enabled":true,"read_rate_limit":12}';
        return { ...answer, text: answer.text.replace('"quantization_config":null', `$&,${strict}`) };
      }
      if (exchange.method !== "POST" || !exchange.path.endsWith("/points")) return pass();
      const { ids } = JSON.parse(exchange.body) as { ids: unknown[] };
      asked.push(ids.length);
      return ids.length > 12
        ? refusal(429, "Read rate limit exceeded, request larger than rate limiter capacity")
        : pass();
    };
    await using between = await tamperWith(server.url, limiting);
    await using view = await place.store({ url: between.url }).open();
    const keys = Array.from({ length: 30 }, (_, n) => Buffer.from(String(n)));
    const found = [];
    for await (const record of view.records("slow", keys)) found.push(record);
    expect(found).toHaveLength(30);
    expect(asked).toEqual([12, 12, 6]);
  });

  test("green counts when it is seen twice, and a grey collection is woken", async () => {
    const seen = ["green", "yellow", "green", "grey", "green", "green"];
    const changes: string[] = [];
    const colouring: Tamper = async (exchange, pass) => {
      if (exchange.method === "PATCH") changes.push(exchange.body);
      const answer = await pass();
      if (exchange.method !== "GET" || exchange.path.split("/").length !== 3) return answer;
      return { ...answer, text: answer.text.replace('"status":"green"', `"status":"${seen.shift()}"`) };
    };
    await using between = await tamperWith(server.url, colouring);
    using connection = new Server(place.config({ url: between.url }), unhurried());
    await connection.waitUntil(`${place.prefix}c`, "green");
    expect(seen).toEqual([]);
    expect(changes).toEqual(['{"optimizers_config":{}}']);
    using hasty = new Server(place.config({ optimizerWait: "0s" }), unhurried());
    await hasty.waitUntil(`${place.prefix}c`, "green");
  });
});
