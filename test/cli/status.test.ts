import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeFolder, makeMemory, removeFolder, type Ended, runMemkeep } from "./run-memkeep.ts";

let folder: string;
beforeAll(async () => {
  folder = await makeFolder();
  makeMemory(join(folder, "memory.db"), 10);
});
afterAll(() => removeFolder(folder));

function memkeep(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return runMemkeep([...args, "-r", "./backups"], {
    cwd: folder,
    env: { MEMKEEP_PASSWORD: "correct horse", ...env },
  });
}

// One story, in order.
test("from nothing to a proven recovery point, the next step is always told", async () => {
  const missing = await memkeep(["status"]);
  expect(missing).toMatchObject({ code: 10, stdout: expect.stringContaining("memkeep init -r ./backups") });
  await memkeep(["init", "-q"]);
  const empty = await memkeep(["status"]);
  expect(empty).toMatchObject({ code: 2, stdout: expect.stringContaining("Nothing is backed up yet") });
  await memkeep(["backup", "-q", "./memory.db"]);
  const unproven = await memkeep(["status"]);
  expect(unproven.code).toBe(0);
  expect(unproven.stdout).toMatch(/none was ever\s+proven(.*\n)*.*memkeep verify [0-9a-f]{8} -r .\/backups/);
  await memkeep(["verify", "-q"]);
  const proven = await memkeep(["status"], { COLUMNS: "60" });
  expect(proven).toMatchObject({
    code: 0,
    stderr: "",
    stdout: expect.stringMatching(/^memory\n✓ Restorable/),
  });
  for (const line of proven.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(60);
  expect(JSON.parse((await memkeep(["status", "--json"])).stdout)).toMatchObject({
    stack: "memory",
    state: "ok",
    stores: [{ name: "memory", proven: { level: "decoded", ok: true } }],
    repositories: [{ name: "backups", snapshots: 1 }],
    problems: [],
    next: [],
  });
});

test("a backup that is too old is an error, a wrong password its own", async () => {
  expect(await memkeep(["status", "--max-age", "0"])).toMatchObject({
    code: 2,
    stdout: expect.stringContaining("Late:"),
  });
  expect((await memkeep(["status"], { MEMKEEP_PASSWORD: "another one" })).code).toBe(12);
});
