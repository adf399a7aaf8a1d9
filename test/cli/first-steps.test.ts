import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeFolder, makeMemory, removeFolder, type Ended, runMemkeep } from "./run-memkeep.ts";

/** Law 10: nothing that any command of this file prints may hold it. */
const password = Array.from({ length: 95 }, (_, index) => String.fromCodePoint(32 + index)).join("");

let folder: string;
const told: string[] = [];

beforeAll(async () => {
  folder = await makeFolder();
  makeMemory(join(folder, "memory.db"), 1000);
});
afterAll(() => removeFolder(folder));

async function memkeep(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const cmdlines: Promise<string>[] = [];
  const ended = await runMemkeep(args, {
    cwd: folder,
    env: { MEMKEEP_PASSWORD: password, ...env },
    onStart: (pid) => cmdlines.push(readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
  });
  told.push(ended.stdout, ended.stderr, ...(await Promise.all(cmdlines)));
  return ended;
}

const here = ["-r", "./backups"];

// One story, in order: each step works on what the one before left.
test("without a repository: exit 10, and what to do", async () => {
  const ended = await memkeep(["snapshots", ...here]);
  expect(ended).toMatchObject({ code: 10, stdout: "" });
  expect(ended.stderr).toMatch(/^error: could not open the repository .*\n.*memkeep init/s);
});

test("init makes one; a second time it says that it is there, and what to do next", async () => {
  const ended = await memkeep(["init", ...here]);
  expect(ended.code).toBe(0);
  expect(ended.stdout).toMatch(/made the repository backups/);
  expect(ended.stderr).toMatch(/Keep the password safe.*\nNext: memkeep backup -r .\/backups\n$/s);
  const before = await readFile(join(folder, "backups", "config"));
  const again = await memkeep(["init", ...here]);
  expect(again).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^✓ the repository backups is there already.*password opens it\n$/s),
    stderr: "Nothing was changed.\nNext: memkeep status -r ./backups\n",
  });
  expect(await readFile(join(folder, "backups", "config"))).toEqual(before);
  expect((await memkeep(["init", ...here], { MEMKEEP_PASSWORD: "another one" })).code).toBe(12);
});

test("a new repository with a weak password: it is made, and the weakness is told without the password", async () => {
  const ended = await memkeep(["init", "-r", "./weak"], { MEMKEEP_PASSWORD: "hunter2" });
  expect(ended).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/the password \(from MEMKEEP_PASSWORD\) is shorter than 12/),
  });
  expect(ended.stderr).not.toContain("hunter2");
});

test("an empty repository says so", async () => {
  const ended = await memkeep(["snapshots", ...here]);
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining("has no snapshots yet") });
  const latest = await memkeep(["ls", "latest", ...here]);
  expect(latest).toMatchObject({ code: 2, stdout: "" });
  expect(latest.stderr).toMatch(/memkeep backup/);
});

test("a dry run does nothing", async () => {
  const ended = await memkeep(["backup", "-n", "-s", "./memory.db", ...here]);
  expect(ended).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/read memory .*\n.*write to backups/),
  });
  const list = await memkeep(["snapshots", "--json", ...here]);
  expect(JSON.parse(list.stdout)).toMatchObject([{ snapshots: [] }]);
});

test("backup: the result on standard output, everything else on standard error", async () => {
  const ended = await memkeep(["backup", "./memory.db", ...here, "--tag", "first"]);
  expect(ended.code).toBe(0);
  expect(ended.stdout).toMatch(
    /✓ memory: 1,000 records.*\n✓ backups: snapshot [0-9a-f]{8}, .* added\nBacked up/,
  );
  expect(ended.stderr).toMatch(/Next: memkeep verify [0-9a-f]{8} -r .\/backups\n$/);
});

test("--json gives one document and no talk", async () => {
  const ended = await memkeep(["backup", "./memory.db", ...here, "--json"]);
  expect(ended.stderr).toBe("");
  expect(JSON.parse(ended.stdout)).toMatchObject({
    stack: "memory",
    outcome: "done",
    stores: [{ name: "memory", ok: true, records: 1000 }],
    repositories: [{ name: "backups", result: "written" }],
  });
});

test("--quiet says nothing of what went well", async () => {
  expect(await memkeep(["backup", "./memory.db", ...here, "-q"])).toEqual({
    code: 0,
    stdout: "",
    stderr: "",
  });
});

test("--min-interval leaves a fresh repository alone, --force does not", async () => {
  const args = ["backup", "./memory.db", ...here, "--json", "--min-interval", "1h"];
  expect(JSON.parse((await memkeep(args)).stdout)).toMatchObject({ outcome: "skipped" });
  expect(JSON.parse((await memkeep([...args, "--force"])).stdout)).toMatchObject({ outcome: "done" });
});

test("snapshots shows time, stores, sizes and proof, newest first", async () => {
  const verified = await memkeep(["verify", ...here]);
  expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining("Proven (decoded)") });
  const list = await memkeep(["snapshots", ...here]);
  const lines = list.stdout.trimEnd().split("\n");
  expect(lines[0]).toMatch(/^ID +TIME +STORES +READ +ADDED +PROOF$/);
  expect(lines[1]).toMatch(/^[0-9a-f]{8} {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}memory +\d.* ✓ decoded$/);
  expect(lines).toHaveLength(5);
  const json = JSON.parse((await memkeep(["snapshots", "--json", ...here])).stdout) as {
    snapshots: { id: string; time: string; proof: unknown }[];
  }[];
  expect(json[0]!.snapshots.map(({ time }) => time)).toEqual(
    json[0]!.snapshots.map(({ time }) => time).sort((a, b) => Date.parse(b) - Date.parse(a)),
  );
});

test("verify proves at every level, also the whole repository", async () => {
  const drill = await memkeep([
    "verify",
    "latest",
    "--level",
    "restored",
    "-s",
    "./memory.db",
    "--json",
    ...here,
  ]);
  expect(drill.code).toBe(0);
  expect(JSON.parse(drill.stdout)).toMatchObject({ ok: true, level: "restored", snapshots: [{ ok: true }] });
  const whole = JSON.parse((await memkeep(["verify", "--level", "stored", "--json", ...here])).stdout) as {
    snapshots: unknown[];
  };
  expect(whole.snapshots).toHaveLength(4);
});

test("a drill with nowhere to restore to reaches a lower level: exit 1, and why", async () => {
  const ended = await memkeep(["verify", "--level", "restored", ...here]);
  expect(ended).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/decoded.*\n.*not in the\n? *configuration/),
  });
});

test("ls, cat and export show what is inside", async () => {
  const list = await memkeep(["ls", "latest", "memory", ...here]);
  expect(list.stdout).toMatch(/memory\/memory\.db\n$/);
  const manifest = await memkeep(["cat", "latest", "manifest.json", ...here]);
  expect(JSON.parse(manifest.stdout)).toMatchObject({ format: "memkeep-manifest", stack: "memory" });
  expect((await memkeep(["export", "latest", "./plain", ...here])).code).toBe(0);
  expect(await readFile(join(folder, "plain", "SHA256SUMS"), "utf8")).toMatch(
    /^[0-9a-f]{64} {2}memory\/memory.db\n$/,
  );
  expect((await memkeep(["export", "latest", "./plain", ...here])).stderr).toMatch(/it is not empty/);
});

test("restore shows its plan, and does it with --apply", async () => {
  const before = await readFile(join(folder, "memory.db"));
  const database = new DatabaseSync(join(folder, "memory.db"));
  database.exec("delete from memories where id > 10");
  database.close();
  const restore = ["restore", "latest", "-s", "./memory.db", ...here];
  const plan = await memkeep(restore);
  expect(plan.code).toBe(0);
  expect(plan.stdout).toMatch(/memories +10 +1,000/);
  expect(plan.stderr).toContain(
    "Nothing was changed. To do it:\n  memkeep restore latest -s ./memory.db -r ./backups --apply",
  );
  const done = await memkeep([...restore, "--apply"]);
  expect(done.code).toBe(0);
  expect(done.stdout).toMatch(/1,000 records at .*\n(.*\n)*Before that, a safety snapshot was taken/);
  const again = new DatabaseSync(join(folder, "memory.db"), { readOnly: true });
  expect(again.prepare("select count(*) as n from memories").get()).toEqual({ n: 1000 });
  again.close();
  expect(before.length).toBeGreaterThan(0);
});

test("a dead machine: no configuration, no store, one command", async () => {
  const ended = await memkeep(["restore", "latest", "--into", "./new machine", ...here]);
  expect(ended.code).toBe(0);
  const database = new DatabaseSync(join(folder, "new machine", "memory", "memory.db"), { readOnly: true });
  expect(database.prepare("select count(*) as n from memories").get()).toEqual({ n: 1000 });
  database.close();
});

test("restore without a target asks for one", async () => {
  const ended = await memkeep(["restore", "latest", ...here]);
  expect(ended).toMatchObject({ code: 64, stdout: "" });
  expect(ended.stderr).toMatch(/--into .\/restored/);
});

test("forget says why each snapshot stays; prune and unlock work", async () => {
  const rules = ["forget", "--keep-last", "2", ...here];
  const plan = await memkeep([...rules, "--dry-run"]);
  expect(plan.stdout).toMatch(/stays +last snapshot.*\n(.*\n)*.*would go/);
  const done = JSON.parse((await memkeep([...rules, "--json"])).stdout) as { removed: number };
  expect(done.removed).toBeGreaterThan(0);
  expect((await memkeep(["prune", ...here])).code).toBe(0);
  for (const unused of ["0", "2.5%", "unlimited"]) {
    expect((await memkeep(["prune", "--max-unused", unused, "--dry-run", ...here])).code).toBe(0);
  }
  expect((await memkeep(["unlock", ...here])).stdout).toBe("Removed 0 locks.\n");
  expect((await memkeep(["repository", "check", "--data", ...here])).stdout).toMatch(/Nothing is wrong\.\n$/);
  expect((await memkeep(["forget", ...here])).code).toBe(64);
});

test("law 6: forget takes snapshots by name, damaged ones too, but not the last one unless it is forced", async () => {
  const listed = async (): Promise<{ id: string }[]> => {
    const [first] = JSON.parse((await memkeep(["snapshots", "--json", ...here])).stdout) as [
      { snapshots: { id: string }[] },
    ];
    return first.snapshots;
  };
  await memkeep(["backup", "--store", "./memory.db", "--force", ...here]);
  const before = await listed();
  const id = before.at(-1)?.id ?? "";
  const damaged = "f".repeat(64);
  await writeFile(join(folder, "backups", "snapshots", damaged), "junk");

  expect((await memkeep(["forget", "ffff", id.slice(0, 10), "--dry-run", ...here])).stdout).toMatch(
    /2 snapshots would/,
  );
  expect(await listed()).toHaveLength(before.length);
  expect((await memkeep(["forget", "ffff", "--keep-last", "1", ...here])).code).toBe(64);
  expect((await memkeep(["forget", "abcdef123456", ...here])).code).toBe(2);
  const gone = await memkeep(["forget", "ffff", ...here]);
  expect(gone.stdout).toMatch(/ffffffff +. +forgotten/);
  expect(gone.code).toBe(0);
  const all = await memkeep(["forget", ...before.map((known) => known.id), ...here]);
  expect(all.code).toBe(64);
  expect(all.stderr).toMatch(/would have none left/);
  expect(await listed()).toHaveLength(before.length);
});

test("a wrong password: exit 12, and where it came from", async () => {
  const ended = await memkeep(["snapshots", ...here], { MEMKEEP_PASSWORD: "wrong-password" });
  expect(ended.code).toBe(12);
  expect(ended.stderr).toMatch(/it came from MEMKEEP_PASSWORD/);
  expect(ended.stderr).not.toContain("wrong-password");
});

test("no password and no terminal: exit 64, and the ways to give one", async () => {
  const ended = await memkeep(["snapshots", ...here], { MEMKEEP_PASSWORD: "" });
  expect(ended.code).toBe(64);
  expect(ended.stderr).toMatch(/MEMKEEP_PASSWORD_FILE/);
});

test("a locked repository: exit 11; a waiting one is told how long", async () => {
  await rm(join(folder, "hold.yaml"), { force: true });
  const { systemClock } = await import("../../src/util/clock/clock.ts");
  const { parseStorageUrl } = await import("../../src/storages/index.ts");
  const { openRepository } = await import("../../src/repository/restic/open-repository.ts");
  const storage = await (await parseStorageUrl(join(folder, "backups"))).open();
  const repository = await openRepository({
    storage,
    password,
    clock: systemClock,
    program: "test",
    retryLockMs: 0,
    signal: new AbortController().signal,
  });
  try {
    await using _lock = await repository.lock({ exclusive: true });
    const ended = await memkeep(["backup", "./memory.db", ...here]);
    expect(ended.code).toBe(11);
    expect(ended.stderr).toMatch(/--retry-lock 5m/);
  } finally {
    await repository.close();
  }
});

test("law 10: the password, whatever is in it, was in no output and no argument", async () => {
  await writeFile(join(folder, "pw"), `${password}\n`);
  const ended = await memkeep(["snapshots", "--verbose", ...here], {
    MEMKEEP_PASSWORD: "",
    MEMKEEP_PASSWORD_FILE: join(folder, "pw"),
  });
  expect(ended.code).toBe(0);
  const everything = told.join("\n");
  expect(told.length).toBeGreaterThan(60);
  expect(everything).not.toContain(password.slice(1, 40));
  expect(everything).not.toContain("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
});
