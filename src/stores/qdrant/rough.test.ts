/** Random data, hostile names, and writers at work. */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { QdrantServer } from "../../../test/engines/qdrant/index.ts";
import { engine } from "../../../test/engines/require.ts";
import { takeDump } from "../contract/dump-folder.ts";
import type { TakenDump } from "../contract/dump-folder.ts";
import type { DumpSource, RestoreOptions, Store } from "../store.ts";
import { anyCollection } from "../../../test/qdrant/arbitrary.ts";
import { Place } from "../../../test/qdrant/testing.ts";

const testEngine = await engine("qdrant");
const rounds = process.env["MEMKEEP_NIGHTLY"] ? 500 : 50;

let server: QdrantServer;
beforeAll(async () => {
  if (testEngine.missing === undefined) server = await testEngine.start();
});
afterAll(() => server?.stop());

async function dumpOf(place: Place, store: Store = place.store()): Promise<TakenDump> {
  return takeDump(store, join(await mkdtemp(join(place.folder(), "d-")), "memory"));
}

async function restoreInto(store: Store, source: DumpSource, target: string): Promise<void> {
  const options: RestoreOptions = { target: { kind: "into", target }, force: false };
  const plan = await store.planRestore(source, options);
  await using restoration = await store.stage(plan, source, options);
  expect(await restoration.facts()).toEqual(source.manifest.collections);
  await restoration.switch();
  await restoration.keep();
}

/** Points beyond those that were drawn one by one; most collections are small. */
const size = fc.oneof(
  { weight: 24, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.integer({ min: 500, max: 4950 }) },
);

/** The same points under other ids. */
function repeated(points: readonly string[], from: number, count: number): string[] {
  return Array.from({ length: count }, (_, n) =>
    points[(from + n) % points.length]!.replace(/^\{"id":[^,]+/, `{"id":${7_000_000 + from + n}`),
  );
}

describe.skipIf(testEngine.missing)("Qdrant, roughly treated", () => {
  test("law 1: any collection comes back byte for byte", { timeout: 3_600_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(anyCollection(40), size, async ({ creation, points, indexes }, large) => {
        await using place = new Place(server);
        await place.create("c", creation);
        for (const index of indexes)
          await place.ask("PUT", `${place.path("c")}/index?wait=true`, `{"field_name":${index}}`);
        if (points.length > 0) await place.upsert("c", points.join(","));
        for (let at = 0; points.length > 0 && at < (large ?? 0); at += 500) {
          await place.upsert("c", repeated(points, at, Math.min(500, large! - at)).join(","));
        }
        const first = await dumpOf(place, place.store({ connections: 2 }));
        const { target, place: other } = place.beside();
        await restoreInto(place.store(), first.dump.source(first.manifest), target);
        const second = await dumpOf(other);
        expect(await second.dump.contents()).toEqual(await first.dump.contents());
        await other[Symbol.asyncDispose]();
      }),
      { numRuns: rounds },
    );
  });

  test("law 12: names are data", { timeout: 300_000 }, async () => {
    const place = new Place(server);
    const unit = fc.oneof(
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }),
      fc.constantFrom("..", "%2F", "?", "#", "é", ";", "'", "`", "{}"),
    );
    const name = fc
      .array(unit, { minLength: 1, maxLength: 12 })
      .map((units) => units.join("").replaceAll(/["/\\\p{Cc}<>|*:?]/gu, "_"))
      .filter((text) => text.isWellFormed() && text.trim() === text && Buffer.byteLength(text) < 200);
    const names = fc.sample(fc.uniqueArray(name, { minLength: 30, maxLength: 30 }), {
      numRuns: 1,
      seed: 42,
    })[0]!;
    for (const [index, of] of names.entries()) {
      await place.create(of, '{"vectors":{"size":1,"distance":"Dot"}}');
      await place.upsert(
        of,
        `{"id":${index},"vector":[${index}.0],"payload":{${JSON.stringify(of)}:${index}}}`,
      );
    }
    const { manifest } = await dumpOf(place);
    expect(new Set(manifest.collections.map(({ name: of }) => of))).toEqual(new Set(names));
    expect(manifest.files.every(({ path }) => /^memory\/[a-z0-9.]+$/.test(path))).toBe(true);
    await place[Symbol.asyncDispose]();
  });

  test(
    "law 3: with 200 writes a second, nothing that was there throughout is missing, and every record is one that was",
    { timeout: 300_000 },
    async () => {
      await using place = new Place(server);
      await place.create("busy", '{"vectors":{"size":4,"distance":"Dot"}}');
      const lasting = 5_000;
      for (let at = 0; at < lasting; at += 500) {
        const points = Array.from(
          { length: 500 },
          (_, n) => `{"id":${(at + n) * 10},"vector":[1.0,2.0,3.0,4.0],"payload":{"v":0,"w":0}}`,
        );
        await place.upsert("busy", points.join(","));
      }
      let stopped = false;
      let writes = 0;
      async function write(): Promise<void> {
        for (let n = 1; !stopped; n++) {
          const fresh = (n * 7919) % (lasting * 10);
          // Both members always change together; ids with a remainder come and go.
          await place.upsert(
            "busy",
            `{"id":${((n * 31) % lasting) * 10},"vector":[1.0,2.0,3.0,4.0],"payload":{"v":${n},"w":${n}}},{"id":${fresh - (fresh % 10) + 5},"vector":[0.5,0.5,0.5,0.5]}`,
          );
          const gone = ((n - 5) * 7919) % (lasting * 10);
          if (n > 5)
            await place.ask(
              "POST",
              `${place.path("busy")}/points/delete?wait=true`,
              `{"points":[${gone - (gone % 10) + 5}]}`,
            );
          writes += 3;
        }
      }
      const writer = write();
      const { dump, manifest } = await dumpOf(place, place.store({ maxRechecks: 3 }));
      stopped = true;
      await writer;
      expect(writes).toBeGreaterThan(0);
      expect(manifest.view.consistency).toBe("fuzzy");
      const lines = (await dump.contents()).get("c1.jsonl")!.toString().trimEnd().split("\n");
      const kept = new Set<string>();
      for (const line of lines) {
        const { key, payload } = JSON.parse(line) as { key: string; payload: { v: number; w: number } };
        expect(payload.v).toBe(payload.w);
        kept.add(key);
      }
      expect(kept.size).toBe(lines.length);
      for (let n = 0; n < lasting; n++) expect(kept.has(String(n * 10))).toBe(true);
    },
  );
});
