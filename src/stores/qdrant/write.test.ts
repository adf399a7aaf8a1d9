/** Given points written into a collection in use: what the server did is read, never taken from what it says. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { QdrantServer } from "../../../test/engines/qdrant/index.ts";
import { engine } from "../../../test/engines/require.ts";
import type { Store, StoreRecord, Written } from "../store.ts";
import { canShard, fillSample, rich, sharded } from "../../../test/qdrant/sample.ts";
import { tamperWith } from "../../../test/qdrant/tampering.ts";
import type { Tamper } from "../../../test/qdrant/tampering.ts";
import { Place } from "../../../test/qdrant/testing.ts";

const testEngine = await engine("qdrant");

describe.skipIf(testEngine.missing)("writing given points", () => {
  let server: QdrantServer;
  let whole: Place;
  beforeAll(async () => {
    server = await testEngine.start();
    whole = new Place(server);
    await fillSample(whole);
  });
  afterAll(async () => {
    await whole[Symbol.asyncDispose]();
    await server.stop();
  });

  /** Writes all records of one place's collection into another's. */
  async function copy(collection: string, to: Store): Promise<Written> {
    await using view = await whole.store().open();
    const keys: Uint8Array[] = [];
    for await (const batch of view.keys(collection)) keys.push(...batch.map(({ key }) => key));
    return await to.write(collection, view.records(collection, keys));
  }

  /** A place with the same collections and no points. */
  async function emptied(): Promise<Place> {
    const place = new Place(server);
    await fillSample(place);
    for (const name of [rich, "memories"]) {
      await place.ask("PATCH", place.path(name), '{"strict_mode_config":{"enabled":false}}');
      await place.ask("POST", `${place.path(name)}/points/delete?wait=true`, '{"filter":{"must":[]}}');
    }
    return place;
  }

  test("every kind of vector, id and payload arrives, and nothing is sent twice", async () => {
    await using place = await emptied();
    for (const name of [rich, "memories"]) {
      const { inserted, updated, unchanged } = await copy(name, place.store());
      expect([updated, unchanged]).toEqual([0, 0]);
      expect(JSON.parse(await place.everything(name))).toEqual(JSON.parse(await whole.everything(name)));
      expect(await copy(name, place.store())).toEqual({ inserted: 0, updated: 0, unchanged: inserted });
    }
  });

  test("trap 6: under custom sharding each record goes under its own key, which is made where it is missing", async (context) => {
    context.skip(!(await canShard(whole)), "this server has no custom sharding");
    await using place = new Place(server);
    await place.create(sharded, '{"vectors":{"size":1,"distance":"Dot"},"sharding_method":"custom"}');
    const { inserted } = await copy(sharded, place.store());
    await using view = await place.store().open();
    expect(await view.collections()).toEqual([{ name: sharded, records: inserted }]);
    expect(await copy(sharded, place.store())).toEqual({ inserted: 0, updated: 0, unchanged: inserted });
  });

  test.each([
    ["drops them", () => Promise.resolve({ status: 200, text: '{"result":{},"status":"ok"}' })],
    ["refuses them", () => Promise.resolve({ status: 400, text: '{"status":{"error":"no such shard"}}' })],
  ])("trap 42: a server that %s is not believed", async (_, answer) => {
    await using place = await emptied();
    const tamper: Tamper = (exchange, pass) => (exchange.method === "PUT" ? answer() : pass());
    await using between = await tamperWith(server.url, tamper);
    const store = place.store({ url: between.url });
    await expect(copy("memories", store)).rejects.toMatchObject({
      code: "COMPARE_FAILED",
      details: { collection: "memories", keys: expect.arrayContaining(["18446744073709551615"]) as string[] },
    });
  });

  test("a batch that was taken although the server refused it counts as written", async () => {
    await using place = await emptied();
    const tamper: Tamper = async (exchange, pass) => {
      const answer = await pass();
      return exchange.method === "PUT" ? { status: 400, text: '{"status":{"error":"one replica"}}' } : answer;
    };
    await using between = await tamperWith(server.url, tamper);
    const { inserted } = await copy("memories", place.store({ url: between.url }));
    expect(inserted).toBeGreaterThan(0);
  });

  test("trap 48: what is no point is refused in words", async () => {
    await using place = await emptied();
    async function* records(record: StoreRecord): AsyncGenerator<StoreRecord> {
      yield record;
    }
    for (const record of [
      { key: Buffer.from("no id"), fields: { payload: {}, vectors: {} } },
      { key: Buffer.from("1"), fields: { payload: {} } },
      { key: Buffer.from("1"), fields: { payload: { a: Buffer.from("bytes") }, vectors: {} } },
      { key: Buffer.from('1@"eu"'), fields: { payload: {}, vectors: {} } },
    ]) {
      await expect(place.store().write("memories", records(record))).rejects.toMatchObject({
        code: "STORE_UNSUPPORTED",
      });
    }
    await expect(copy("none", place.store({ collections: ["memories"] }))).rejects.toMatchObject({
      code: "STORE_MISSING",
    });
  });
});
