import { hash, randomBytes } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FaultyStorage } from "../../../storages/decorators/faults.ts";
import { LocalStorage } from "../../../storages/local/storage.ts";
import { CacheSpace } from "./cache-space.ts";
import { ObjectCache } from "./object-cache.ts";

let folder: string;
let far: FaultyStorage;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "memkeep-cache-"));
  far = new FaultyStorage(new LocalStorage(folder));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function cache(maximumBytes = 1e6): ObjectCache {
  return new ObjectCache(far, new CacheSpace(join(folder, "cache"), maximumBytes), "r1");
}

async function put(kind: string, length = 1000): Promise<{ name: string; bytes: Buffer }> {
  const bytes = randomBytes(length);
  const name = `${kind}/${hash("sha256", bytes)}`;
  await far.write(name, [bytes]);
  return { name, bytes };
}

function reads(): number {
  return far.history.filter((line) => line.startsWith("read ")).length;
}

async function names(): Promise<string[]> {
  const entries = await readdir(join(folder, "cache"), { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

describe("object cache", () => {
  test("fetches an index or snapshot file once, for all who come later", async () => {
    for (const kind of ["index", "snapshots"]) {
      const { name, bytes } = await put(kind);
      const before = reads();
      expect(await cache().read(name)).toEqual(bytes);
      expect(await cache().read(name)).toEqual(bytes);
      expect(reads()).toBe(before + 1);
    }
  });

  test("keeps nothing else, and no file that is not what its name says", async () => {
    for (const { name } of [await put("locks"), await put("data/00")]) await cache().read(name);
    const wrong = `index/${"0".repeat(64)}`;
    await far.write(wrong, [Buffer.from("damaged")]);
    expect((await cache().read(wrong)).toString()).toBe("damaged");
    expect(await names()).toEqual([]);
  });

  test("law 12: a cached file that was changed is not believed", async () => {
    const { name, bytes } = await put("index");
    await cache().read(name);
    await writeFile(join(folder, "cache", "r1", name), "something else");
    expect(await cache().read(name)).toEqual(bytes);
    expect(await readFile(join(folder, "cache", "r1", name))).toEqual(bytes);
  });

  test("a file that the repository no longer has is dropped at the next listing", async () => {
    const gone = await put("index");
    const stays = await put("index");
    for (const { name } of [gone, stays]) await cache().read(name);
    await far.remove(gone.name);
    const listed: string[] = [];
    for await (const { name } of cache().list("index/")) listed.push(name);
    expect(listed).toEqual([stays.name]);
    expect(await names()).toEqual([stays.name.slice(6)]);
  });

  test("stays below its limit: those that were not used for longest leave", async () => {
    for (let n = 0; n < 6; n++) await cache(3500).read((await put("index")).name);
    expect((await names()).length).toBe(3);
  });

  test("several repositories share the limit, and are below it at every moment", async () => {
    const space = new CacheSpace(join(folder, "cache"), 3500);
    const caches = ["r1", "r2"].map((id) => new ObjectCache(far, space, id));
    for (let n = 0; n < 8; n++) {
      const files = await Promise.all(caches.map(() => put("index")));
      await Promise.all(caches.map((one, number) => one.read(files[number]!.name)));
      expect((await names()).length).toBeLessThanOrEqual(3);
    }
    expect(await readdir(join(folder, "cache"))).toEqual(["r1", "r2"]);
  });

  test("a file larger than the limit is not kept, and drives nothing out", async () => {
    const small = await put("index");
    const large = await put("index", 4000);
    await cache(3500).read(small.name);
    expect(await cache(3500).read(large.name)).toEqual(large.bytes);
    expect(await names()).toEqual([small.name.slice(6)]);
  });

  test("a folder that cannot be used is no failure", async () => {
    const { name, bytes } = await put("index");
    await writeFile(join(folder, "cache"), "a file in its place");
    await chmod(join(folder, "cache"), 0o400);
    const broken = cache();
    expect(await broken.read(name)).toEqual(bytes);
    expect(await broken.read(name)).toEqual(bytes);
  });
});
