import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Ended, makeFolder, makeMemory, removeFolder, runMemkeep } from "./run-memkeep.ts";

let folder: string;
beforeEach(async () => {
  folder = await makeFolder();
  makeMemory(join(folder, "memory.db"), 2_000);
});
afterEach(() => removeFolder(folder));

function maintain(...args: string[]): Promise<Ended> {
  return runMemkeep(["maintain", ...args], { cwd: folder });
}

test("shows what a store offers and does nothing until --apply", async () => {
  {
    using db = new DatabaseSync(join(folder, "memory.db"));
    db.exec("DELETE FROM memories WHERE id > 10; PRAGMA wal_checkpoint(TRUNCATE)");
  }
  const before = await stat(join(folder, "memory.db"));
  const planned = await maintain("vacuum", "--store", "./memory.db");
  expect(planned).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^memory \(sqlite\)\n {2}• vacuum: rebuild/),
    stderr: expect.stringContaining("Nothing was done"),
  });
  expect((await stat(join(folder, "memory.db"))).size).toBe(before.size);
  const applied = await maintain("vacuum", "--store", "./memory.db", "--apply", "--json");
  expect(JSON.parse(applied.stdout)).toMatchObject({ done: [{ store: "memory", task: "vacuum", ok: true }] });
  expect((await stat(join(folder, "memory.db"))).size).toBeLessThan(before.size);
});

test("one store that fails stops no other, and exit 3 says so", async () => {
  await writeFile(
    join(folder, "memkeep.yaml"),
    "version: 1\nstack: rose\nstores:\n  gone: { type: sqlite, path: ./gone.db }\n  memory: { type: sqlite, path: ./memory.db }\nrepositories:\n  local: { type: restic, storage: ./backups }\n",
  );
  const ended = await maintain("analyze", "--apply");
  expect(ended.code).toBe(3);
  expect(ended.stdout).toMatch(/✗ gone analyze: .*gone\.db/);
  expect(ended.stdout).toMatch(/✓ memory analyze: all statistics are gathered/);
});

test("a task that nobody offers, none at all, and no store are errors with the way on", async () => {
  expect(await maintain("vacum", "-s", "./memory.db", "--apply")).toMatchObject({
    code: 64,
    stderr: expect.stringContaining("Did you mean vacuum?"),
  });
  expect(await maintain("-s", "./memory.db", "--apply")).toMatchObject({
    code: 64,
    stderr: expect.stringContaining("Name the tasks"),
  });
  expect(await maintain()).toMatchObject({ code: 64, stderr: expect.stringContaining("no store was named") });
});
