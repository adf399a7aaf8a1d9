/** Disks that are full, that cannot be written, that belong to somebody else; and clocks that are wrong. */
import { execFile } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { program } from "../engines/require.ts";
import { type Ended, makeFolder, makeMemory, removeFolder, runMemkeep } from "./run-memkeep.ts";

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
const faketime = await program("libfaketime");

let folder: string;
beforeEach(async () => {
  folder = await makeFolder();
});
afterEach(() => removeFolder(folder));

function memkeep(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return runMemkeep(args, { cwd: folder, env: { MEMKEEP_PASSWORD: "correct horse", ...env } });
}

async function snapshotsOf(at: readonly string[]): Promise<unknown[]> {
  const { stdout } = await memkeep(["snapshots", "--json", ...at]);
  return (JSON.parse(stdout) as [{ snapshots: unknown[] }])[0].snapshots;
}

/** Rows that no compression makes smaller. */
function addNoise(path: string, bytes: number): void {
  using database = new DatabaseSync(path);
  database.exec("CREATE TABLE IF NOT EXISTS noise (bytes BLOB)");
  const insert = database.prepare("INSERT INTO noise VALUES (?)");
  for (let added = 0; added < bytes; added += 100_000) insert.run(randomBytes(100_000));
}

/** A file system of its own, in memory. Only root may make one. */
async function mounted(size: string, use: (place: string) => Promise<void>): Promise<void> {
  const place = join(folder, "disk");
  await mkdir(place);
  await run("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", place]);
  try {
    await use(place);
  } finally {
    await run("umount", ["-l", place]);
  }
}

/** Containers may forbid it even to root. */
const mayMount =
  isRoot &&
  (await run("unshare", ["--mount", "true"]).then(
    () => true,
    () => false,
  ));

describe.skipIf(!mayMount)("a disk of its own", () => {
  test("full: the run fails in words, earlier snapshots are whole, and with room the next run works", async () => {
    await mounted("4m", async (disk) => {
      const repository = join(disk, "backups");
      const at = ["-s", "./memory.db", "-r", repository];
      makeMemory(join(folder, "memory.db"), 200);
      await memkeep(["init", "-q", "-r", repository]);
      expect((await memkeep(["backup", ...at])).code).toBe(0);
      addNoise(join(folder, "memory.db"), 8_000_000);
      const full = await memkeep(["backup", ...at]);
      expect(full).toMatchObject({ code: 2, stdout: "" });
      expect(full.stderr).toMatch(/no (room|space)|full/);
      expect(full.stderr).toMatch(/prune|[Ff]ree|room/);
      const list = await memkeep(["snapshots", "--json", "-r", repository]);
      expect(JSON.parse(list.stdout)).toMatchObject([{ snapshots: [{ stack: "memory" }] }]);
      expect((await memkeep(["verify", "--level", "stored", "-r", repository])).code).toBe(0);
      await run("mount", ["-o", "remount,size=64m", disk]);
      expect((await memkeep(["backup", ...at])).code).toBe(0);
    });
  });

  test("full in a prune and in a restore: both say so, nothing is harmed, and with room both work", async () => {
    await mounted("16m", async (disk) => {
      const repository = join(disk, "backups");
      const at = ["-r", repository];
      makeMemory(join(folder, "memory.db"), 200);
      addNoise(join(folder, "memory.db"), 5_000_000);
      await memkeep(["init", "-q", ...at]);
      expect((await memkeep(["backup", "-s", "./memory.db", ...at])).code).toBe(0);
      const [{ id }] = (await snapshotsOf(at)) as [{ id: string }];
      {
        using database = new DatabaseSync(join(folder, "memory.db"));
        database.exec("DELETE FROM noise WHERE rowid % 2");
      }
      expect((await memkeep(["backup", "-s", "./memory.db", ...at])).code).toBe(0);
      expect((await memkeep(["forget", id, ...at])).code).toBe(0);
      await run("sh", ["-c", `head -c 20M /dev/zero > ${disk}/filler || true`]);
      const prune = await memkeep(["prune", "--max-unused", "0", ...at]);
      expect(prune).toMatchObject({ code: 2, stderr: expect.stringMatching(/room|full/) });
      const into = await memkeep(["restore", "latest", "--into", join(disk, "out"), ...at]);
      expect(into).toMatchObject({ code: 2, stderr: expect.stringMatching(/no room left on that disk/) });
      await run("rm", [join(disk, "filler")]);
      expect((await memkeep(["verify", "--level", "stored", ...at])).code).toBe(0);
      expect((await memkeep(["prune", "--max-unused", "0", ...at])).code).toBe(0);
      expect((await memkeep(["restore", "latest", "--into", "./out", ...at])).code).toBe(0);
    });
  });

  test("read-only: snapshots are listed and restored, a backup says why it cannot be", async () => {
    await mounted("64m", async (disk) => {
      const repository = join(disk, "backups");
      makeMemory(join(folder, "memory.db"), 20);
      await memkeep(["init", "-q", "-r", repository]);
      await memkeep(["backup", "-s", "./memory.db", "-r", repository]);
      await run("mount", ["-o", "remount,ro", disk]);
      const backup = await memkeep(["backup", "-s", "./memory.db", "-r", repository]);
      expect(backup).toMatchObject({ code: 2, stderr: expect.stringMatching(/read-only/) });
      expect((await memkeep(["snapshots", "-r", repository])).code).toBe(0);
      expect((await memkeep(["restore", "latest", "--into", "./out", "-r", repository])).code).toBe(0);
    });
  });
});

test.skipIf(!isRoot)("somebody else's repository and database: refused in words, exit 2", async () => {
  makeMemory(join(folder, "memory.db"), 3);
  await memkeep(["init", "-q", "-r", "./backups"]);
  await chmod(folder, 0o755);
  await chmod(join(folder, "memory.db"), 0o600);
  const home = join(folder, "home");
  await mkdir(home);
  await chmod(home, 0o777);
  const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const env = { HOME: home };
  const repository = await runMemkeep(["snapshots", "-r", "./backups"], {
    cwd: folder,
    env: { MEMKEEP_PASSWORD: "correct horse", ...env },
    through: nobody,
  });
  expect(repository).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/permission|not allowed|right/i),
  });
  const store = await runMemkeep(["backup", "-s", "./memory.db", "-r", "./mine"], {
    cwd: folder,
    env: { MEMKEEP_PASSWORD: "correct horse", ...env },
    through: nobody,
  });
  expect(store.code).not.toBe(0);
  expect(store.stderr).not.toMatch(/unexpected|at .*\.ts:/);
});

test.skipIf(!isRoot)(
  "a permission lost in the middle: told, nothing is left half done, and with it back the next run works",
  async () => {
    makeMemory(join(folder, "memory.db"), 100_000);
    await run("chown", ["-R", "65534:65534", folder]);
    const through = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const env = { MEMKEEP_PASSWORD: "correct horse" };
    const data = join(folder, "backups", "data");
    await runMemkeep(["init", "-q", "-r", "./backups"], { cwd: folder, env, through });
    let lost: Promise<void> | undefined;
    const backup = ["backup", "--verbose", "-s", "./memory.db", "-r", "./backups"];
    const ended = await runMemkeep(backup, {
      cwd: folder,
      env,
      through,
      onStderr: (text) => {
        if (text.includes("backing up")) lost ??= mkdir(data, { recursive: true }).then(() => chmod(data, 0));
      },
    });
    await lost;
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringMatching(/permission|not allowed|right/i) });
    await run("chown", ["-R", "65534:65534", folder]);
    await chmod(data, 0o700);
    const list = await runMemkeep(["snapshots", "--json", "-r", "./backups"], { cwd: folder, env, through });
    expect(JSON.parse(list.stdout)).toMatchObject([{ snapshots: [] }]);
    expect((await runMemkeep(backup, { cwd: folder, env, through })).code).toBe(0);
  },
);

describe.skipIf(faketime.missing)("wrong clocks", () => {
  const at = (time: string): Record<string, string> => ({
    LD_PRELOAD: faketime.path,
    FAKETIME: `@${time}`,
    TZ: "UTC",
  });

  test("1970: doctor says so, and a snapshot of then hides nothing that is newer", async () => {
    makeMemory(join(folder, "memory.db"), 3);
    const place = ["-s", "./memory.db", "-r", "./backups"];
    await memkeep(["init", "-q", "-r", "./backups"], at("1970-01-02 00:00:00"));
    const doctor = await memkeep(["doctor", ...place], at("1970-01-02 00:00:00"));
    expect(doctor).toMatchObject({ code: 2, stdout: expect.stringMatching(/clock says 1970/) });
    expect((await memkeep(["backup", ...place])).code).toBe(0);
    expect((await memkeep(["backup", ...place], at("1970-01-02 00:00:00"))).code).toBe(0);
    const list = JSON.parse((await memkeep(["snapshots", "--json", "-r", "./backups"])).stdout) as {
      snapshots: { time: string }[];
    }[];
    expect(list[0]!.snapshots.map(({ time }) => time.slice(0, 4))).toEqual([
      expect.not.stringMatching("1970"),
      "1970",
    ]);
  });

  test("2100: such a snapshot is told and does not hold up the next ones, nor do rules throw good ones away for it", async () => {
    makeMemory(join(folder, "memory.db"), 3);
    const place = ["-s", "./memory.db", "-r", "./backups"];
    await memkeep(["init", "-q", "-r", "./backups"]);
    await memkeep(["backup", ...place]);
    expect((await memkeep(["backup", ...place], at("2100-01-02 00:00:00"))).code).toBe(0);
    const next = await memkeep(["backup", "--json", "--min-interval", "1h", "--force", ...place]);
    expect(JSON.parse(next.stdout)).toMatchObject({ outcome: "done" });
    const interval = await memkeep(["backup", "--min-interval", "1ms", ...place]);
    expect(interval.code).toBe(0);
    expect(interval.stderr + interval.stdout).toMatch(/2100|to come|future/);
    const doctor = await memkeep(["doctor", ...place]);
    expect(doctor).toMatchObject({ code: 1, stdout: expect.stringMatching(/to come/) });
    const forget = await memkeep(["forget", "--keep-within", "7d", "-r", "./backups", "--dry-run"]);
    expect(forget.stdout).not.toMatch(/would go.*\d{4}/);
  });
});

test("a folder in the way of a file, and a file in the way of a folder", async () => {
  await writeFile(join(folder, "taken"), "x");
  const ended = await memkeep(["init", "-r", "./taken"]);
  expect(ended).toMatchObject({ code: 2, stderr: expect.stringMatching(/taken/) });
});
