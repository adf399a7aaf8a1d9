/** Snapshots copied from one repository into another: whole for stock restic, whatever happens on the way. */
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { beginSnapshot } from "../../src/repository/restic/begin-snapshot.ts";
import { packName } from "../../src/repository/restic/pack/pack-name.ts";
import { FaultyStorage } from "../../src/storages/decorators/faults.ts";
import { program } from "../engines/require.ts";
import { seededBytes } from "./random-bytes.ts";
import { stock, stockCheck } from "./stock.ts";
import { backup, type Content, makeWorld, password, pieces, restore, type World } from "./world.ts";

const stocks = [await program("restic-0.14.0"), await program("restic-0.18.0")];
const [, restic] = stocks;
const signal = new AbortController().signal;
const shared = seededBytes(1, 150_000);
const first: Content = { "store/a.jsonl": shared };
const second: Content = { "store/a.jsonl": shared, "store/b.jsonl": seededBytes(2, 90_000) };

let from: World;
let to: World;
let ids: string[];

beforeEach(async () => {
  from = await makeWorld();
  to = await makeWorld(undefined, undefined, from.process().config.polynomial);
  ids = [];
  for (const [number, content] of [first, second].entries()) {
    const timeMs = Date.UTC(2026, 10, 20 + number);
    ids.push((await backup(from.process(), content, { timeMs, tags: ["mine"] })).id);
  }
});
afterEach(async () => {
  await from[Symbol.asyncDispose]();
  await to[Symbol.asyncDispose]();
});

test("time, tags, host and paths stay, the original is named, the parent goes; a second copy sends nothing", async () => {
  const result = await to.process().copyFrom(from.process(), ids);
  expect(result.snapshots).toMatchObject(ids.map((source) => ({ source, result: "copied" })));
  const sources = await from.process().snapshots();
  const copies = await to.process().snapshots();
  for (const [number, copy] of copies.entries()) {
    const { time, tags, hostname, paths, likeness, id } = sources[number]!;
    expect(copy).toMatchObject({ time, tags, hostname, paths, likeness, original: id });
  }
  const reader = to.process();
  expect(await restore(await reader.open(copies[0]!.id))).toEqual(second);
  const json = await reader.objects.load("snapshots", copies[0]!.id);
  expect(JSON.parse(json.toString("utf8"))).not.toHaveProperty("parent");
  const again = await to.process().copyFrom(from.process(), ids);
  expect(again).toMatchObject({ addedBytes: 0, snapshots: [{ result: "there" }, { result: "there" }] });
});

test("what the target has is not sent: one shared polynomial, one half the same", async () => {
  await backup(to.process(), first);
  const whole = await to.process().copyFrom(from.process(), ids);
  // The bytes are random: nothing makes them smaller.
  expect(whole.addedBytes).toBeLessThan(110_000);
});

test("repositories that cut files otherwise: everything is sent, once, and comes back the same", async () => {
  await using other = await makeWorld();
  expect(other.process().config.polynomial).not.toBe(from.process().config.polynomial);
  await backup(other.process(), first, { timeMs: Date.UTC(2026, 10, 19) });
  const { snapshots, addedBytes } = await other.process().copyFrom(from.process(), ids);
  expect(snapshots).toMatchObject([{ result: "copied" }, { result: "copied" }]);
  // Random bytes: no chunk of its own is one of those that come, and the second snapshot shares the first one's.
  expect(addedBytes).toBeGreaterThan(240_000);
  expect(addedBytes).toBeLessThan(260_000);
  const reader = other.process();
  const contents = await Promise.all(
    (await reader.snapshots()).map(async ({ id }) => restore(await reader.open(id))),
  );
  expect(contents).toEqual([second, first, first]);
  expect(await other.process().copyFrom(from.process(), ids)).toMatchObject({ addedBytes: 0 });
  // Its own next backup is cut as ever, and finds its own chunks again.
  const { addedBytes: again } = await backup(other.process(), first);
  expect(again).toBeLessThan(3_000);
  if (!restic!.missing) await stockCheck(restic!.path, other.path);
});

test("one backup into both is one recovery point: its snapshot is no copy and is not copied", async () => {
  const writer = await beginSnapshot([from.process(), to.process()], { stack: "stack", run: "r1", tags: [] });
  await writer.save("store/a.jsonl", "records", pieces(first["store/a.jsonl"]!));
  const [outcome] = await writer.commit(Date.UTC(2026, 10, 25), ["store"]);
  if (!outcome?.ok) throw outcome?.error;
  const { snapshots } = await to.process().copyFrom(from.process(), [outcome.snapshot.id]);
  expect(snapshots).toMatchObject([{ result: "there" }]);
});

test("proofs are not copied, and a repository is no copy of itself", async () => {
  const proof = {
    level: "stored",
    ok: true,
    at: "2026-11-21T00:00:00Z",
    program: "t",
    durationMs: 1,
  } as const;
  await from.process().addProof({ ...proof, snapshot: ids[0]!, stores: [] });
  await to.process().copyFrom(from.process(), ids);
  expect(await to.process().proofs()).toEqual([]);
  await expect(from.process().copyFrom(from.process(), ids)).rejects.toMatchObject({ code: "USAGE" });
});

/** The packs that only the second snapshot has. */
async function packsOfSecond(type: "data" | "tree"): Promise<string> {
  const before = await makeWorld(undefined, undefined, from.process().config.polynomial);
  await before.process().copyFrom(from.process(), [ids[0]!]);
  const known = (await before.process().index()).index;
  const { index } = await from.process().index();
  const own = Array.from({ length: index.size }, (_, entry) => entry).find(
    (entry) => index.type(entry) === type && known.find(index.id(entry), 0, type) < 0,
  );
  await before[Symbol.asyncDispose]();
  return join(from.path, packName(index.packId(index.packOf(own!))));
}

test.each([
  ["a damaged chunk", "data", false],
  ["a damaged folder", "tree", false],
  ["a missing pack", "data", true],
] as const)("law 3: %s: that snapshot is told and not copied, the other is", async (_name, type, gone) => {
  const pack = await packsOfSecond(type);
  if (gone) await rm(pack);
  else {
    const bytes = await readFile(pack);
    bytes[20]! ^= 1;
    await writeFile(pack, bytes);
  }
  const { snapshots } = await to.process().copyFrom(from.process(), ids);
  expect(snapshots).toMatchObject([{ result: "copied" }, { source: ids[1], result: "damaged" }]);
  const reader = to.process();
  expect(await reader.snapshots()).toMatchObject([{ original: ids[0] }]);
  expect((await reader.check({ data: true, signal })).findings).toEqual([]);
});

describe.skipIf(restic!.missing)("stock restic", () => {
  test.each(stocks.map(({ path }) => [path]))("law 9: %s checks and restores the copy", async (path) => {
    const { snapshots } = await to.process().copyFrom(from.process(), ids);
    await stockCheck(path, to.path);
    const copied = snapshots[1]!.result === "copied" ? snapshots[1]!.snapshot : "";
    const out = join(to.folder, "out");
    expect(await stock(path, to.path, ["restore", copied, "--target", out])).toMatchObject({ code: 0 });
    const name = "store/b.jsonl";
    expect((await readFile(join(out, "stack", name))).equals(second[name]!)).toBe(true);
  });

  test("restic copy and memkeep know each other's copies", async () => {
    const file = join(to.folder, "password");
    await writeFile(file, password);
    const args = ["copy", "--from-repo", from.path, "--from-password-file", file];
    await to.process().copyFrom(from.process(), [ids[0]!]);
    expect(await stock(restic!.path, to.path, args)).toMatchObject({ code: 0 });
    expect(await to.process().snapshots()).toHaveLength(2);
    const { snapshots } = await to.process().copyFrom(from.process(), ids);
    expect(snapshots).toMatchObject([{ result: "there" }, { result: "there" }]);
  });

  test.each(stocks.map(({ path }) => [path]))(
    "%s copy does not bring a second time what one backup wrote to both",
    async (path) => {
      const writer = await beginSnapshot([from.process(), to.process()], {
        stack: "stack",
        run: "r1",
        tags: [],
      });
      await writer.save("store/a.jsonl", "records", pieces(first["store/a.jsonl"]!));
      const outcomes = await writer.commit(Date.UTC(2026, 10, 25), ["store"]);
      const made = outcomes.map((outcome) => (outcome.ok ? outcome.snapshot : undefined));
      expect(made[0]!.id).not.toBe(made[1]!.id);
      expect(made[0]!.original).toBe(made[1]!.original);
      const file = join(to.folder, "password");
      await writeFile(file, password);
      for (const [source, target] of [
        [from, to],
        [to, from],
      ] as const) {
        const args = ["copy", "--from-repo", source.path, "--from-password-file", file];
        expect(await stock(path, target.path, args)).toMatchObject({ code: 0 });
        expect(await target.process().snapshots()).toHaveLength(3);
        await stockCheck(path, target.path);
      }
      // restic rewrites the snapshot and keeps its original; memkeep and restic go on knowing it.
      expect(await stock(path, to.path, ["tag", "--add", "mine", made[1]!.id])).toMatchObject({ code: 0 });
      const [tagged] = await to.process().snapshots();
      expect(tagged).toMatchObject({ original: made[0]!.original, tags: expect.arrayContaining(["mine"]) });
      const { snapshots } = await to.process().copyFrom(from.process(), [made[0]!.id]);
      expect(snapshots).toMatchObject([{ result: "there" }]);
    },
  );

  test("laws 4 and 9: stopped at any operation, what is there is whole, and the next copy needs no help", async () => {
    await backup(to.process(), { "store/z.jsonl": seededBytes(9, 20_000) });
    await cp(to.path, `${to.path}-template`, { recursive: true });
    const counting = new FaultyStorage(to.process().storage);
    await to.process(() => counting).copyFrom(from.process(), ids);
    const count = counting.history.length;
    expect(count).toBeGreaterThan(5);
    for (let at = 1; at <= count; at++) {
      await rm(to.path, { recursive: true });
      await cp(`${to.path}-template`, to.path, { recursive: true });
      const script = [{ kind: "stop", at, after: at % 2 === 0 }] as const;
      const dying = to.process((storage) => new FaultyStorage(storage, script));
      await dying.copyFrom(from.process(), ids).catch(() => undefined);
      await stockCheck(restic!.path, to.path);
      const next = to.process();
      await next.copyFrom(from.process(), ids);
      const there = await next.snapshots();
      expect(there, `${at} of ${count}`).toHaveLength(3);
      for (const { original, id } of there) {
        const content = { [ids[0]!]: first, [ids[1]!]: second }[original];
        if (content) expect(await restore(await next.open(id)), `${at} of ${count}`).toEqual(content);
      }
      await next.close();
    }
  }, 600_000);
});
