/**
 * Kills the real program at random moments of `copy` and of changes of keys. After each death stock restic finds nothing wrong,
 * a password opens the repository, and the next run works without help. 10 times each; `MEMKEEP_KILLS` says otherwise, and
 * `MEMKEEP_NIGHTLY=1` means 100.
 */
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { program } from "../engines/require.ts";
import { stock } from "../repository/stock.ts";
import { type Ended, makeFolder, makeMemory, removeFolder, runMemkeep } from "./run-memkeep.ts";

const kills = Number(process.env["MEMKEEP_KILLS"] ?? (process.env["MEMKEEP_NIGHTLY"] ? 100 : 10));
const restic = await program("restic-0.18.0");
const first = "correct horse battery";

let folder: string;
beforeAll(async () => {
  folder = await makeFolder();
});
afterAll(() => removeFolder(folder));

interface Attempt {
  readonly password?: string;
  readonly newPassword?: string;
  /** Killed after so long, unless it has ended before. */
  readonly lifeMs?: number;
}

async function memkeep(args: readonly string[], attempt: Attempt = {}): Promise<Ended> {
  const { password = first, newPassword, lifeMs } = attempt;
  let timer: NodeJS.Timeout | undefined;
  const ended = await runMemkeep(args, {
    cwd: folder,
    env: {
      MEMKEEP_PASSWORD: password,
      ...(newPassword === undefined ? {} : { MEMKEEP_NEW_PASSWORD: newPassword }),
    },
    onStart(pid) {
      if (lifeMs !== undefined) timer = setTimeout(() => process.kill(pid, "SIGKILL"), lifeMs);
    },
  });
  clearTimeout(timer);
  return ended;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

/** Mostly in the second half: the first is the program's own start. */
function momentOf(wholeMs: number): number {
  return wholeMs * (0.3 + 0.75 * Math.random());
}

async function check(repository: string, password: string): Promise<void> {
  const args = ["check", "--no-lock", "--read-data"];
  const { code, stdout, stderr } = await stock(restic.path, join(folder, repository), args, password);
  expect(code, stdout + stderr).toBe(0);
}

describe.skipIf(restic.missing)("killed commands", () => {
  test(`laws 4 and 9: copy, ${kills} times: what is there is whole, and the next run brings the rest`, async () => {
    makeMemory(join(folder, "memory.db"), 100);
    for (const repository of ["near", "empty"]) await memkeep(["init", "-q", "-r", `./${repository}`]);
    for (let number = 0; number < 3; number++) {
      using db = new DatabaseSync(join(folder, "memory.db"));
      db.exec("INSERT INTO memories (text) SELECT hex(randomblob(3000)) FROM memories LIMIT 300");
      await memkeep(["backup", "-q", "-s", "./memory.db", "-r", "./near"]);
    }
    const copy = ["copy", "--from", "./near", "--to", "./far", "--json"];
    await cp(join(folder, "empty"), join(folder, "far"), { recursive: true });
    const wholeMs = await timed(() => memkeep(copy));
    let killed = 0;
    for (let kill = 1; kill <= kills; kill++) {
      await rm(join(folder, "far"), { recursive: true });
      await cp(join(folder, "empty"), join(folder, "far"), { recursive: true });
      const { code } = await memkeep(copy, { lifeMs: momentOf(wholeMs) });
      if (code === null) killed++;
      await check("far", first);
      const next = await memkeep(copy);
      expect(next, next.stderr).toMatchObject({ code: 0 });
      const report = JSON.parse(next.stdout) as { copied: unknown[]; there: number };
      expect(report.copied.length + report.there).toBe(3);
    }
    await check("far", first);
    expect(killed, "some of them died in the middle").toBeGreaterThan(0);
  }, 3_600_000);

  test(`laws 4 and 9: keys add, passwd and remove, ${kills} times: a password always opens it`, async () => {
    await memkeep(["init", "-q", "-r", "./keyed"]);
    const there = ["-r", "./keyed"];
    let password = first;
    let killed = 0;
    const wholeMs = await timed(() => memkeep(["keys", "add", ...there], { newPassword: "of a first key" }));
    let others = await otherKeys(first);
    for (let kill = 1; kill <= kills; kill++) {
      const newPassword = `a new password ${kill}`;
      // One key beside that in use is always there, and never many: each costs whoever opens the repository time.
      const action = [["passwd"], ["add"], ["remove", others![0]!]][kill % 3]!;
      const lifeMs = momentOf(wholeMs);
      const { code } = await memkeep(["keys", ...action, ...there], { password, newPassword, lifeMs });
      if (code === null) killed++;
      others = await otherKeys(password);
      if (others === undefined && action[0] === "passwd") {
        password = newPassword;
        others = await otherKeys(password);
      }
      expect(others, `the password opens it after ${action[0]}`).toBeDefined();
      await check("keyed", password);
      // The next change needs no help, whatever lock the dead one left.
      const change = others!.length > 1 ? ["remove", others![0]!] : ["add"];
      const next = await memkeep(["keys", ...change, ...there], { password, newPassword: `another ${kill}` });
      expect(next, next.stderr).toMatchObject({ code: 0 });
      others = await otherKeys(password);
    }
    expect(killed, "some of them died in the middle").toBeGreaterThan(0);
  }, 3_600_000);
});

/** Ids of the keys that the password is not of; undefined when it opens nothing. */
async function otherKeys(password: string): Promise<string[] | undefined> {
  const { code, stdout } = await memkeep(["keys", "list", "--json", "-r", "./keyed"], { password });
  if (code === 12) return undefined;
  const keys = JSON.parse(stdout) as { id: string; current: boolean }[];
  return keys.filter(({ current }) => !current).map(({ id }) => id);
}
