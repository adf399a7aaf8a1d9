/** Ways in which a dump of Qdrant loses points, and that this one does not (facts: readme.md). */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { QdrantServer } from "../../../test/engines/qdrant/index.ts";
import { engine } from "../../../test/engines/require.ts";
import { ManualClock } from "../../util/clock/manual-clock.ts";
import { DumpFolder, takeDump } from "../contract/dump-folder.ts";
import type { TakenDump } from "../contract/dump-folder.ts";
import type { QdrantSettings } from "./config.ts";
import { canShard } from "../../../test/qdrant/sample.ts";
import { tamperWith } from "../../../test/qdrant/tampering.ts";
import type { Tamper } from "../../../test/qdrant/tampering.ts";
import { Place } from "../../../test/qdrant/testing.ts";

const testEngine = await engine("qdrant");

describe.skipIf(testEngine.missing)("a dump of Qdrant", () => {
  let server: QdrantServer;
  let place: Place;
  beforeAll(async () => {
    server = await testEngine.start();
    place = new Place(server);
    await place.create("c", '{"vectors":{"size":1,"distance":"Dot"}}');
    const ids = Array.from({ length: 30 }, (_, n) => `{"id":${n * 3},"vector":[${n}.5]}`);
    await place.upsert("c", ids.join(","));
  });
  afterAll(async () => {
    await place[Symbol.asyncDispose]();
    await server.stop();
  });

  async function dump(config: Partial<QdrantSettings> = {}, of: Place = place): Promise<TakenDump> {
    return takeDump(of.store({ collections: ["c"], ...config }), join(of.folder(), "memory"));
  }

  async function tampered(tamper: Tamper, config: Partial<QdrantSettings> = {}): Promise<TakenDump> {
    await using between = await tamperWith(server.url, tamper);
    return await dump({ url: between.url, retryFor: "0s", ...config });
  }

  test("trap 8: fails while points are deferred, and waits for them", async () => {
    let deferred = 5;
    const deferring: Tamper = async ({ method, path }, pass) => {
      const answer = await pass();
      if (method !== "GET" || path.split("/").length !== 3) return answer;
      return {
        ...answer,
        text: answer.text.replace('{"length":0}', `{"length":0,"deferred_points":${deferred}}`),
      };
    };
    await expect(tampered(deferring, { optimizerWait: "0s" })).rejects.toMatchObject({
      code: "STORE_BUSY",
      message: expect.stringContaining("5 points are stored and hidden") as string,
    });
    const counting: Tamper = async (exchange, pass) => {
      if (exchange.method === "GET") deferred = Math.max(0, deferred - 1);
      return deferring(exchange, pass);
    };
    expect((await tampered(counting)).manifest.collections[0]!.records).toBe(30);
  });

  test("law 3: fails when the server counts a point that no scroll shows", async () => {
    const hiding: Tamper = async ({ path }, pass) => {
      const answer = await pass();
      if (!path.endsWith("/scroll")) return answer;
      return { ...answer, text: answer.text.replace(/\{"id":30(,[^{}]*(\{\})?[^{}]*)?\},?/, "") };
    };
    await expect(tampered(hiding)).rejects.toMatchObject({ code: "DUMP_INCOMPLETE" });
  });

  test("trap 21: a point that one scroll misses is found by the second, and counted as moved", async () => {
    let scrolls = 0;
    const missing: Tamper = async ({ path }, pass) => {
      const answer = await pass();
      if (!path.endsWith("/scroll") || ++scrolls > 1) return answer;
      return { ...answer, text: answer.text.replace(/\{"id":30,[^{}]*(\{\})?[^{}]*\},?/, "") };
    };
    const { manifest } = await tampered(missing);
    expect(manifest.collections).toEqual((await dump()).manifest.collections);
    expect(manifest.view).toMatchObject({ consistency: "fuzzy", moved: 1 });
  });

  test("law 3: refuses pages out of order and pages that never end", async () => {
    const again: Tamper = async ({ path }, pass) => {
      const answer = await pass();
      if (!path.endsWith("/scroll")) return answer;
      return { ...answer, text: answer.text.replace('"next_page_offset":null', '"next_page_offset":0') };
    };
    await expect(tampered(again)).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
  });

  test("a pause that the server asks for is obeyed, counts included", async () => {
    const clock = new ManualClock({ skipSleeps: true });
    const limited = new Set(["/points/count", "/points/scroll"]);
    const limiting: Tamper = async ({ path }, pass) => {
      const which = [...limited].find((end) => path.endsWith(end));
      if (which === undefined) return pass();
      limited.delete(which);
      return { status: 429, text: '{"status":{"error":"Rate limiting exceeded. Retry after 30s"}}' };
    };
    await using between = await tamperWith(server.url, limiting);
    const context = { ...place.context(), clock };
    const store = place.store({ collections: ["c"], url: between.url }, context);
    const { manifest } = await takeDump(store, join(place.folder(), "memory"));
    expect(manifest.collections[0]!.records).toBe(30);
    expect(clock.sleeps).toEqual([30_000, 30_000]);
  });

  test("trap 7: pages obey strict mode", async () => {
    await place.create("strict", '{"vectors":{"size":1,"distance":"Dot"}}');
    await place.upsert(
      "strict",
      Array.from({ length: 20 }, (_, n) => `{"id":${n},"vector":[1.0]}`).join(","),
    );
    await place.ask(
      "PATCH",
      place.path("strict"),
      '{"strict_mode_config":{"enabled":true,"max_query_limit":3}}',
    );
    const { manifest } = await dump({ collections: ["strict"] });
    expect(manifest.collections[0]!.records).toBe(20);
  });

  test("trap 6: the same id under two shard keys is two records, each counted by its key", async (context) => {
    context.skip(!(await canShard(place)), "this server has no custom sharding");
    await place.create("sharded", '{"vectors":{"size":1,"distance":"Dot"},"sharding_method":"custom"}');
    for (const key of ['"eu"', '"us"']) {
      await place.ask("PUT", `${place.path("sharded")}/shards`, `{"shard_key":${key}}`);
      await place.upsert("sharded", '{"id":1,"vector":[1.0]}', key);
    }
    const { manifest, dump: files } = await dump({ collections: ["sharded"] });
    expect(manifest.collections[0]!.records).toBe(2);
    expect(manifest.settings).toEqual({ shards: { sharded: { '"eu"': 1, '"us"': 1 } } });
    const lines = (await files.contents()).get("c1.jsonl")!.toString();
    expect(lines).toContain('"key":"1@\\"eu\\"","payload":{},"shardKey":"eu"');
  });

  test("trap 11: an infinite element fails the dump with the point's name, or is left out and named", async () => {
    await place.create("inf", '{"vectors":{"size":2,"distance":"Dot"}}');
    await place.upsert("inf", '{"id":1,"vector":[1e39,0.0]},{"id":2,"vector":[1.0,-0.0],"payload":{"a":1}}');
    await expect(dump({ collections: ["inf"] })).rejects.toMatchObject({
      code: "STORE_UNREADABLE",
      details: { collection: "inf", keys: ["1"] },
    });
    const { manifest } = await dump({ collections: ["inf"], acceptInfinite: true });
    expect(manifest.collections[0]!.records).toBe(2);
    expect(manifest.omitted.map(({ what }) => what)).toContain(
      "vectors with an infinite element of 1 points of inf: 1",
    );
  });

  test("settings that change while points are read fail the dump", async () => {
    let hasChanged = false;
    const changing: Tamper = async ({ path }, pass) => {
      const answer = await pass();
      if (path.endsWith("/scroll") && !hasChanged) {
        hasChanged = true;
        await place.ask("PATCH", place.path("c"), '{"optimizers_config":{"indexing_threshold":4242}}');
      }
      return answer;
    };
    await expect(tampered(changing)).rejects.toMatchObject({ code: "STORE_CHANGED" });
  });

  test.each(["missing", ".", "..", "a?b", "%2e"])(
    "a collection that is not there is no empty dump: %s",
    async (name) => {
      await expect(dump({ collections: [name] })).rejects.toMatchObject({ code: "STORE_MISSING" });
    },
  );

  test("a server without collections is STORE_EMPTY, unless that is meant", async () => {
    const empty = new Place(server);
    await expect(empty.store().open()).rejects.toMatchObject({ code: "STORE_EMPTY" });
    await using view = await empty.store({ allowEmpty: true }).open();
    expect((await view.dump(new DumpFolder(empty.folder(), "memory"))).collections).toEqual([]);
    await empty[Symbol.asyncDispose]();
  });

  test.each([
    ["a server that is not there", "http://127.0.0.1:1", "STORE_UNREACHABLE"],
    ["a URL with a path in front", "PLACE/nowhere", "STORE_MISSING"],
  ])("%s is told in words", async (_, url, code) => {
    const config = { url: url.replace("PLACE", server.url), retryFor: "0s" };
    await expect(place.store(config).describe()).rejects.toMatchObject({ code });
  });
});

describe.skipIf(testEngine.missing || testEngine.existing)("keys", () => {
  test("law 10: a backup needs only the read-only key, and no key is ever told", async () => {
    await using server = await testEngine.start({ apiKey: "all-secret", readOnlyApiKey: "read-secret" });
    await using place = new Place(server);
    await place.create("c", '{"vectors":{"size":1,"distance":"Dot"}}');
    await place.upsert("c", '{"id":1,"vector":[1.0]}');
    const reader = place.store({ apiKey: "read-secret" });
    const taken = await takeDump(reader, join(place.folder(), "memory"));
    expect(taken.manifest.collections[0]!.records).toBe(1);
    expect((await reader.probe()).every(({ status }) => status === "ok")).toBe(true);
    const source = taken.dump.source(taken.manifest);
    const options = { target: { kind: "scratch" }, force: false } as const;
    const plan = await reader.planRestore(source, options);
    await expect(reader.stage(plan, source, options)).rejects.toMatchObject({ code: "STORE_DENIED" });
    for (const apiKey of ["wrong-secret", undefined]) {
      const store = place.store({ apiKey: apiKey ?? "x" });
      const error: unknown = await store.describe().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "STORE_DENIED" });
      expect(JSON.stringify([error, String(error)])).not.toContain("secret");
    }
  });
});
