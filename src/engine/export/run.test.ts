import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hash } from "node:crypto";
import type { SnapshotReader } from "../../repository/repository.ts";
import { makeWorld, type World } from "../../../test/engine/stack.ts";
import { readManifest } from "../manifest.ts";
import { exportSnapshot } from "./run.ts";

let world: World;
let folder: string;
let whole: SnapshotReader;
beforeEach(async () => {
  world = await makeWorld();
  await world.backup();
  const repository = await world.repository();
  const [newest] = await repository.snapshots();
  whole = await repository.open(newest!.id);
  folder = await mkdtemp(join(tmpdir(), "memkeep-export-"));
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A snapshot whose manifest names its only file so. */
async function naming(path: string): Promise<SnapshotReader> {
  const manifest = await readManifest(whole);
  const bytes = Buffer.from("from elsewhere");
  const file = { path, kind: "document", sizeBytes: bytes.length, sha256: hash("sha256", bytes) } as const;
  manifest.stores["a"]!.files = [file];
  const text = Buffer.from(JSON.stringify(manifest));
  return {
    info: whole.info,
    files: () => Promise.resolve([{ path: "manifest.json", sizeBytes: text.length }]),
    // oxlint-disable-next-line require-await -- as the contract has it
    async *read(name) {
      yield name === "manifest.json" ? text : bytes;
    },
  };
}

test("W-C11, law 12: no name out of a snapshot leads out of the folder, neighbours of the same beginning among them", async () => {
  const target = join(folder, "a");
  await mkdir(join(folder, "ab"));
  for (const path of [
    "../ab/x",
    "a/../../ab/x",
    join(folder, "ab", "x"),
    "..",
    "a/./x",
    "a\\..\\x",
    "a/x\0",
    "a//x",
    "",
  ]) {
    const snapshot = await naming(path);
    await expect(exportSnapshot(snapshot, target, undefined, world.surroundings), path).rejects.toMatchObject(
      {
        code: "MANIFEST_INVALID",
      },
    );
    expect(await readdir(join(folder, "ab")), path).toEqual([]);
    await rm(target, { recursive: true, force: true });
  }
});

test("W-C11: a folder that somebody prepared with a link in it is not written into", async () => {
  const target = join(folder, "a");
  await mkdir(target);
  await mkdir(join(folder, "ab"));
  await symlink(join(folder, "ab"), join(target, "store"));
  await writeFile(join(folder, "ab", "kept"), "kept");
  const snapshot = await naming("store/x");

  await expect(exportSnapshot(snapshot, target, undefined, world.surroundings)).rejects.toMatchObject({
    code: "TARGET_EXISTS",
  });

  expect(await readdir(join(folder, "ab"))).toEqual(["kept"]);
});
