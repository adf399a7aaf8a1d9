/** The network and the server fail at 20 points of a dump and of a restore: tried again or failed, never short. */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { QdrantServer } from "../../../test/engines/qdrant/index.ts";
import { engine } from "../../../test/engines/require.ts";
import { tamperWith } from "../../../test/qdrant/tampering.ts";
import type { Tamper } from "../../../test/qdrant/tampering.ts";
import { Place } from "../../../test/qdrant/testing.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { systemClock } from "../../util/clock/clock.ts";
import type { Clock } from "../../util/clock/clock.ts";
import { takeDump } from "../contract/dump-folder.ts";
import type { DumpSource, RestoreOptions, Store } from "../store.ts";

const testEngine = await engine("qdrant");
const toxiproxy = await engine("toxiproxy");
const points = 20;
const restarts = process.env["MEMKEEP_NIGHTLY"] ? 20 : 3;

/** Toxics by Toxiproxy's names; `down` closes the proxy's door altogether. */
const faults = [
  { name: "a reset", toxic: { type: "reset_peer", attributes: { timeout: 0 } } },
  { name: "a time-out", toxic: { type: "timeout", attributes: { timeout: 0 } } },
  { name: "a cut answer", toxic: { type: "limit_data", attributes: { bytes: 300 } } },
  { name: "a closed door", toxic: undefined },
] as const;

describe.skipIf(testEngine.missing || toxiproxy.missing || testEngine.existing)("a server that fails", () => {
  let server: QdrantServer;
  let proxies: Awaited<ReturnType<typeof toxiproxy.start>>;
  let place: Place;
  let between: Awaited<ReturnType<typeof tamperWith>>;
  let through: string;
  let whole: readonly CollectionFacts[];
  let source: DumpSource;
  let folder: string;
  let requests = 0;
  let onRequest: Tamper = (_, pass) => pass();
  const proxy = "memkeep-qdrant-faults";

  beforeAll(async () => {
    folder = await mkdtemp("/tmp/memkeep-qdrant-faults-");
    server = await testEngine.start({ folder });
    proxies = await toxiproxy.start();
    place = new Place(server);
    await place.create("c", '{"vectors":{"size":16,"distance":"Dot"}}');
    for (let at = 0; at < 1500; at += 500) {
      const vector = Array.from({ length: 16 }, (_, m) => `${m}.25`).join(",");
      const body = Array.from(
        { length: 500 },
        (_, n) => `{"id":${at + n},"vector":[${vector}],"payload":{"n":${n}}}`,
      );
      await place.upsert("c", body.join(","));
    }
    // Small pages and batches: many requests, many points to fail at.
    await place.ask(
      "PATCH",
      place.path("c"),
      '{"strict_mode_config":{"enabled":true,"max_query_limit":100}}',
    );
    const taken = await takeDump(place.store(), join(place.folder(), "memory"));
    whole = taken.manifest.collections;
    source = taken.dump.source(taken.manifest);
    // Client → Toxiproxy → a counter → server.
    between = await tamperWith(
      () => server.url,
      (exchange, pass) => {
        requests++;
        return onRequest(exchange, pass);
      },
    );
    const made = await fetch(`${proxies.url}/proxies`, {
      method: "POST",
      body: JSON.stringify({ name: proxy, listen: "127.0.0.1:0", upstream: new URL(between.url).host }),
    });
    through = `http://${((await made.json()) as { listen: string }).listen}`;
  });
  afterAll(async () => {
    await proxies?.stop();
    await between?.[Symbol.asyncDispose]();
    await place?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  async function break_(fault: (typeof faults)[number]): Promise<void> {
    const path = `${proxies.url}/proxies/${proxy}`;
    const answer = fault.toxic
      ? await fetch(`${path}/toxics`, {
          method: "POST",
          body: JSON.stringify({ name: "fault", stream: "downstream", ...fault.toxic }),
        })
      : await fetch(path, { method: "POST", body: '{"enabled":false}' });
    expect(answer.ok).toBe(true);
  }
  async function heal(): Promise<void> {
    await fetch(`${proxies.url}/proxies/${proxy}/toxics/fault`, { method: "DELETE" });
    await fetch(`${proxies.url}/proxies/${proxy}`, { method: "POST", body: '{"enabled":true}' });
  }

  /** A clock whose first pause outlives the fault, when it is one that passes. */
  function clock(passes: boolean): Clock {
    return {
      ...systemClock,
      async sleep(ms, signal) {
        if (passes) await heal();
        await systemClock.sleep(Math.min(ms, 5), signal);
      },
    };
  }
  function storeThrough(passes: boolean): Store {
    const limits = { timeout: "400ms", retryFor: passes ? "20s" : "200ms", optimizerWait: "400ms" };
    return place.store(
      { url: through, connections: 2, ...limits },
      { ...place.context(), clock: clock(passes) },
    );
  }

  /** Lets `work` meet each fault at evenly spread requests, once passing and once lasting. Says how often it failed. */
  async function sweep(
    work: (store: Store) => Promise<void>,
    after: (error: unknown) => Promise<void>,
  ): Promise<{ done: number; failed: number }> {
    onRequest = (_, pass) => pass();
    requests = 0;
    await work(storeThrough(true));
    await after(undefined);
    const all = requests;
    expect(all).toBeGreaterThan(points);
    const outcomes = { done: 0, failed: 0 };
    for (let point = 0; point < points; point++) {
      const at = 1 + Math.floor((point * all) / points);
      const fault = faults[point % faults.length]!;
      const passes = (point >> 2) % 2 === 0;
      requests = 0;
      onRequest = async (_, pass) => {
        if (requests === at) await break_(fault);
        return pass();
      };
      let error: unknown;
      try {
        await work(storeThrough(passes));
        outcomes.done++;
      } catch (thrown) {
        error = thrown;
        expect(thrown, `${fault.name} at request ${at}`).toMatchObject({ code: "STORE_UNREACHABLE" });
        outcomes.failed++;
      }
      onRequest = (_, pass) => pass();
      await heal();
      await after(error);
      expect(passes && error !== undefined, `${fault.name} that passed, at request ${at}`).toBe(false);
    }
    return outcomes;
  }

  async function dumps(store: Store): Promise<void> {
    const { manifest } = await takeDump(store, join(await mkdtemp(join(place.folder(), "d-")), "memory"));
    expect(manifest.collections).toEqual(whole);
  }

  test("law 4: at 20 points of a dump", { timeout: 300_000 }, async () => {
    const { done, failed } = await sweep(dumps, () => Promise.resolve());
    expect(done).toBeGreaterThanOrEqual(points / 2);
    expect(failed).toBeGreaterThan(0);
  });

  /** As the engine does it: what fails after the switch is rolled back. */
  async function restores(store: Store, target: string): Promise<void> {
    const options: RestoreOptions = { target: { kind: "into", target }, force: false };
    const plan = await store.planRestore(source, options);
    await using restoration = await store.stage(plan, source, options);
    expect(await restoration.facts()).toEqual(whole);
    try {
      await restoration.switch();
    } catch (error) {
      await restoration.rollBack().catch(() => undefined);
      throw error;
    }
    await restoration.keep();
  }

  /** Nothing but a whole collection or an empty one is ever in use; all else carries a mark. */
  async function holds(other: Place, error: unknown): Promise<void> {
    await using view = await other.store({ allowEmpty: true }).open();
    const counts = await view.collections();
    if (error === undefined) expect(counts).toEqual([{ name: "c", records: 1500 }]);
    for (const { records } of counts) expect([0, 1500]).toContain(records);
    if (counts.some(({ records }) => records > 0)) await dumps(other.store());
    await other[Symbol.asyncDispose]();
  }

  test(
    "law 5: at 20 points of a restore: the old data stays, what is half is marked",
    { timeout: 300_000 },
    async () => {
      let other: Place;
      const { done, failed } = await sweep(
        async (store) => {
          const beside = place.beside();
          other = beside.place;
          await restores(store, beside.target.replace(new URL(server.url).host, new URL(through).host));
        },
        (error) => holds(other, error),
      );
      expect(done).toBeGreaterThanOrEqual(points / 2);
      expect(failed).toBeGreaterThan(0);
      await dumps(place.store());
    },
  );

  test(`law 5: the server is restarted at ${restarts} points of each`, { timeout: 900_000 }, async () => {
    for (const what of ["dump", "restore"] as const) {
      for (let point = 0; point < restarts; point++) {
        let again: Promise<void> | undefined;
        requests = 0;
        const at = 2 + Math.floor((point * 30) / restarts);
        onRequest = async (_, pass) => {
          if (requests === at) {
            again = server.stop().then(async () => {
              server = await testEngine.start({ folder });
            });
            throw new Error("killed");
          }
          await again;
          return pass();
        };
        const store = place.store({ url: between.url, connections: 2 });
        if (what === "dump") await dumps(store);
        else {
          const { target, place: other } = new Place({ ...server, url: between.url }).beside();
          await restores(store, target);
          await holds(other, undefined);
        }
        expect(again).toBeDefined();
        onRequest = (_, pass) => pass();
      }
    }
    place = new Place(server, place.prefix);
    await dumps(place.store());
  });
});
