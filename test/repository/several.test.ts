/**
 * One snapshot into several repositories: whatever happens in one of them, at whichever of its operations, the others
 * have the snapshot whole, and the one that failed says so and is sound.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { WriteOutcome } from "../../src/repository/repository.ts";
import { beginSnapshot } from "../../src/repository/restic/begin-snapshot.ts";
import { encodeLock } from "../../src/repository/restic/lock/lock-file.ts";
import type { ResticRepository } from "../../src/repository/restic/restic-repository.ts";
import { FaultyStorage, type ScriptedFault } from "../../src/storages/decorators/faults.ts";
import { StallLimitedStorage } from "../../src/storages/decorators/stall-limit.ts";
import { PassThroughStorage } from "../../src/storages/decorators/pass-through.ts";
import type { Storage, StorageProperties } from "../../src/storages/storage.ts";
import { MemkeepError } from "../../src/domain/errors.ts";
import type { Clock } from "../../src/util/clock/clock.ts";
import { ManualClock } from "../../src/util/clock/manual-clock.ts";
import { program } from "../engines/require.ts";
import { seededBytes } from "./random-bytes.ts";
import { stockCheck } from "./stock.ts";
import { backup, type Content, makeWorld, pieces, restore, type World } from "./world.ts";

const signal = new AbortController().signal;
const restic = await program("restic-0.18.0");
const content: Content = {
  "store/a.jsonl": seededBytes(1, 400_000),
  "store/b.jsonl": seededBytes(2, 90_000),
};

let near: World;
let far: World;

beforeEach(async () => {
  near = await makeWorld();
  far = await makeWorld(undefined, undefined, near.process().config.polynomial);
});

afterEach(async () => {
  await near[Symbol.asyncDispose]();
  await far[Symbol.asyncDispose]();
});

async function backupToAll(
  repositories: readonly ResticRepository[],
  files: Content = content,
): Promise<readonly WriteOutcome[]> {
  const writer = await beginSnapshot(repositories, { stack: "stack", run: "test", tags: [] });
  try {
    for (const [path, bytes] of Object.entries(files)) await writer.save(path, "records", pieces(bytes));
    return await writer.commit(Date.UTC(2026, 10, 21), ["store"]);
  } finally {
    await writer.abandon();
  }
}

/** By comparing memory: the runner's own comparison of such buffers takes minutes. */
async function expectSame(world: World, id: string, files: Content): Promise<void> {
  const restored = await restore(await world.process().open(id));
  expect(Object.keys(restored)).toEqual(Object.keys(files));
  for (const [path, bytes] of Object.entries(files)) expect(restored[path]!.equals(bytes), path).toBe(true);
}

async function expectWhole(world: World, outcome: WriteOutcome | undefined, when: string): Promise<void> {
  expect(outcome, when).toMatchObject({ ok: true });
  if (!outcome?.ok) return;
  const reader = world.process();
  expect(await restore(await reader.open(outcome.snapshot.id)), when).toEqual(content);
  expect((await reader.check({ data: true, signal })).findings, when).toEqual([]);
  await reader.close();
}

test("repositories that share the polynomial store the same blobs and trees", async () => {
  const repositories = [near.process(), far.process()];
  const [one, two] = await backupToAll(repositories);
  await expectWhole(near, one, "near");
  await expectWhole(far, two, "far");
  expect(await blobsOf(near)).toEqual(await blobsOf(far));
});

test("one with another polynomial is cut a second time, and every one is whole", async () => {
  await using other = await makeWorld();
  const outcomes = await backupToAll([near.process(), other.process(), far.process()]);
  await expectWhole(near, outcomes[0], "near");
  await expectWhole(other, outcomes[1], "other");
  await expectWhole(far, outcomes[2], "far");
  expect(await blobsOf(near)).not.toEqual(await blobsOf(other));
  expect(await blobsOf(near)).toEqual(await blobsOf(far));
  const again = await backupToAll([other.process(), near.process()]);
  for (const outcome of again) expect(outcome).toMatchObject({ ok: true, snapshot: { addedBytes: 0 } });
});

test("more repositories than a chunk has bits for", async () => {
  const { polynomial } = near.process().config;
  const worlds = await Promise.all(
    Array.from({ length: 8 }, () => makeWorld(undefined, undefined, polynomial)),
  );
  try {
    const all = [near, far, ...worlds];
    const outcomes = await backupToAll(all.map((world) => world.process()));
    for (const [number, world] of all.entries()) await expectWhole(world, outcomes[number], `${number}`);
  } finally {
    for (const world of worlds) await world[Symbol.asyncDispose]();
  }
});

test("a file larger than what is under way at once goes through both lanes", async () => {
  await using other = await makeWorld();
  const large = { "store/a.jsonl": seededBytes(3, 20_000_000) };
  const [one, two] = await backupToAll([near.process(), other.process()], large);
  for (const [world, outcome] of [
    [near, one],
    [other, two],
  ] as const) {
    if (!outcome?.ok) throw outcome?.error ?? new Error("no outcome");
    await expectSame(world, outcome.snapshot.id, large);
  }
});

test("one that is locked does not stop the others", async () => {
  await lockFromElsewhere(far);
  const [one, two] = await backupToAll([near.process(), far.process()]);
  await expectWhole(near, one, "near");
  expect(two).toMatchObject({ ok: false, error: { code: "REPOSITORY_LOCKED" } });
});

test("when none is left the run fails, and says of each why", async () => {
  await lockFromElsewhere(far);
  const full = new MemkeepError("STORAGE_FULL", { tried: "write", happened: "the disk is full" });
  const broken = near.process(
    (storage) => new FaultyStorage(storage, [{ kind: "fail", error: full, at: 1, on: "write" }]),
  );
  const refused = backupToAll([broken, far.process()]);
  await expect(refused).rejects.toThrow(/no room left, not even for a lock.*held it for itself/s);
  await expect(refused).rejects.toMatchObject({
    details: { repositories: [{ repository: near.path }, { repository: far.path }] },
  });
});

test("one that is full in the middle is told, and the last one failing fails the run", async () => {
  const full = new MemkeepError("STORAGE_FULL", { tried: "write", happened: "the disk is full" });
  const fault: ScriptedFault = { kind: "fail", error: full, at: 2, on: "write" };
  const broken = (world: World): ResticRepository =>
    world.process((storage) => new FaultyStorage(storage, [fault]));
  const large = { "store/a.jsonl": seededBytes(4, 20_000_000) };
  const [one, two] = await backupToAll([broken(near), far.process()], large);
  expect(one).toMatchObject({ ok: false, error: { code: "STORAGE_FULL" } });
  expect(two).toMatchObject({ ok: true });
  // Told while the file is saved or when it is committed, whichever comes first.
  const none = await backupToAll([broken(near), broken(far)], {
    "store/a.jsonl": seededBytes(5, 20_000_000),
  }).catch((error: unknown) => [{ ok: false, error }]);
  for (const outcome of none) expect(outcome).toMatchObject({ ok: false, error: { code: "STORAGE_FULL" } });
});

for (const [name, makeFault] of [
  ["is stopped for ever", (at: number): ScriptedFault => ({ kind: "stop", at })],
  ["fails", (at: number): ScriptedFault => ({ kind: "fail", at, after: at % 2 === 0 })],
] as const) {
  describe.skipIf(restic.missing)(`a repository that ${name} at any operation`, () => {
    for (const place of name === "fails" ? [1] : [0, 1]) {
      test(`laws 4 and 8: as ${place === 0 ? "first" : "second"}, it does not stop the other`, async () => {
        // Something is there already, so that a parent, an index and a listing are read.
        await backup(near.process(), { "store/a.jsonl": content["store/a.jsonl"]!.subarray(0, 200_000) });
        await backup(far.process(), { "store/b.jsonl": seededBytes(9, 50_000) });
        const counted = new FaultyStorage(far.process().storage);
        await backupToAll(
          placed(
            near.process(),
            far.process(() => counted),
            place,
          ),
        );
        const count = counted.history.length;
        expect(count).toBeGreaterThan(10);
        for (let at = 1; at <= count + 2; at++) {
          const faulty = new FaultyStorage(far.process().storage, [makeFault(at)]);
          const changed = { ...content, "store/c.jsonl": seededBytes(100 + at, 30_000) };
          const outcomes = await backupToAll(
            placed(
              near.process(),
              far.process(() => faulty),
              place,
            ),
            changed,
          );
          const when = `at ${at} of ${count}: ${faulty.history[at - 1]}`;
          const well = outcomes[1 - place]!;
          if (!well.ok) throw new Error(`the other failed too ${when}`, { cause: well.error });
          expect(await restore(await near.process().open(well.snapshot.id)), when).toEqual(changed);
          const broken = outcomes[place]!;
          const next = far.process();
          // What is said to be there is there, and nothing is broken.
          if (broken.ok) expect(await restore(await next.open(broken.snapshot.id)), when).toEqual(changed);
          expect((await next.check({ data: true, signal })).findings, when).toEqual([]);
          if (at % 5 === 0) await stockCheck(restic.path, far.path);
          await next.unlock(true);
        }
      }, 1_200_000);
    }
  });
}

describe("a repository that stalls", () => {
  test("at any operation, it is given up once and the other has the snapshot", async () => {
    const counted = new FaultyStorage(far.process().storage);
    await backupToAll([near.process(), far.process(() => counted)]);
    for (let at = 1; at <= counted.history.length; at++) {
      const clock = new TurningClock();
      const stalled = far.process((storage) => stalling(storage, at, clock));
      const changed = { ...content, "store/c.jsonl": seededBytes(100 + at, 30_000) };
      const [one, two] = await backupToAll([near.process(), stalled], changed);
      if (!one?.ok) throw new Error(`the other failed too at ${at}`, { cause: one?.error });
      expect(await restore(await near.process().open(one.snapshot.id))).toEqual(changed);
      if (two?.ok) expect(two.trouble).toMatchObject({ code: "STORAGE_STALLED" });
      else expect(two?.error).toMatchObject({ code: "STORAGE_STALLED" });
      await stalled.close();
      await far.process().unlock(true);
    }
  }, 600_000);

  test("the other goes on beyond what is buffered", async () => {
    const clock = new TurningClock();
    const large = { "store/a.jsonl": seededBytes(7, 60_000_000) };
    const stalled = far.process((storage) => {
      const writes = new FaultyStorage(
        storage,
        [{ kind: "delay", delayMs: Number.MAX_SAFE_INTEGER, at: 2, on: "write" }],
        clock,
      );
      return new StallLimitedStorage(writes, { limitMs: 60_000, clock });
    });
    const [one, two] = await backupToAll([near.process(), stalled], large);
    expect(two).toMatchObject({ ok: false, error: { code: "STORAGE_STALLED" } });
    if (!one?.ok) throw new Error("the other failed too", { cause: one?.error });
    await expectSame(near, one.snapshot.id, large);
  });
});

describe("a repository far away", () => {
  test("one that makes the others wait beyond the limit is given up, and what arrived there is not sent again", async () => {
    const clock = new AskedClock();
    await using slow = await makeWorld(clock, undefined, near.process().config.polynomial);
    const large = { "store/a.jsonl": seededBytes(9, 50_000_000) };
    /** Its first pack arrives once somebody waits for it. */
    class Slow extends PassThroughStorage {
      #packs = 0;

      override async write(...[name, ...rest]: Parameters<Storage["write"]>): Promise<void> {
        if (name.startsWith("data/") && this.#packs++ === 0) await clock.asked();
        await this.inner.write(name, ...rest);
      }
    }
    async function run(second: ResticRepository, holdLimitMs: number): Promise<readonly WriteOutcome[]> {
      const repositories = [near.process(), second];
      const options = { stack: "stack", run: "test", tags: [], holdLimitMs };
      const writer = await beginSnapshot(repositories, options);
      try {
        for (const [path, bytes] of Object.entries(large)) await writer.save(path, "records", pieces(bytes));
        return await writer.commit(Date.UTC(2026, 10, 21), ["store"]);
      } finally {
        await writer.abandon();
      }
    }

    const [one, two] = await run(
      slow.process((storage) => new Slow(storage)),
      AskedClock.stepMs / 2,
    );
    if (!one?.ok) throw new Error("the other failed too", { cause: one?.error });
    await expectSame(near, one.snapshot.id, large);
    expect(two).toMatchObject({
      ok: false,
      error: { code: "STORAGE_STALLED", message: expect.stringContaining("backup.holdLimit") as string },
    });

    // Then it is written, without the packs that had arrived.
    const [, again] = await run(slow.process(), Number.POSITIVE_INFINITY);
    if (!again?.ok) throw new Error("it failed the second time", { cause: again?.error });
    expect(again.snapshot.addedBytes).toBeLessThan(36_000_000);
    await expectSame(slow, again.snapshot.id, large);
  });

  test("has several packs under way, as many as its storage says, and the other goes on while none of them arrives", async () => {
    const large = { "store/a.jsonl": seededBytes(8, 50_000_000) };
    const storedNear: string[] = [];
    const lower = Promise.withResolvers<void>();
    let underWay = 0;
    let mostUnderWay = 0;
    let storedFar = 0;
    // Whoever waits for the far one before three of its packs are under way, or before the near one has two, waits for ever.
    const arrive = (): void => {
      if (underWay === 3 && storedNear.length >= 2) lower.resolve();
    };
    class Far extends PassThroughStorage {
      override get properties(): StorageProperties {
        return { ...this.inner.properties, uploads: 3 };
      }

      override async write(...[name, ...rest]: Parameters<Storage["write"]>): Promise<void> {
        if (name.startsWith("data/")) {
          mostUnderWay = Math.max(mostUnderWay, ++underWay);
          arrive();
          await lower.promise;
          storedFar++;
        }
        await this.inner.write(name, ...rest);
        if (name.startsWith("data/")) underWay--;
      }
    }
    class Near extends PassThroughStorage {
      override async write(...[name, ...rest]: Parameters<Storage["write"]>): Promise<void> {
        await this.inner.write(name, ...rest);
        if (!name.startsWith("data/")) return;
        storedNear.push(name);
        if (storedNear.length === 2) expect(storedFar).toBe(0);
        arrive();
      }
    }
    const outcomes = await backupToAll(
      [near.process((storage) => new Near(storage)), far.process((storage) => new Far(storage))],
      large,
    );

    expect(mostUnderWay).toBe(3);
    for (const [number, world] of [near, far].entries()) {
      const outcome = outcomes[number]!;
      if (!outcome.ok) throw new Error("it failed", { cause: outcome.error });
      await expectSame(world, outcome.snapshot.id, large);
    }
  });
});

function stalling(storage: Storage, at: number, clock: Clock): Storage {
  const faulty = new FaultyStorage(storage, [{ kind: "delay", delayMs: Number.MAX_SAFE_INTEGER, at }], clock);
  return new StallLimitedStorage(faulty, { limitMs: 60_000, clock });
}

/** Goes on by a step each time that somebody measures, and says when. */
class AskedClock extends ManualClock {
  static readonly stepMs = 60_000;
  #steps = 0;
  #asked = Promise.withResolvers<void>();

  constructor() {
    super({ skipSleeps: true });
  }

  /** Resolves the next time that somebody measures. */
  asked(): Promise<void> {
    this.#asked = Promise.withResolvers<void>();
    return this.#asked.promise;
  }

  override monotonicMs(): number {
    this.#asked.resolve();
    return super.monotonicMs() + this.#steps++ * AskedClock.stepMs;
  }
}

/** Moves a minute on whenever somebody is about to sleep without an end in sight. */
class TurningClock extends ManualClock {
  override sleep(ms: number, abort?: AbortSignal): Promise<void> {
    if (ms === Number.MAX_SAFE_INTEGER) setImmediate(() => this.advance(60_000));
    return super.sleep(ms, abort);
  }
}

function placed(
  well: ResticRepository,
  broken: ResticRepository,
  place: number,
): readonly ResticRepository[] {
  return place === 0 ? [broken, well] : [well, broken];
}

async function lockFromElsewhere(world: World): Promise<void> {
  const owner = { hostname: "elsewhere", username: "root", pid: 1, uid: 0, gid: 0 };
  await world.process().objects.save("locks", encodeLock(owner, true, world.clock.now()));
}

async function blobsOf(world: World): Promise<string[]> {
  const { index } = await world.process().index();
  const ids = Array.from({ length: index.size }, (_, entry) => index.id(entry).toString("hex"));
  return [...new Set(ids)].sort();
}
