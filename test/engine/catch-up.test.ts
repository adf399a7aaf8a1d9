/** Repositories that lag are brought up to date; one that fails in the middle stops no other. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentObserver } from "../../src/domain/observer.ts";
import { type CatchUp, catchUp, planCatchUp } from "../../src/engine/copy/catch-up.ts";
import type { StackRepository, Surroundings } from "../../src/engine/stack.ts";
import { FaultyStorage } from "../../src/storages/decorators/faults.ts";
import type { Storage } from "../../src/storages/storage.ts";
import { seededBytes } from "../repository/random-bytes.ts";
import { backup, type Content, makeWorld, restore, type World } from "../repository/world.ts";

const dayMs = 86_400_000;
const startMs = Date.UTC(2026, 10, 20);
const signal = new AbortController().signal;
const worlds: Record<"near" | "far" | "third", World> = {} as never;

function content(day: number): Content {
  return { "store/a.jsonl": seededBytes(day, 60_000) };
}

beforeEach(async () => {
  worlds.near = await makeWorld();
  for (const name of ["far", "third"] as const) {
    worlds[name] = await makeWorld(undefined, undefined, worlds.near.process().config.polynomial);
  }
  for (let day = 0; day < 4; day++) {
    await backup(worlds.near.process(), content(day), { timeMs: startMs + day * dayMs });
  }
});
afterEach(async () => {
  for (const world of Object.values(worlds)) await world[Symbol.asyncDispose]();
});

function named(name: keyof typeof worlds, wrap?: (storage: Storage) => Storage): StackRepository {
  return {
    name,
    localPath: undefined,
    open: () => Promise.resolve(worlds[name].process(wrap)),
    inspect: () => Promise.resolve(undefined),
  };
}

function run(
  repositories: readonly StackRepository[],
  keep?: { readonly last: number },
): Promise<readonly CatchUp[]> {
  const surroundings: Surroundings = {
    clock: worlds.near.clock,
    observer: silentObserver,
    signal,
    spoolRoot: worlds.near.folder,
    program: "memkeep test",
    hostname: "here",
  };
  return catchUp(repositories, { stack: "stack", keep, stallLimitMs: 60_000 }, surroundings);
}

async function timesIn(name: keyof typeof worlds): Promise<number[]> {
  const snapshots = await worlds[name].process().snapshots();
  return snapshots.map(({ timeMs }) => (timeMs - startMs) / dayMs).toReversed();
}

test("what each lacks comes from whichever has it; a second time there is nothing to tell", async () => {
  await backup(worlds.third.process(), content(9), { timeMs: startMs + 9 * dayMs });
  const done = await run([named("near"), named("far"), named("third")]);
  expect(done.map(({ repository, from, copied }) => [repository, from, copied?.copied.length])).toEqual([
    ["near", "third", 1],
    ["far", "near", 5],
    ["third", "near", 4],
  ]);
  for (const name of ["near", "far", "third"] as const) {
    expect(await timesIn(name)).toEqual([0, 1, 2, 3, 9]);
  }
  const reader = worlds.far.process();
  const [newest] = await reader.snapshots();
  expect(await restore(await reader.open(newest!.id))).toEqual(content(9));
  expect(await run([named("near"), named("far"), named("third")])).toEqual([]);
});

test("what the target's own retention would forget at once is passed over", async () => {
  const done = await run([named("near"), named("far")], { last: 2 });
  expect(done).toMatchObject([{ repository: "far", passedOver: 2, copied: { copied: [{}, {}] } }]);
  expect(await timesIn("far")).toEqual([2, 3]);
  expect(await run([named("near"), named("far")], { last: 2 })).toEqual([]);
});

test("an old snapshot that fills no gap of the rules is not copied, one that does is", async () => {
  const from = await worlds.near.process().snapshots();
  const to = from.slice(0, 2);
  const facts = { nowMs: startMs + 5 * dayMs, from, to, proofs: [] };
  const plan = planCatchUp(facts, { stack: "stack", keep: { last: 1, daily: 3 } });
  expect(plan).toEqual({ copy: [from[2]!.id], passedOver: 1 });
});

test("law 8: a target that fails in the middle is told and stops no other; the next time it is whole", async () => {
  const failing = (storage: Storage): Storage =>
    new FaultyStorage(storage, [{ kind: "stop", at: 2, on: "write" }]);
  const done = await run([named("near"), named("far", failing), named("third")]);
  expect(done).toMatchObject([
    { repository: "far", from: "near", copied: undefined, error: expect.any(String) },
    // A source that is dead gives nothing either.
    { repository: "third", from: "near", copied: { copied: [{}, {}, {}, {}] }, error: undefined },
  ]);
  expect(await timesIn("far")).toEqual([]);
  await run([named("near"), named("far"), named("third")]);
  expect(await timesIn("far")).toEqual([0, 1, 2, 3]);
  const { findings } = await worlds.far.process().check({ data: true, signal });
  expect(findings).toEqual([]);
});

test("law 8: one that does not open is told, the others are brought up to date", async () => {
  const closed: StackRepository = { ...named("far"), open: () => Promise.reject(new Error("away")) };
  const done = await run([named("near"), closed, named("third")]);
  expect(done).toMatchObject([
    { repository: "far", from: undefined, error: "away" },
    { repository: "third", copied: { copied: [{}, {}, {}, {}] } },
  ]);
});
