/** Sizes of a repository, held against what stock restic and the file system say of it. */
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { packName } from "../../src/repository/restic/pack/pack-name.ts";
import { program } from "../engines/require.ts";
import { seededBytes } from "./random-bytes.ts";
import { stock } from "./stock.ts";
import { backup, type Content, makeWorld, type World } from "./world.ts";

const stocks = [await program("restic-0.14.0"), await program("restic-0.18.0")];
const [, restic] = stocks;
const sealBytes = 32;
const options = { maxUnused: 0, maxRepackBytes: undefined };
const shared = seededBytes(1, 200_000);
const text = Buffer.from("a memory that is said again and again\n".repeat(4_000));
const contents: readonly Content[] = [
  { "store/a.jsonl": shared, "store/b.jsonl": text },
  { "store/a.jsonl": shared, "store/b.jsonl": text, "store/c.jsonl": seededBytes(2, 90_000) },
  { "store/c.jsonl": seededBytes(2, 90_000) },
];

let world: World;
let ids: string[];

beforeEach(async () => {
  world = await makeWorld();
  ids = [];
  for (const [number, content] of contents.entries()) {
    const timeMs = Date.UTC(2026, 10, 20 + number);
    ids.push((await backup(world.process(), content, { timeMs })).id);
  }
});
afterEach(() => world[Symbol.asyncDispose]());

async function folderBytes(): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(world.path, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}

async function stockStats(path: string, mode: string): Promise<Record<string, number>> {
  const { code, stdout, stderr } = await stock(path, world.path, ["stats", "--mode", mode, "--json"]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Record<string, number>;
}

describe.skipIf(restic!.missing)("stock restic", () => {
  test("says the same of what is used, compressed and plain, and of a restore of everything", async () => {
    const stats = await world.process().stats(options);
    const raw = await stockStats(restic!.path, "raw-data");
    expect(stats).toMatchObject({ usedBytes: raw["total_size"], usedBlobs: raw["total_blob_count"] });
    // restic counts the seal of each blob here too.
    expect(stats.plainBytes + stats.usedBlobs * sealBytes).toBe(raw["total_uncompressed_size"]);
    expect(stats.plainBytes).toBeGreaterThan(stats.usedBytes);
    for (const { path } of stocks) {
      expect(stats.rawBytes).toBe((await stockStats(path, "restore-size"))["total_size"]);
    }
  });

  test("says the same where one folder stands at several depths and in several snapshots", async () => {
    const folder = join(world.folder, "files");
    for (const deep of ["x", "y/x", "y/z/x"]) {
      await mkdir(join(folder, deep, "in"), { recursive: true });
      await writeFile(join(folder, deep, "in", "file"), seededBytes(7, 30_000));
    }
    for (const tag of ["one", "two"]) {
      expect((await stock(restic!.path, world.path, ["backup", "--tag", tag, folder])).code).toBe(0);
    }
    const stats = await world.process().stats(options);
    const raw = await stockStats(restic!.path, "raw-data");
    expect(stats).toMatchObject({
      usedBytes: raw["total_size"],
      rawBytes: (await stockStats(restic!.path, "restore-size"))["total_size"],
    });
    expect(stats.snapshots[0]).toMatchObject({ stack: undefined, addedBytes: expect.any(Number) });
  });
});

test("the size is that of all files; growth adds up to what is used, and the third snapshot brought no data", async () => {
  const stats = await world.process().stats(options);
  expect(stats.sizeBytes).toBe(await folderBytes());
  expect(stats.snapshots.map(({ id }) => id)).toEqual(ids.toReversed());
  const grew = stats.snapshots.map(({ addedBytes }) => addedBytes);
  expect(grew.reduce((sum, bytes) => sum + bytes, 0)).toBe(stats.usedBytes);
  // Its trees alone.
  expect(grew[0]).toBeLessThan(2_000);
  expect(grew[1]).toBeGreaterThan(90_000);
  expect(grew[2]).toBeGreaterThan(200_000);
});

test("what a prune would free is what the next prune frees, to the byte of its packs", async () => {
  await world.process().forget([ids[0]!, ids[1]!]);
  const before = await world.process().stats(options);
  expect(before.prune.freedBytes).toBeGreaterThan(200_000);
  await world.process().prune(options);
  const after = await world.process().stats(options);
  expect(after.prune.freedBytes).toBe(0);
  // A pack that is rewritten gets a header of its own: some bytes more or less.
  expect(Math.abs(before.packBytes - after.packBytes - before.prune.freedBytes)).toBeLessThan(200);
  expect(after.sizeBytes).toBe(await folderBytes());
});

test.each(["tree", "data"] as const)("law 7: a missing pack (%s): nothing is made up", async (type) => {
  const { index } = await world.process().index();
  const entry = Array.from({ length: index.size }, (_, at) => at).find((at) => index.type(at) === type)!;
  await rm(join(world.path, packName(index.packId(index.packOf(entry)))));
  await expect(world.process().stats(options)).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
});

test("an empty repository has a size and nothing else", async () => {
  await using empty = await makeWorld();
  const stats = await empty.process().stats(options);
  expect(stats).toMatchObject({ packs: 0, usedBytes: 0, rawBytes: 0, snapshots: [] });
  expect(stats.sizeBytes).toBeGreaterThan(0);
});
