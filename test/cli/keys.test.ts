import { afterAll, beforeAll, expect, test } from "vitest";
import { type Ended, makeFolder, removeFolder, runMemkeep } from "./run-memkeep.ts";

let folder: string;
beforeAll(async () => {
  folder = await makeFolder();
  await memkeep("init", "-q");
});
afterAll(() => removeFolder(folder));

let password = "correct horse battery";
function memkeep(...args: string[]): Promise<Ended> {
  return run(args, {});
}
function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  return runMemkeep([...args, "-r", "./backups"], {
    cwd: folder,
    env: { MEMKEEP_PASSWORD: password, ...env },
  });
}

test("add, list, passwd, remove: each says what it did, and no password is told", async () => {
  const added = await run(["keys", "add"], { MEMKEEP_NEW_PASSWORD: "staple staple staple" });
  expect(added).toMatchObject({ code: 0, stdout: expect.stringMatching(/added the key [0-9a-f]{8}/) });
  const list = await memkeep("keys", "list");
  expect(list.stdout).toMatch(/^ID +CREATED +BY\n[0-9a-f]{8} .* at .* in use\n[0-9a-f]{8} .* at .*\n$/);
  const changed = await run(["keys", "passwd"], { MEMKEEP_NEW_PASSWORD: "quite another one" });
  expect(changed.code).toBe(0);
  const old = await memkeep("snapshots");
  expect(old.code).toBe(12);
  expect(old.stderr).toMatch(/key [0-9a-f]{8}: made by .+ at .+ on \d{4}-\d\d-\d\d/);
  password = "quite another one";
  const [, second] = JSON.parse((await memkeep("keys", "list", "--json")).stdout) as {
    id: string;
    current: boolean;
  }[];
  const id = second!.current ? "" : second!.id;
  const removed = await memkeep("keys", "remove", id === "" ? added.stdout.trim().slice(-8) : id);
  expect(removed).toMatchObject({ code: 0 });
  for (const { stdout, stderr } of [added, list, changed, old, removed]) {
    expect(stdout + stderr).not.toMatch(/staple|quite another/);
  }
});

test("a recovery key is shown once and opens the repository", async () => {
  const { code, stdout, stderr } = await memkeep("keys", "add", "--recovery");
  expect(code).toBe(0);
  expect(stderr).toMatch(/Write it down/);
  const [key = ""] = /(?:[2-9A-Z]{4}-){6}[2-9A-Z]{4}/.exec(stdout)!;
  expect((await run(["snapshots"], { MEMKEEP_PASSWORD: key })).code).toBe(0);
  expect((await memkeep("keys", "list")).stdout).toMatch(/recovery key/);
});

test("no new password, a weak one, and the last key: words", async () => {
  expect(await memkeep("keys", "add")).toMatchObject({
    code: 64,
    stderr: expect.stringMatching(/MEMKEEP_NEW_PASSWORD/),
  });
  const weak = await run(["keys", "add"], { MEMKEEP_NEW_PASSWORD: "secret" });
  expect(weak).toMatchObject({ code: 0, stderr: expect.stringMatching(/is shorter than 12/) });
  expect(await memkeep("keys", "remove", "zz")).toMatchObject({
    code: 64,
    stderr: expect.stringMatching(/keys list/),
  });
});
