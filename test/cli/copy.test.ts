import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Ended, makeFolder, makeMemory, removeFolder, runMemkeep } from "./run-memkeep.ts";

let folder: string;
beforeEach(async () => {
  folder = await makeFolder();
  makeMemory(join(folder, "memory.db"), 50);
  await memkeep("init", "-q", "-r", "./near");
  await memkeep("init", "-q", "-r", "./far");
  await memkeep("backup", "-q", "-s", "./memory.db", "-r", "./near");
});
afterEach(() => removeFolder(folder));

function memkeep(...args: readonly string[]): Promise<Ended> {
  return runMemkeep(args, { cwd: folder, env: { MEMKEEP_PASSWORD: "correct horse" } });
}

test("a dry run says what is lacking, a copy brings it, a second one has nothing to do; it verifies", async () => {
  const plan = await memkeep("copy", "--from", "./near", "--to", "./far", "--dry-run");
  expect(plan).toMatchObject({ code: 0, stdout: expect.stringMatching(/1 snapshot would be copied/) });
  const copied = await memkeep("copy", "--from", "./near", "--to", "./far", "--json");
  expect(copied.code).toBe(0);
  expect(JSON.parse(copied.stdout)).toMatchObject({
    copied: [{ source: expect.any(String) }],
    there: 0,
    failed: [],
  });
  const again = await memkeep("copy", "--from", "./near", "--to", "./far");
  expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/1 snapshot there already/) });
  expect((await memkeep("verify", "--level", "decoded", "-r", "./far")).code).toBe(0);
});

test("a snapshot that is damaged where it lies: exit 3, and said", async () => {
  const data = join(folder, "near", "data");
  for (const name of await readdir(data)) await rm(join(data, name), { recursive: true });
  const ended = await memkeep("copy", "--from", "./near", "--to", "./far");
  expect(ended).toMatchObject({ code: 3, stdout: expect.stringMatching(/is not copied/) });
  const list = JSON.parse((await memkeep("snapshots", "--json", "-r", "./far")).stdout) as unknown;
  expect(list).toMatchObject([{ snapshots: [] }]);
});

test.each([
  [["copy", "--from", "./near"], 64, /--to/],
  [["copy", "--from", "./near", "--to", "./near"], 64, /repository that they lie in/],
  [["copy", "--from", "./near", "--to", "./none"], 10, /none/],
  [["copy", "--from", "./near", "--to", "./far", "-r", "./near"], 64, /--from and --to/],
  [["copy", "--from", "./near", "--to", "./far", "ffffffffffff"], 2, /memkeep snapshots/],
])("%j: exit %i, and words", async (args, code, words) => {
  expect(await memkeep(...args)).toMatchObject({ code, stderr: expect.stringMatching(words) });
});
