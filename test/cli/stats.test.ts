import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Ended, makeFolder, makeMemory, removeFolder, runMemkeep } from "./run-memkeep.ts";

let folder: string;
beforeAll(async () => {
  folder = await makeFolder();
  makeMemory(join(folder, "memory.db"), 2_000);
  await writeFile(
    join(folder, "memkeep.yaml"),
    "version: 1\nstack: rose\nstores:\n  memory: { type: sqlite, path: ./memory.db }\nrepositories:\n  near: { storage: ./near }\n  far: { storage: ./far-away }\n",
  );
  await memkeep("init", "-q");
  await memkeep("backup", "-q");
});
afterAll(() => removeFolder(folder));

function memkeep(...args: readonly string[]): Promise<Ended> {
  return runMemkeep(args, {
    cwd: folder,
    env: { MEMKEEP_PASSWORD: "correct horse battery", COLUMNS: "60" },
  });
}

test("each repository, at 60 columns and as JSON; one that is gone is told, exit 3", async () => {
  const shown = await memkeep("repository", "stats");
  expect(shown, shown.stderr).toMatchObject({ code: 0 });
  expect(shown.stdout).toMatch(
    /^near \(.*\n• [\d.]+ kB in all, [\d.]+ kB of it in use, in 2 packs\n• \d+ kB of files in 1 snapshot: [\d.]+ times the size\n/,
  );
  expect(Math.max(...shown.stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(60);
  const json = JSON.parse((await memkeep("repository", "stats", "--json")).stdout) as unknown[];
  expect(json).toMatchObject([
    { repository: "near", ratio: expect.any(Number), snapshots: [{ stack: "rose", safety: false }] },
    { repository: "far", prune: { freedBytes: 0 } },
  ]);
  await rm(join(folder, "far-away"), { recursive: true });
  const partly = await memkeep("repository", "stats");
  expect(partly).toMatchObject({ code: 3, stdout: expect.stringMatching(/far \(.*\n✗ .*far-away/s) });
  await rm(join(folder, "near"), { recursive: true });
  expect(await memkeep("repository", "stats")).toMatchObject({ code: 10 });
});
