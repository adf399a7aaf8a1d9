import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeFolder, makeMemory, removeFolder, type Ended, runMemkeep } from "./run-memkeep.ts";

let folder: string;
beforeEach(async () => {
  folder = await makeFolder();
  makeMemory(join(folder, "memory.db"), 300_000);
  expect((await memkeep(["init", "-q", "-r", "./backups"])).code).toBe(0);
});
afterEach(() => removeFolder(folder));

const backup = ["backup", "--verbose", "-s", "./memory.db", "-r", "./backups"];

function memkeep(args: readonly string[], onStderr?: (text: string, pid: number) => void): Promise<Ended> {
  return runMemkeep(args, {
    cwd: folder,
    env: { MEMKEEP_PASSWORD: "correct horse" },
    ...(onStderr ? { onStderr } : {}),
  });
}

/** Of a folder of the repository, which is made when something is put there. */
function entries(name: string): Promise<string[]> {
  return readdir(join(folder, "backups", name)).catch(() => []);
}

/** Sends signals once, when the backup is in the middle of its work. */
function sendInTheMiddle(...signals: NodeJS.Signals[]): (text: string, pid: number) => void {
  let sent = false;
  return (text, pid) => {
    if (sent || !text.includes("backing up")) return;
    sent = true;
    for (const signal of signals) process.kill(pid, signal);
  };
}

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s ends cleanly, says so, and the next run needs no help",
  async (signal) => {
    const ended = await memkeep(backup, sendInTheMiddle(signal));
    expect(ended).toMatchObject({ code: 130, stdout: "" });
    expect(ended.stderr).toMatch(/ending cleanly/);
    expect(ended.stderr).toMatch(/error: could not finish: it was abandoned/);
    expect(await entries("locks")).toEqual([]);
    expect(await entries("snapshots")).toEqual([]);
    expect((await memkeep(backup)).code).toBe(0);
  },
);

test("the second Ctrl-C leaves at once, and the next run needs no help", async () => {
  let pids = 0;
  const ended = await memkeep(backup, (text, pid) => {
    if (text.includes("backing up") && pids++ === 0) process.kill(pid, "SIGINT");
    if (text.includes("ending cleanly")) process.kill(pid, "SIGINT");
  });
  expect(ended.code).toBe(130);
  expect(await entries("snapshots")).toEqual([]);
  expect((await memkeep(backup)).code).toBe(0);
});

test("SIGHUP does not end a backup: restic sends it to holders of locks", async () => {
  const ended = await memkeep(backup, sendInTheMiddle("SIGHUP"));
  expect(ended.code).toBe(0);
  expect(await entries("snapshots")).toHaveLength(1);
});
