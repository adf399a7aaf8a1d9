import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Ended, makeFolder, makeMemory, removeFolder, runMemkeep } from "./run-memkeep.ts";

let folder: string;
beforeAll(async () => {
  folder = await makeFolder();
  makeMemory(join(folder, "memory.db"), 500);
  await writeFile(
    join(folder, "memkeep.yaml"),
    "version: 1\nstack: rose\nstores:\n  memory: { type: sqlite, path: ./memory.db }\nrepositories:\n  near: { storage: ./near }\n  far: { storage: ./far }\nbackup: { catchUp: true }\n",
  );
  await memkeep("init", "-q");
});
afterAll(() => removeFolder(folder));

function memkeep(...args: readonly string[]): Promise<Ended> {
  return runMemkeep(args, { cwd: folder, env: { MEMKEEP_PASSWORD: "correct horse battery" } });
}

test("backup.catchUp: far gets what it lacks, and the report says so; a damaged source is exit 3", async () => {
  await memkeep("backup", "-q", "--to", "near");
  const ended = await memkeep("backup");
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  expect(ended.stdout).toMatch(/✓ far: brought up to date with near, 1 snapshot copied, .* added\n/);
  expect(ended.stdout).not.toMatch(/memkeep copy/);
  const lists = JSON.parse((await memkeep("snapshots", "--json")).stdout) as { snapshots: unknown[] }[];
  expect(lists.map(({ snapshots }) => snapshots.length)).toEqual([2, 2]);

  await rm(join(folder, "far"), { recursive: true });
  await memkeep("init", "-q", "-r", "far");
  for (const name of await readdir(join(folder, "near", "data"))) {
    await rm(join(folder, "near", "data", name), { recursive: true });
  }
  const damaged = await memkeep("backup", "--allow-empty", "--json");
  expect(damaged.code).toBe(3);
  expect(JSON.parse(damaged.stdout)).toMatchObject({
    outcome: "partial",
    repositories: [{ result: "written" }, { result: "written" }],
    catchUps: [{ repository: "far", from: "near", copied: { failed: [{}, {}] } }],
  });
});
