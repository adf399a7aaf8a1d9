/** Restores that are cut half-way: the old data stays in use, or the collection says that it is a mixture. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { QdrantServer } from "../../../test/engines/qdrant/index.ts";
import { engine } from "../../../test/engines/require.ts";
import { tamperWith } from "../../../test/qdrant/tampering.ts";
import type { Tamper } from "../../../test/qdrant/tampering.ts";
import { Place } from "../../../test/qdrant/testing.ts";
import { takeDump } from "../contract/dump-folder.ts";
import type { TakenDump } from "../contract/dump-folder.ts";
import type { RestoreOptions } from "../store.ts";
import { changingMark } from "./units.ts";

const testEngine = await engine("qdrant");
const inPlace: RestoreOptions = { target: { kind: "in-place" }, force: false };

describe.skipIf(testEngine.missing)("a restore in place that was killed", () => {
  let server: QdrantServer;
  beforeAll(async () => {
    server = await testEngine.start();
  });
  afterAll(() => server.stop());

  const dumpOf = (place: Place): Promise<TakenDump> =>
    takeDump(place.store({ collections: ["c"] }), join(place.folder(), "memory"));

  async function marks(place: Place): Promise<string[]> {
    const listed = await place.ask("GET", `${place.path("c")}/aliases`);
    return [...listed.matchAll(/"alias_name":"([^"]+)"/g)].map(([, name]) => name!);
  }

  test("law 5: is found by its mark, in every backup and by every probe, until a restore is through", async () => {
    await using place = new Place(server);
    await place.create("c", '{"vectors":{"size":1,"distance":"Dot"}}');
    await place.upsert("c", Array.from({ length: 20 }, (_, n) => `{"id":${n},"vector":[${n}.0]}`).join(","));
    const taken = await dumpOf(place);
    const source = taken.dump.source(taken.manifest);
    await place.upsert(
      "c",
      Array.from({ length: 20 }, (_, n) => `{"id":${n + 10},"vector":[0.5]}`).join(","),
    );

    // From the first deletion on nothing gets through any more, as when the process dies there.
    let isDead = false;
    const dying: Tamper = ({ path }, pass) => {
      isDead ||= path.includes("/points/delete");
      return isDead ? Promise.reject(new Error("dead")) : pass();
    };
    await using between = await tamperWith(server.url, dying);
    const store = place.store({ url: between.url, retryFor: "0s", collections: ["c"] });
    const plan = await store.planRestore(source, inPlace);
    {
      await using restoration = await store.stage(plan, source, inPlace);
      await expect(restoration.switch()).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    }
    expect(await marks(place)).toEqual([expect.stringMatching(new RegExp(`^${changingMark}`))]);
    const remains = (await place.store({ collections: ["c"] }).probe()).find(
      ({ name }) => name === "remains",
    );
    expect(remains).toMatchObject({ status: "critical", text: expect.stringContaining("mixture") as string });
    const mixed = await dumpOf(place);
    expect(mixed.manifest.warnings.join()).toContain("may hold a mixture");
    expect((await mixed.dump.contents()).get("schema.json")!.toString()).not.toContain(changingMark);

    const again = place.store({ collections: ["c"] });
    const newPlan = await again.planRestore(source, inPlace);
    {
      await using restoration = await again.stage(newPlan, source, inPlace);
      await restoration.switch();
      expect(await marks(place)).toHaveLength(2);
      expect(await restoration.facts()).toEqual(taken.manifest.collections);
      await restoration.keep();
    }
    expect(await marks(place)).toEqual([]);
    expect((await dumpOf(place)).manifest.warnings).toEqual([]);
  });

  test("the mark goes with a roll-back, and with cleanup, which tells what it leaves", async () => {
    await using place = new Place(server);
    await place.create("c", '{"vectors":{"size":1,"distance":"Dot"}}');
    await place.upsert("c", '{"id":1,"vector":[1.0]}');
    const taken = await dumpOf(place);
    const source = taken.dump.source(taken.manifest);
    await place.upsert("c", '{"id":1,"vector":[2.0]}');
    const store = place.store({ collections: ["c"] });
    const plan = await store.planRestore(source, inPlace);
    {
      await using restoration = await store.stage(plan, source, inPlace);
      await restoration.switch();
      expect(await marks(place)).toHaveLength(1);
      await restoration.rollBack();
    }
    expect(await marks(place)).toEqual([]);
    await place.ask(
      "POST",
      "/collections/aliases",
      JSON.stringify({
        actions: [{ create_alias: { alias_name: `${changingMark}1`, collection_name: `${place.prefix}c` } }],
      }),
    );
    const [cleanUp] = await store.maintenance();
    expect(await cleanUp!.run()).toContain("may be a mixture");
    expect(await marks(place)).toEqual([]);
    expect((await place.names()).collections).toHaveLength(1);
  });
});
