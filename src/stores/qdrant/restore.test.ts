/** Restores: what they change, what they leave alone, and what is left when they are cut. */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { QdrantServer } from "../../../test/engines/qdrant/index.ts";
import { engine } from "../../../test/engines/require.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { Observer } from "../../domain/observer.ts";
import { takeDump } from "../contract/dump-folder.ts";
import type { DumpSource, RestoreOptions, RestorePlan, Store, SwitchOutcome } from "../store.ts";
import type { QdrantSettings } from "./config.ts";
import { fillSample, rich } from "../../../test/qdrant/sample.ts";
import { readInSteps, settle } from "./settled.ts";
import { Server } from "./server.ts";
import { tamperWith } from "../../../test/qdrant/tampering.ts";
import type { Tamper } from "../../../test/qdrant/tampering.ts";
import { Place } from "../../../test/qdrant/testing.ts";
import { dropMarked, restoringMark, scratchMark } from "./units.ts";

const testEngine = await engine("qdrant");
const inPlace: RestoreOptions = { target: { kind: "in-place" }, force: false };

describe.skipIf(testEngine.missing)("a restore of Qdrant", () => {
  let server: QdrantServer;
  let place: Place;
  beforeAll(async () => {
    server = await testEngine.start();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    place = new Place(server);
    await place.create(
      "c",
      '{"vectors":{"size":2,"distance":"Dot"},"optimizers_config":{"indexing_threshold":777}}',
    );
    await place.upsert(
      "c",
      [1, 2, 3].map((n) => `{"id":${n},"vector":[${n}.0,0.5],"payload":{"n":${n}}}`).join(","),
    );
  });
  afterEach(() => place[Symbol.asyncDispose]());

  async function dumped(
    config: Partial<QdrantSettings> = {},
  ): Promise<DumpSource & { facts: readonly CollectionFacts[] }> {
    const { dump, manifest } = await takeDump(
      place.store(config),
      join(await mkdtemp(join(place.folder(), "d-")), "memory"),
    );
    return { ...dump.source(manifest), facts: manifest.collections };
  }

  async function restored(
    source: DumpSource,
    options: RestoreOptions = inPlace,
    store: Store = place.store(),
  ): Promise<{ plan: RestorePlan; outcome: SwitchOutcome; facts: readonly CollectionFacts[] }> {
    const plan = await store.planRestore(source, options);
    await using restoration = await store.stage(plan, source, options);
    const outcome = await restoration.switch();
    const facts = await restoration.facts();
    await restoration.keep();
    return { plan, outcome, facts };
  }

  async function disturb(): Promise<void> {
    await place.upsert(
      "c",
      '{"id":2,"vector":[9.0,9.0],"payload":{"stale":true}},{"id":4,"vector":[4.0,4.0]}',
    );
    await place.ask("POST", `${place.path("c")}/points/delete?wait=true`, '{"points":[3]}');
  }

  test("trap 33: in place leaves neither extra points nor stale payload keys", async () => {
    const source = await dumped();
    const before = await place.everything("c");
    await disturb();
    const { facts, plan } = await restored(source);
    expect(facts).toEqual(source.facts);
    expect(await place.everything("c")).toBe(before);
    expect(plan.changes).toEqual([{ collection: "c", recordsNow: 3, recordsThen: 3 }]);
  });

  test("merging inserts and updates, deletes nothing, and says which", async () => {
    const source = await dumped();
    await disturb();
    const steps: string[] = [];
    const observer: Observer = {
      step: (_, text) => steps.push(text),
      progress: () => undefined,
      warn: () => undefined,
    };
    const { facts, plan } = await restored(
      source,
      { ...inPlace, mode: "merge" },
      place.store({}, place.context({ observer })),
    );
    expect(plan.actions.slice(0, 2)).toEqual([
      `insert 1 point (3) into ${place.prefix}c and update 1 point (2); 1 are the same`,
      "nothing is deleted: 1 point that the snapshot does not have stays; settings, indexes and aliases stay as they are",
    ]);
    expect(facts).toEqual(source.facts);
    expect(await place.everything("c")).toContain('{"id":4,"payload":{},"vector":[4.0,4.0]}');
    expect(steps).toContain(`${place.prefix}c: 1 inserted, 1 updated, 0 deleted (2, 3)`);
  });

  test("trap 4: brings back payload indexes and settings of a collection in use", async () => {
    await place.ask(
      "PUT",
      `${place.path("c")}/index?wait=true`,
      '{"field_name":"n","field_schema":{"type":"integer","lookup":true,"range":true}}',
    );
    const source = await dumped();
    await place.ask("DELETE", `${place.path("c")}/index/n?wait=true`);
    await place.ask(
      "PUT",
      `${place.path("c")}/index?wait=true`,
      '{"field_name":"m","field_schema":"keyword"}',
    );
    await place.ask(
      "PATCH",
      place.path("c"),
      '{"optimizers_config":{"indexing_threshold":5},"strict_mode_config":{"enabled":true,"upsert_max_batchsize":1}}',
    );
    await restored(source);
    const info = await place.ask("GET", place.path("c"));
    expect(info).toContain('"payload_schema":{"n":{"data_type":"integer"');
    expect(info).toContain('"indexing_threshold":777');
    expect(info).toContain('"strict_mode_config":{"enabled":false');
  });

  test("law 5: a failure half-way is undone: points, indexes and settings", async () => {
    const source = await dumped();
    await disturb();
    await place.ask(
      "PUT",
      `${place.path("c")}/index?wait=true`,
      '{"field_name":"m","field_schema":"keyword"}',
    );
    const before = await place.everything("c");
    // The first deletion, which is the last change of points, is refused.
    let deletions = 0;
    const refusing: Tamper = ({ path }, pass) =>
      path.includes("/points/delete") && deletions++ === 0
        ? Promise.resolve({ status: 400, text: '{"status":{"error":"refused"}}' })
        : pass();
    await using between = await tamperWith(server.url, refusing);
    const store = place.store({ url: between.url, retryFor: "0s" });
    for (const message of ["refused", undefined]) {
      const plan = await store.planRestore(source, inPlace);
      await using restoration = await store.stage(plan, source, inPlace);
      if (message === undefined) await restoration.switch();
      else await expect(restoration.switch()).rejects.toThrow(message);
      expect(await place.everything("c")).not.toBe(before);
      await restoration.rollBack();
      expect(await place.everything("c")).toBe(before);
      expect(await place.ask("GET", place.path("c"))).toContain('"m":{"data_type":"keyword"');
    }
  });

  test("moves an alias to a new collection, keeps the old one and prints the way back", async () => {
    await place.alias("live", "c");
    const config = { collections: ["live"] };
    const source = await dumped(config);
    await disturb();
    const disturbed = await place.everything("c");
    const { outcome } = await restored(source, inPlace, place.store(config));
    expect(await place.everything("live")).not.toBe(disturbed);
    expect(outcome.previous!.location).toBe(`${place.prefix}c`);
    expect(await place.everything("c")).toBe(disturbed);
    const actions = /-d '(.*)'$/.exec(outcome.previous!.undo)![1]!;
    await place.ask("POST", "/collections/aliases", actions);
    expect(await place.everything("live")).toBe(disturbed);
    const info = await place.ask("GET", place.path("c"));
    expect(info).toContain('"indexing_threshold":777');
  });

  test("trap 3: creates aliases together with the collections, and refuses one that is in use", async () => {
    await place.alias("live", "c");
    const source = await dumped();
    const { target, place: other } = place.beside();
    await restored(source, { target: { kind: "into", target }, force: false });
    expect((await other.names()).aliases).toEqual([`${other.prefix}live`]);
    await other.ask("DELETE", other.path("c"));
    await other.create("live", '{"vectors":{"size":1,"distance":"Dot"}}');
    const plan = await place.store().planRestore(source, { target: { kind: "into", target }, force: false });
    expect(plan.obstacles.map(({ text }) => text).join()).toContain("is in use for something else");
    await other[Symbol.asyncDispose]();
  });

  test("refuses a collection whose vectors are others, and an existing target", async () => {
    const source = await dumped();
    await place.dropAll();
    await place.create("c", '{"vectors":{"size":3,"distance":"Dot"}}');
    const plan = await place.store().planRestore(source, inPlace);
    expect(plan.obstacles).toEqual([
      { text: expect.stringContaining("other vectors") as string, overridable: false },
    ]);
    await expect(place.store().stage(plan, source, { ...inPlace, force: true })).rejects.toMatchObject({
      code: "STORE_UNSUPPORTED",
    });
    const into: RestoreOptions = {
      target: { kind: "into", target: `${server.url.replace("http", "qdrant")}/?prefix=${place.prefix}` },
      force: true,
    };
    const other = await place.store().planRestore(source, into);
    expect(other.obstacles[0]!.text).toContain("exists");
  });

  test("restores the one collection of a dump under another name", async () => {
    const source = await dumped();
    const target = `${server.url.replace("http", "qdrant")}/${encodeURIComponent(`${place.prefix}ü`)}`;
    const { facts } = await restored(source, { target: { kind: "into", target }, force: false });
    expect(facts).toEqual(source.facts);
    expect(await place.everything("ü")).toBe(await place.everything("c"));
  });

  test("trap 47: what a killed restore leaves is marked, found by a probe, in nobody's way, and dropped by cleanup alone", async () => {
    const source = await dumped();
    const { target, place: other } = place.beside();
    let isDead = false;
    const dying: Tamper = async ({ path, method }, pass) => {
      // From the first upsert on nothing gets through any more, the clean-up neither.
      isDead ||= method === "PUT" && path.includes("/points");
      return isDead ? Promise.reject(new Error("dead")) : pass();
    };
    await using between = await tamperWith(server.url, dying);
    const options: RestoreOptions = {
      target: { kind: "into", target: target.replace(new URL(server.url).host, new URL(between.url).host) },
      force: false,
    };
    const warnings: string[] = [];
    const observer: Observer = {
      step: () => undefined,
      progress: () => undefined,
      warn: (_, text) => warnings.push(text),
    };
    const store = place.store({ retryFor: "0s", url: between.url }, place.context({ observer }));
    const plan = await store.planRestore(source, options);
    await expect(store.stage(plan, source, options)).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    expect(warnings.join()).toContain("memkeep maintain cleanup");
    const left = `${other.prefix}c`;
    expect((await other.names()).collections).toEqual([left]);
    const remains = (await other.store({ allowEmpty: true }).probe()).find(({ name }) => name === "remains")!;
    expect(remains).toMatchObject({ status: "warning", text: expect.stringContaining(left) as string });
    await expect(other.store().open()).rejects.toMatchObject({ code: "STORE_EMPTY" });
    const [cleanUp] = await other.store().maintenance();
    expect(await cleanUp!.run()).toContain(left);
    expect((await other.names()).collections).toEqual([]);
    expect((await place.names()).collections).toEqual([`${place.prefix}c`]);
  });

  test("law 5: only marked collections are ever dropped", async () => {
    using connection = new Server(place.config(), place.context());
    const name = `${place.prefix}c`;
    for (const mark of [undefined, "live", `${restoringMark}other`]) await dropMarked(connection, name, mark);
    expect(await connection.exists(name)).toBe(true);
    expect(scratchMark.startsWith(place.prefix)).toBe(false);
  });

  test("trap 20: batches that fail on the way are sent again, and the outcome is compared all the same", async () => {
    await fillSample(place);
    const source = await dumped();
    const { target, place: other } = place.beside();
    let upserts = 0;
    const losing: Tamper = async ({ path, method }, pass) => {
      const answer = await pass();
      // The server has done it, and the answer is lost.
      if (method === "PUT" && path.includes("/points") && upserts++ % 2 === 0) throw new Error("lost");
      return answer;
    };
    await using between = await tamperWith(server.url, losing);
    const options: RestoreOptions = {
      target: { kind: "into", target: target.replace(new URL(server.url).host, new URL(between.url).host) },
      force: false,
    };
    const { facts } = await restored(source, options, place.store({ url: between.url }));
    expect(facts).toEqual(source.facts);
    // Members of a payload come back sorted.
    expect(JSON.parse(await other.everything(rich))).toEqual(JSON.parse(await place.everything(rich)));
    await other[Symbol.asyncDispose]();
  });

  test("numbers that the server's own storage rounds are no difference, any other bit is", async () => {
    const tiny = "5.2403943260531166e-12,4.15844992224567e-54,0.1,1.5777777777770001";
    await place.upsert("c", `{"id":9,"vector":[0.1,0.2],"payload":{"e-":[${tiny}]}}`);
    const source = await dumped();
    const { target, place: other } = place.beside();
    const options: RestoreOptions = { target: { kind: "into", target }, force: false };
    expect((await restored(source, options)).facts).toEqual(source.facts);
    await other[Symbol.asyncDispose]();
    await place.upsert("c", '{"id":9,"vector":[0.1,0.2],"payload":{"e-":[5e-12]}}');
    expect((await restored(source)).facts).toEqual(source.facts);
    expect(settle(5.2403943260531166e-12)).toBe(settle(5.240394326053117e-12));
    expect(await place.everything("c")).toContain('"e-":[5.2403943260531');
    // Published by others: serde-rs/json#1336, #937 and #604.
    expect(readInSteps("1.5777777777770001")).toBe(1.577777777777);
    expect(readInSteps("0.09144338512092887")).toBe(0.09144338512092888);
    expect(readInSteps("-117.63331139400017")).toBe(-117.63331139400016);
    expect(readInSteps("18446744073709552000.0")).toBe(2 ** 64);
  });

  test("trap 42: a batch that the server takes in part is a failure, whatever is said", async () => {
    const source = await dumped();
    const { target, place: other } = place.beside();
    const partly: Tamper = async (exchange, pass) => {
      if (exchange.method !== "PUT" || !exchange.path.includes("/points")) return pass();
      await other.upsert("c", '{"id":1,"vector":[1.0,0.5],"payload":{"n":1}}');
      return { status: 200, text: '{"result":{"operation_id":1,"status":"completed"},"status":"ok"}' };
    };
    await using between = await tamperWith(server.url, partly);
    const options: RestoreOptions = {
      target: { kind: "into", target: target.replace(new URL(server.url).host, new URL(between.url).host) },
      force: false,
    };
    await expect(restored(source, options, place.store({ url: between.url }))).rejects.toMatchObject({
      code: "COMPARE_FAILED",
    });
    expect((await other.names()).collections).toEqual([]);
  });

  test("the key goes to no other server than its own", async () => {
    const source = await dumped();
    const seen: string[] = [];
    const noting: Tamper = ({ path }, _pass) => {
      seen.push(path);
      return Promise.resolve({ status: 401, text: "Must provide an API key" });
    };
    await using other = await tamperWith(server.url, noting);
    const options: RestoreOptions = {
      target: { kind: "into", target: other.url.replace("http", "qdrant") },
      force: false,
    };
    await expect(place.store({ retryFor: "0s" }).planRestore(source, options)).rejects.toMatchObject({
      code: "STORE_DENIED",
    });
    expect(seen.length).toBeGreaterThan(0);
  });
});
