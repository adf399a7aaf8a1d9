/** Forget, prune and check where they meet each other, other writers and damage. */
import { cp, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CheckReport, Proof } from "../../src/repository/repository.ts";
import { beginSnapshot } from "../../src/repository/restic/begin-snapshot.ts";
import { packName } from "../../src/repository/restic/pack/pack-name.ts";
import type { ResticRepository } from "../../src/repository/restic/restic-repository.ts";
import { PassThroughStorage } from "../../src/storages/decorators/pass-through.ts";
import type { ByteRange, Storage } from "../../src/storages/storage.ts";
import { seededBytes } from "./random-bytes.ts";
import { backup, type Content, makeWorld, restore, type World } from "./world.ts";

const everything = { maxUnused: 0, maxRepackBytes: undefined };
const half = seededBytes(1, 200_000);
const first: Content = { "a.jsonl": Buffer.concat([half, seededBytes(2, 200_000)]) };
const second: Content = { "a.jsonl": half, "b.jsonl": seededBytes(3, 50_000) };

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

function check(repository: ResticRepository): Promise<CheckReport> {
  return repository.check({ data: true, signal: new AbortController().signal });
}

function proofOf(snapshot: string): Proof {
  const at = new Date(world.clock.now()).toISOString();
  return { snapshot, level: "stored", ok: true, at, program: "test", durationMs: 1, stores: [] };
}

async function packFiles(): Promise<string[]> {
  const entries = await readdir(join(world.path, "data"), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort();
}

describe("forget", () => {
  test("takes the proofs of what it removes, and those of what others removed, and no others", async () => {
    const repository = world.process();
    const [one, two] = [await backup(repository, first), await backup(repository, second)];
    for (const id of [one.id, two.id, "f".repeat(64)]) await repository.addProof(proofOf(id));
    await repository.forget([one.id]);
    expect((await repository.snapshots()).map(({ id }) => id)).toEqual([two.id]);
    expect((await repository.proofs()).map(({ snapshot }) => snapshot)).toEqual([two.id]);
  });

  test("removes nothing when one of the snapshots is not there", async () => {
    const repository = world.process();
    const { id } = await backup(repository, first);
    await expect(repository.forget([id, "f".repeat(64)])).rejects.toMatchObject({
      code: "SNAPSHOT_NOT_FOUND",
    });
    expect(await repository.snapshots()).toHaveLength(1);
  });

  test("a damaged snapshot hides no other, stops a prune, and can be forgotten", async () => {
    const repository = world.process();
    const [one, two] = [await backup(repository, first), await backup(repository, second)];
    await writeFile(join(world.path, "snapshots", one.id), "junk");
    await expect(repository.snapshots()).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
    const told: string[] = [];
    expect((await repository.snapshots((id) => told.push(id))).map(({ id }) => id)).toEqual([two.id]);
    expect(told).toEqual([one.id]);
    const before = await packFiles();
    await expect(repository.prune(everything)).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
    expect(await packFiles()).toEqual(before);
    await repository.forget([one.id]);
    await repository.prune(everything);
    expect((await check(repository)).findings).toEqual([]);
  });
});

describe("prune", () => {
  test("does what its plan said, within the limits it was given", async () => {
    const repository = world.process();
    const { id } = await backup(repository, first);
    await backup(repository, second);
    await repository.forget([id]);
    const before = await packFiles();

    expect(await repository.planPrune({ maxUnused: 1, maxRepackBytes: undefined })).toMatchObject({
      repackPacks: 0,
    });
    const wholeOnly = { maxUnused: 0, maxRepackBytes: 0 };
    const plan = await repository.planPrune(wholeOnly);
    expect(plan).toMatchObject({ repackPacks: 0, removePacks: 1 });
    expect(await repository.prune(wholeOnly)).toEqual(plan);
    const after = await packFiles();
    expect(before).toEqual(expect.arrayContaining(after));
    expect(after.length).toBe(before.length - 1);

    const rest = await repository.planPrune(everything);
    expect(rest).toMatchObject({ repackPacks: 1, unusedBytesAfter: 0 });
    expect(await repository.prune(everything)).toEqual(rest);
    expect(await repository.planPrune(everything)).toMatchObject({ repackPacks: 0, removePacks: 0 });
  });

  test("law 4: removes nothing when a pack that is needed is missing", async () => {
    const repository = world.process();
    const { id } = await backup(repository, first);
    await backup(repository, second);
    await repository.forget([id]);
    const { index } = await repository.index();
    const needed = index.find(index.id(0), 0, index.type(0));
    await rm(join(world.path, packName(index.packId(index.packOf(needed)))));
    const before = await packFiles();
    await expect(repository.prune(everything)).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
    expect(await packFiles()).toEqual(before);
  });

  test("keeps one copy of what two writers stored at the same time", async () => {
    const writers = await Promise.all(
      ["mine", "yours"].map((stack) => beginSnapshot([world.process()], { stack, run: "test", tags: [] })),
    );
    for (const writer of writers) {
      await writer.save("a.jsonl", "records", one(half));
    }
    for (const writer of writers) await writer.commit(world.clock.now(), []);
    const repository = world.process();
    expect(copies((await repository.index()).index)).toBeGreaterThan(0);
    await repository.prune(everything);
    expect(copies((await repository.index()).index)).toBe(0);
    for (const { id } of await repository.snapshots()) {
      expect(await restore(await repository.open(id))).toEqual({ "a.jsonl": half });
    }
    expect((await check(repository)).findings).toEqual([]);
  });

  test("many small packs become one, and stay one", async () => {
    const repository = world.process();
    const contents = Array.from({ length: 12 }, (_, n) => ({ "a.jsonl": seededBytes(n, 30_000) }));
    const ids: string[] = [];
    for (const content of contents) ids.push((await backup(repository, content)).id);
    expect(await packFiles()).toHaveLength(24);
    await repository.prune(everything);
    expect(await packFiles()).toHaveLength(2);
    await repository.prune(everything);
    expect(await packFiles()).toHaveLength(2);
    for (const [number, id] of ids.entries()) {
      expect(await restore(await repository.open(id))).toEqual(contents[number]);
    }
  });
});

describe("check", () => {
  test("reports no damage that is none, whenever a forget and a prune come between", async () => {
    const repository = world.process();
    const { id } = await backup(repository, first);
    await backup(repository, second);
    await repository.close();
    await cp(world.path, `${world.path}-template`, { recursive: true });
    for (let at = 1, reached = true; reached; at++) {
      await rm(world.path, { recursive: true });
      await cp(`${world.path}-template`, world.path, { recursive: true });
      let interruption: Interruption | undefined;
      const checking = world.process((storage) => {
        interruption = new Interruption(storage, at, async () => {
          const other = world.process();
          await other.forget([id]);
          await other.prune(everything);
          await other.close();
        });
        return interruption;
      });
      expect((await check(checking)).findings, `before operation ${at}`).toEqual([]);
      await checking.close();
      reached = interruption!.reached;
    }
  }, 300_000);

  test("packs that an interrupted run left are a note, not damage", async () => {
    const writer = await beginSnapshot([world.process()], { stack: "mine", run: "test", tags: [] });
    await writer.save("a.jsonl", "records", one(half));
    await writer.commit(world.clock.now(), []);
    await rm(join(world.path, "snapshots"), { recursive: true });
    await rm(join(world.path, "index"), { recursive: true });
    const { findings, notes } = await check(world.process());
    expect(findings).toEqual([]);
    expect(notes).toEqual([expect.stringContaining("2 packs are in no index")]);
  });
});

/** Does something else before the read or listing of a certain number. */
class Interruption extends PassThroughStorage {
  reached = false;
  readonly #at: number;
  readonly #act: () => Promise<void>;
  #count = 0;

  constructor(inner: Storage, at: number, act: () => Promise<void>) {
    super(inner);
    this.#at = at;
    this.#act = act;
  }

  override async *list(prefix: string): ReturnType<Storage["list"]> {
    await this.#step();
    yield* this.inner.list(prefix);
  }

  override async read(name: string, range?: ByteRange, into?: Uint8Array): Promise<Buffer> {
    await this.#step();
    return this.inner.read(name, range, into);
  }

  async #step(): Promise<void> {
    if (++this.#count !== this.#at) return;
    this.reached = true;
    await this.#act();
  }
}

function copies(index: Awaited<ReturnType<ResticRepository["index"]>>["index"]): number {
  return Array.from({ length: index.size }, (_, entry) => index.copies(entry).length).filter(
    (count) => count > 1,
  ).length;
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
