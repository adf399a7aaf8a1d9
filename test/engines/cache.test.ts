import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { installed } from "./cache.ts";

let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "memkeep-engines-"));
  vi.stubEnv("MEMKEEP_ENGINES", cache);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true, force: true });
});

test("two installs at once end with one whole folder, which both get", async () => {
  // Both have written their file before either of them is done.
  const { promise: bothWrote, resolve } = Promise.withResolvers<void>();
  let written = 0;
  async function install(folder: string): Promise<void> {
    await writeFile(join(folder, "program"), "whole");
    written += 1;
    if (written === 2) resolve();
    await bothWrote;
  }
  const folders = await Promise.all([installed("engine-1.0", install), installed("engine-1.0", install)]);
  expect(folders).toEqual([join(cache, "engine-1.0"), join(cache, "engine-1.0")]);
  expect(await readFile(join(cache, "engine-1.0", "program"), "utf8")).toBe("whole");
  expect(await readdir(cache)).toEqual(["engine-1.0"]);
  expect((await stat(join(cache, "engine-1.0"))).mode & 0o005).toBe(0o005);
});

test("what is installed is not installed again", async () => {
  await installed("engine-1.0", () => Promise.resolve());
  await installed("engine-1.0", () => Promise.reject(new Error("again")));
});

test("an install that fails leaves nothing", async () => {
  const failing = installed("engine-1.0", async (folder) => {
    await writeFile(join(folder, "half"), "");
    throw new Error("the network is down");
  });
  await expect(failing).rejects.toThrow("the network is down");
  expect(await readdir(cache)).toEqual([]);
});
