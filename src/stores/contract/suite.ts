/**
 * What every store must do, on its real engine. An adaptor's test makes a `ContractEngine` and calls `storeContract`;
 * traps of one engine alone are tests beside the adaptor.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { isMemkeepError } from "../../domain/errors.ts";
import { silentObserver } from "../../domain/observer.ts";
import { systemClock } from "../../util/clock/clock.ts";
import type {
  DumpSource,
  KeyDigest,
  RestoreOptions,
  Store,
  StoreContext,
  StoreKind,
  View,
} from "../store.ts";
import { DumpFolder, type TakenDump, takeDump } from "./dump-folder.ts";

/** One database with the engine's sample data: every type of value that the engine has, and hostile names. */
export interface ContractDatabase extends AsyncDisposable {
  connect(context: StoreContext): Store;
  /** Adds one record, changes one, removes one: counts stay, contents do not. The collection that it touches. */
  change(): Promise<string>;
  /** Takes the database away altogether, as a lost disk does. */
  lose(): Promise<void>;
}

export interface ContractEngine {
  readonly kind: string;
  /** For `decode`, which needs no database. */
  readonly adaptor: Pick<StoreKind<never>, "decode">;
  /** Equal data gives equal dump bytes (law 1); false for native dumps, which are compared by their digests. */
  readonly logicalDump: boolean;
  /** A database of this engine cannot be missing, only empty (Neo4j's Community Edition has always one). */
  readonly lostIsEmpty?: true;
  create(): Promise<ContractDatabase>;
  /** A place that does not exist yet, and how to open it as a store once a restore has made it. */
  emptyTarget(folder: string): Promise<{ readonly target: string; connect(context: StoreContext): Store }>;
}

export function storeContract(engine: ContractEngine): void {
  describe(`store contract: ${engine.kind}`, () => {
    let folder: string;
    let database: ContractDatabase;
    let contexts = 0;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "memkeep-contract-"));
      database = await engine.create();
    });
    afterAll(async () => {
      await database[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    });

    async function context(signal = new AbortController().signal): Promise<StoreContext> {
      const spoolFolder = await mkdtemp(join(folder, `spool-${++contexts}-`));
      return { name: "memory", clock: systemClock, observer: silentObserver, spoolFolder, signal };
    }
    async function connect(from: Pick<ContractDatabase, "connect"> = database): Promise<Store> {
      return from.connect(await context());
    }
    async function dumped(store: Store): Promise<TakenDump> {
      return takeDump(store, join(await mkdtemp(join(folder, "dump-")), store.name));
    }
    async function restored(...all: Parameters<typeof restoredAs>): Promise<readonly CollectionFacts[]> {
      return (await restoredAs(...all)).facts;
    }
    /** With the facts that the restoration itself expects: where it says nothing, those of the manifest. */
    async function restoredAs(
      source: DumpSource,
      options: RestoreOptions,
      store: Store,
    ): Promise<{
      readonly facts: readonly CollectionFacts[];
      readonly expected: readonly CollectionFacts[];
    }> {
      const plan = await store.planRestore(source, options);
      await using restoration = await store.stage(plan, source, options);
      const expected = restoration.expected ?? source.manifest.collections;
      if (restoration.comparable === "before-switch") {
        const facts = await restoration.facts();
        await restoration.switch();
        await restoration.keep();
        return { facts, expected };
      }
      await restoration.switch();
      const facts = await restoration.facts();
      await restoration.keep();
      return { facts, expected };
    }

    it("describes itself with one identity on every connection", async () => {
      await using one = await connect();
      await using two = await connect();
      const [first, second] = [await one.describe(), await two.describe()];
      expect(first.identity).toBe(second.identity);
      expect(first.engine.version).not.toBe("");
    });

    it("law 1: a dump of the restored dump equals the dump", async () => {
      await using store = await connect();
      const first = await dumped(store);
      const target = await engine.emptyTarget(await mkdtemp(join(folder, "target-")));
      const options: RestoreOptions = { target: { kind: "into", target: target.target }, force: false };
      const facts = await restored(first.dump.source(first.manifest), options, store);
      expect(facts).toEqual(first.manifest.collections);
      await using copy = await connect(target);
      const second = await dumped(copy);
      expect(second.manifest.collections).toEqual(first.manifest.collections);
      expect(second.manifest.settings).toEqual(first.manifest.settings);
      if (engine.logicalDump) expect(await second.dump.contents()).toEqual(await first.dump.contents());
    });

    it("law 1: two dumps of unchanged data are equal, and decode gives their facts", async () => {
      await using store = await connect();
      const [first, second] = [await dumped(store), await dumped(store)];
      expect(second.manifest.collections).toEqual(first.manifest.collections);
      if (engine.logicalDump) expect(await second.dump.contents()).toEqual(await first.dump.contents());
      expect(await engine.adaptor.decode(first.dump.source(first.manifest), await context())).toEqual(
        first.manifest.collections,
      );
    });

    it("law 3: counts of the view are those of the dump", async () => {
      await using store = await connect();
      await using view = await store.open();
      const counts = await view.collections();
      const facts = await view.dump(new DumpFolder(await mkdtemp(join(folder, "counts-")), store.name));
      const dumpedCounts = new Map(facts.collections.map(({ name, records }) => [name, records]));
      for (const { name, records } of counts) expect(dumpedCounts.get(name), name).toBe(records);
      expect(counts.length).toBeGreaterThan(0);
    });

    it("gives all keys in their order, once each, and the records that they name", async () => {
      await using store = await connect();
      await using view = await store.open();
      for (const { name, records } of await view.collections()) {
        const keys: Uint8Array[] = [];
        const stream = view.keys(name);
        for await (const batch of stream) for (const { key } of batch) keys.push(key);
        expect(keys.length, name).toBe(records);
        if (stream.ordered)
          expect(
            keys.toSorted((a, b) => Buffer.compare(a, b)),
            name,
          ).toEqual(keys);
        const wanted = keys.slice(0, 50);
        const found = new Set<string>();
        for await (const record of view.records(name, wanted))
          found.add(Buffer.from(record.key).toString("hex"));
        expect(found, name).toEqual(new Set(wanted.map((key) => Buffer.from(key).toString("hex"))));
        const nothing = [];
        for await (const record of view.records(name, [Buffer.from("no such key")])) nothing.push(record);
        expect(nothing, name).toEqual([]);
      }
    });

    it("writes records that another copy lacks or has otherwise, and deletes nothing", async () => {
      await using whole = await connect();
      await using own = await engine.create();
      await using harmed = await connect(own);
      const collection = await own.change();
      await using view = await whole.open();
      const wanted = await keysOf(view, collection);
      const before = await harmedKeys();
      const written = await harmed.write(
        collection,
        view.records(
          collection,
          wanted.map(({ key }) => key),
        ),
      );
      expect(written.inserted).toBeGreaterThan(0);
      expect(written.updated).toBeGreaterThan(0);
      expect(written.inserted + written.updated + written.unchanged).toBe(wanted.length);
      const after = new Map((await harmedKeys()).map(({ key, digest }) => [hex(key), hex(digest)]));
      for (const { key, digest } of wanted) expect(after.get(hex(key))).toBe(hex(digest));
      for (const { key } of before) expect(after.has(hex(key))).toBe(true);
      const again = await harmed.write(
        collection,
        view.records(
          collection,
          wanted.map(({ key }) => key),
        ),
      );
      expect(again).toEqual({ inserted: 0, updated: 0, unchanged: wanted.length });

      async function harmedKeys(): Promise<KeyDigest[]> {
        await using live = await harmed.open();
        return await keysOf(live, collection);
      }
    });

    it("a merge deletes nothing and gives the dump's records, or is refused before anything is read", async () => {
      await using own = await engine.create();
      await using store = await connect(own);
      const taken = await dumped(store);
      const source = taken.dump.source(taken.manifest);
      const collection = await own.change();
      const before = await keysNow();
      const options: RestoreOptions = { target: { kind: "in-place" }, force: false, mode: "merge" };
      const plan = await store.planRestore(source, options).catch((error: unknown) => {
        if (!isMemkeepError(error, "STORE_UNSUPPORTED")) throw error;
        return undefined;
      });
      if (plan) {
        const { facts, expected } = await restoredAs(source, options, store);
        expect(facts).toEqual(expected);
        expect(expected.map(({ name }) => name)).toContain(collection);
        const after = new Set(await keysNow());
        for (const key of before) expect(after.has(key)).toBe(true);
        const { records } = taken.manifest.collections.find(({ name }) => name === collection)!;
        // The change has added a record that the dump does not have.
        expect(after.size).toBe(records + 1);
        const planned = plan.changes.find((change) => change.collection === collection);
        expect(planned).toMatchObject({ recordsNow: before.length, recordsThen: records + 1 });
      } else {
        expect(await keysNow()).toEqual(before);
      }

      async function keysNow(): Promise<string[]> {
        await using view = await store.open();
        return (await keysOf(view, collection)).map(({ key }) => hex(key));
      }
    });

    it("restores a part, or refuses it as wrong usage before anything is read", async () => {
      await using store = await connect();
      const taken = await dumped(store);
      const source = taken.dump.source(taken.manifest);
      const { name } = taken.manifest.collections[0]!;
      const inPlace: RestoreOptions = { target: { kind: "in-place" }, force: true };
      for (const part of [{ only: { collections: [name] } }, { globals: true }, { discardOld: true }]) {
        const refusal = await store.planRestore(source, { ...inPlace, ...part }).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (refusal !== undefined) expect(refusal).toMatchObject({ code: "USAGE" });
      }
    });

    it("law 2: any change changes the digest of the collection, and of no other", async () => {
      await using own = await engine.create();
      await using store = await connect(own);
      const before = await dumped(store);
      const changed = await own.change();
      const after = await dumped(store);
      const digests = (taken: TakenDump): Map<string, string> =>
        new Map(taken.manifest.collections.map(({ name, contentDigest }) => [name, contentDigest]));
      expect(digests(after).get(changed)).not.toBe(digests(before).get(changed));
    });

    it("a view stands still while others write, where it says that it is a snapshot", async () => {
      await using own = await engine.create();
      await using store = await connect(own);
      const before = await dumped(store);
      await using view = await store.open();
      if (view.consistency !== "snapshot") return;
      await own.change();
      const facts = await view.dump(new DumpFolder(await mkdtemp(join(folder, "still-")), store.name));
      expect(facts.collections).toEqual(before.manifest.collections);
    });

    it("law 5: planning and staging change nothing, and a roll-back brings the old data back", async () => {
      await using own = await engine.create();
      await using store = await connect(own);
      const old = await dumped(store);
      await own.change();
      const now = await dumped(store);
      const source = old.dump.source(old.manifest);
      const options: RestoreOptions = { target: { kind: "in-place" }, force: false };
      const plan = await store.planRestore(source, options);
      expect(plan.replacesData).toBe(true);
      {
        await using restoration = await store.stage(plan, source, options);
        expect((await dumped(store)).manifest.collections).toEqual(now.manifest.collections);
        await restoration.switch();
        expect((await dumped(store)).manifest.collections).toEqual(old.manifest.collections);
        await restoration.rollBack();
      }
      expect((await dumped(store)).manifest.collections).toEqual(now.manifest.collections);
    });

    it("law 5: a plan made before the data changed is refused", async () => {
      await using own = await engine.create();
      await using store = await connect(own);
      const taken = await dumped(store);
      const source = taken.dump.source(taken.manifest);
      const options: RestoreOptions = { target: { kind: "in-place" }, force: false };
      const plan = await store.planRestore(source, options);
      await own.change();
      await expect(store.stage(plan, source, options)).rejects.toMatchObject({ code: "PLAN_STALE" });
    });

    it("restores in place, also where the database is lost, and only then counts it as kept", async () => {
      await using own = await engine.create();
      await using store = await connect(own);
      const taken = await dumped(store);
      const source = taken.dump.source(taken.manifest);
      const options: RestoreOptions = { target: { kind: "in-place" }, force: false };
      await own.change();
      expect(await restored(source, options, store)).toEqual(taken.manifest.collections);
      expect((await dumped(store)).manifest.collections).toEqual(taken.manifest.collections);
      await own.lose();
      if (engine.lostIsEmpty) {
        await using view = await store.open();
        expect(await view.collections()).toEqual([]);
      } else {
        await expect(store.open()).rejects.toMatchObject({
          code: expect.stringMatching(/^STORE_/) as string,
        });
      }
      await restored(source, options, store);
      expect((await dumped(store)).manifest.collections).toEqual(taken.manifest.collections);
    });

    it("a drill restores into scratch and leaves nothing there", async () => {
      await using store = await connect();
      const taken = await dumped(store);
      const source = taken.dump.source(taken.manifest);
      const own = await context();
      await using scratchStore = database.connect(own);
      const options: RestoreOptions = { target: { kind: "scratch" }, force: false };
      const plan = await scratchStore.planRestore(source, options);
      {
        await using restoration = await scratchStore.stage(plan, source, options);
        if (restoration.comparable === "after-switch") await restoration.switch();
        expect(await restoration.facts()).toEqual(taken.manifest.collections);
      }
      expect(await readdir(own.spoolFolder)).toEqual([]);
    });

    it("W-M4: refuses a dump with a damaged byte before it touches anything", async () => {
      await using own = await engine.create();
      await using store = await connect(own);
      const taken = await dumped(store);
      const good = taken.dump.source(taken.manifest);
      const damaged: DumpSource = {
        manifest: good.manifest,
        async *read(name, range) {
          for await (const chunk of good.read(name, range)) {
            const changed = Buffer.from(chunk);
            changed[changed.length >> 1]! ^= 1;
            yield changed;
          }
        },
      };
      const options: RestoreOptions = { target: { kind: "in-place" }, force: false };
      const plan = await store.planRestore(damaged, options);
      await expect(store.stage(plan, damaged, options)).rejects.toThrow();
      expect((await dumped(store)).manifest.collections).toEqual(taken.manifest.collections);
    });

    it("law 4: a sink that fails makes the dump fail", async () => {
      await using store = await connect();
      await using view = await store.open();
      const failing = { file: () => Promise.reject(new Error("the repository is full")) };
      await expect(view.dump(failing)).rejects.toThrow("the repository is full");
    });

    it("stops when the run is interrupted, and leaves the spool folder to the engine", async () => {
      const interrupt = new AbortController();
      await using store = database.connect(await context(interrupt.signal));
      await using view = await store.open();
      interrupt.abort(new Error("interrupted"));
      const sink = new DumpFolder(await mkdtemp(join(folder, "interrupted-")), store.name);
      await expect(view.dump(sink)).rejects.toThrow();
    });

    it("law 7, W-M12: probes answer for a store that is there, and for one that is not", async () => {
      await using own = await engine.create();
      await using store = await connect(own);
      const well = await store.probe();
      expect(well.filter(({ status }) => status === "critical")).toEqual([]);
      await own.lose();
      const lost = await store.probe();
      const alarming = engine.lostIsEmpty ? ["warning", "critical"] : ["critical", "unknown"];
      expect(lost.some(({ status }) => alarming.includes(status))).toBe(true);
    });
  });
}

async function keysOf(view: View, collection: string): Promise<KeyDigest[]> {
  const found: KeyDigest[] = [];
  for await (const batch of view.keys(collection)) found.push(...batch);
  return found;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
