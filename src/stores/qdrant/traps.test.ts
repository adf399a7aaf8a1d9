/** Ways in which vector stores' backups lose data without a word, by their numbers; those that need a server in trouble stand in dump.test.ts and restore.test.ts. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { QdrantServer } from "../../../test/engines/qdrant/index.ts";
import { engine } from "../../../test/engines/require.ts";
import { fillSample, rich } from "../../../test/qdrant/sample.ts";
import { tamperWith } from "../../../test/qdrant/tampering.ts";
import type { Tamper } from "../../../test/qdrant/tampering.ts";
import { Place } from "../../../test/qdrant/testing.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { takeDump } from "../contract/dump-folder.ts";
import type { TakenDump } from "../contract/dump-folder.ts";
import type { DumpSource, RestoreOptions } from "../store.ts";

const testEngine = await engine("qdrant");

describe.skipIf(testEngine.missing)("traps of Qdrant", () => {
  let server: QdrantServer;
  let place: Place;
  beforeAll(async () => {
    server = await testEngine.start();
    place = new Place(server);
    await fillSample(place);
    await place.create("many", '{"vectors":{"size":1,"distance":"Dot"}}');
    await place.upsert(
      "many",
      Array.from({ length: 35 }, (_, n) => `{"id":${n},"vector":[${n}.5]}`).join(","),
    );
  });
  afterAll(async () => {
    await place[Symbol.asyncDispose]();
    await server.stop();
  });

  const dumpOf = (of: Place, collection: string, url = server.url): Promise<TakenDump> =>
    takeDump(of.store({ collections: [collection], url }), join(of.folder(), "memory"));

  async function linesOf(taken: TakenDump): Promise<string[]> {
    return (await taken.dump.contents()).get("c1.jsonl")!.toString().trimEnd().split("\n");
  }

  /** Restores beside, and gives the facts of what lies there. */
  async function restored(
    source: DumpSource,
    into: Place,
    tamper?: Tamper,
  ): Promise<readonly CollectionFacts[]> {
    await using between = await tamperWith(server.url, tamper ?? ((_, pass) => pass()));
    const target = `${between.url.replace("http", "qdrant")}/?prefix=${into.prefix}`;
    const options: RestoreOptions = { target: { kind: "into", target }, force: false };
    const store = place.store({ url: between.url });
    const plan = await store.planRestore(source, options);
    await using restoration = await store.stage(plan, source, options);
    const facts = await restoration.facts();
    await restoration.switch();
    await restoration.keep();
    return facts;
  }
  async function copied(collection: string): Promise<{ text: string; again: string }> {
    const taken = await dumpOf(place, collection);
    await using other = new Place(server);
    expect(await restored(taken.dump.source(taken.manifest), other)).toEqual(taken.manifest.collections);
    return { text: await place.everything(collection), again: await other.everything(collection) };
  }

  test("trap 1: a page of ten, which is what a server gives unasked, is not the collection", async () => {
    expect((await dumpOf(place, "many")).manifest.collections[0]!.records).toBe(35);
  });

  test("trap 2: vectors are asked for, and every point has its own", async () => {
    const contents = await (await dumpOf(place, "many")).dump.contents();
    const rows = contents.get("c1.v1.npy")!.subarray(128);
    const floats = Array.from({ length: 35 }, (_, n) => rows.readFloatLE(n * 4)).sort((a, b) => a - b);
    expect(floats).toEqual(Array.from({ length: 35 }, (_, n) => n + 0.5));
  });

  test("trap 5: named, sparse, multi, empty and absent vectors stay what they are, each point with those that it has", async () => {
    const lines = (await linesOf(await dumpOf(place, rich))).map(
      (line) => JSON.parse(line) as { key: string; vectors: Record<string, unknown> },
    );
    const vectors = new Map(lines.map(({ key, vectors: of }) => [key, of]));
    expect(Object.keys(vectors.get("1")!)).toEqual(["bm25", "bytes", "colbert", "img", "text"]);
    expect(vectors.get("2")!["plain"]).toEqual({ indices: [], values: { $vector: "f4[0]", data: "" } });
    expect(vectors.get("4")).toEqual({});
    expect(vectors.get("5")!["colbert"]).toEqual({ $vector: "f4[1,2]" });
    expect(vectors.get("6")!["colbert"]).toEqual({ $vector: "f4[3,2]" });
    const { text, again } = await copied(rich);
    expect(JSON.parse(again)).toEqual(JSON.parse(text));
  });

  test("trap 13: floats are compared as the 32 bits that they are, not as the decimals that name them", async () => {
    await place.create("bits", '{"vectors":{"size":4,"distance":"Dot"}}');
    await place.upsert("bits", '{"id":1,"vector":[0.1,16777217.0,1e-45,0.30000000000000004]}');
    const { text, again } = await copied("bits");
    expect(again).toBe(text);
    expect(text).toContain("[0.1,16777216.0,1e-45,0.3]");
  });

  test("trap 14: cosine's normalised vectors do not drift, however often they are restored", async () => {
    await place.create("cosine", '{"vectors":{"size":3,"distance":"Cosine"}}');
    await place.upsert(
      "cosine",
      '{"id":1,"vector":[3.0,4.0,1e-8]},{"id":2,"vector":[0.3,-0.7,0.11]},{"id":3,"vector":[1e-20,0.0,0.0]}',
    );
    const first = await dumpOf(place, "cosine");
    let taken = first;
    await using others = new AsyncDisposableStack();
    for (let round = 0; round < 3; round++) {
      const other = others.use(new Place(server));
      await restored(taken.dump.source(taken.manifest), other);
      taken = await dumpOf(other, "cosine");
    }
    expect(await taken.dump.contents()).toEqual(await first.dump.contents());
  });

  test("trap 19: a point that comes back under the same id while pages are read is one record, old or new", async () => {
    await place.create("reused", '{"vectors":{"size":1,"distance":"Dot"}}');
    await place.upsert(
      "reused",
      Array.from({ length: 60 }, (_, n) => `{"id":${n},"vector":[1.0]}`).join(","),
    );
    await place.ask(
      "PATCH",
      place.path("reused"),
      '{"strict_mode_config":{"enabled":true,"max_query_limit":7}}',
    );
    const remove = (id: number) =>
      place.ask("POST", `${place.path("reused")}/points/delete?wait=true`, `{"points":[${id}]}`);
    await remove(40);
    let [pages, listings, fetches] = [0, 0, 0];
    const reusing: Tamper = async ({ path, body }, pass) => {
      const answer = await pass();
      if (path.endsWith("/points")) fetches++;
      if (!path.endsWith("/scroll")) return answer;
      const listsIds = body.includes('"with_vector":false');
      // While pages are read: written anew, behind the cursor and before it.
      if (!listsIds && ++pages < 8) {
        for (const id of [3, 50]) {
          await remove(id);
          await place.upsert("reused", `{"id":${id},"vector":[2.0]}`);
        }
      }
      // Gone while it was read, and back before the ids are listed: fetched once, and listed again after that.
      if (listsIds && !body.includes('"offset"')) listings++;
      if (!listsIds && answer.text.includes('"next_page_offset":null')) {
        await place.upsert("reused", '{"id":40,"vector":[2.0]}');
      }
      return answer;
    };
    await using between = await tamperWith(server.url, reusing);
    const lines = await linesOf(await dumpOf(place, "reused", between.url));
    const keys = lines.map((line) => (JSON.parse(line) as { key: string }).key);
    expect(new Set(keys).size).toBe(60);
    expect(keys).toHaveLength(60);
    expect({ listings, fetches }).toEqual({ listings: 2, fetches: 1 });
  });

  test("trap 22 and 23: empty, null, missing and mixed values, and texts of every kind, are told apart", async () => {
    await place.create("values", '{"vectors":{"size":1,"distance":"Dot"}}');
    const texts = ["", "\u0000", "💾", "\u2028", "`'\"\\", "$bytes", "__proto__", "\ufffd", "a.b[]"];
    const payload = `{"":null,"empty":"","list":[],"map":{},"mixed":[1,1.0,"1",null,true,[],{}],${texts
      .map((text, n) => `"t${n}":${JSON.stringify(text)}`)
      .join(",")},${texts
      .slice(1)
      .map((text) => `${JSON.stringify(text)}:1`)
      .join(",")}}`;
    await place.upsert(
      "values",
      `{"id":1,"vector":[1.0],"payload":${payload}},{"id":2,"vector":[1.0],"payload":{"only":null}},{"id":3,"vector":[1.0],"payload":{}},{"id":4,"vector":[1.0]}`,
    );
    const { text, again } = await copied("values");
    expect(JSON.parse(again)).toEqual(JSON.parse(text));
    expect(again).toContain('"mixed":[1,1.0,"1",null,true,[],{}]');
    expect(again).toContain('"payload":{"only":null}');
  });

  test("trap 40: a dump of a newer format is refused by name", async () => {
    const taken = await dumpOf(place, "many");
    const source = taken.dump.source(taken.manifest, { dumpVersion: 99 });
    await expect(restored(source, new Place(server))).rejects.toMatchObject({ code: "MANIFEST_VERSION" });
  });

  test("trap 41: equal counts prove nothing: one other digit of one vector is another digest", async () => {
    const taken = await dumpOf(place, "many");
    const source = taken.dump.source(taken.manifest);
    await using other = new Place(server);
    const changing: Tamper = (exchange, pass) => {
      if (exchange.method !== "PUT" || !exchange.path.includes("/points")) return pass();
      const body = exchange.body.replace("[7.5]", "[7.25]");
      return fetch(server.url + exchange.path, {
        method: "PUT",
        body,
        headers: { "content-type": "application/json" },
      }).then(async (answer) => ({ status: answer.status, text: await answer.text() }));
    };
    const [facts] = await restored(source, other, changing);
    const [expected] = taken.manifest.collections;
    expect([facts!.records, facts!.keyDigest]).toEqual([expected!.records, expected!.keyDigest]);
    expect(facts!.contentDigest).not.toBe(expected!.contentDigest);
  });

  test("trap 43: a dump that is damaged at its very end is refused before a collection in use is touched", async () => {
    const taken = await dumpOf(place, "many");
    const good = taken.dump.source(taken.manifest);
    await place.upsert("many", '{"id":0,"vector":[99.0]}');
    const before = await place.everything("many");
    const damaged: DumpSource = {
      manifest: good.manifest,
      async *read(name, range) {
        const parts: Buffer[] = [];
        for await (const part of good.read(name, range)) parts.push(Buffer.from(part));
        const whole = Buffer.concat(parts);
        if (name.endsWith(".npy")) whole[whole.length - 1]! ^= 1;
        yield whole;
      },
    };
    const options: RestoreOptions = { target: { kind: "in-place" }, force: false };
    const store = place.store({ collections: ["many"] });
    const plan = await store.planRestore(damaged, options);
    await expect(store.stage(plan, damaged, options)).rejects.toMatchObject({ code: "DUMP_DAMAGED" });
    expect(await place.everything("many")).toBe(before);
  });
});
