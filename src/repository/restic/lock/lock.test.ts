import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FaultyStorage, type ScriptedFault } from "../../../storages/decorators/faults.ts";
import { LocalStorage } from "../../../storages/local/storage.ts";
import { ManualClock } from "../../../util/clock/manual-clock.ts";
import { generateMasterKey } from "../crypto/master-key.ts";
import { createSealer } from "../crypto/seal.ts";
import { Objects } from "../objects/objects.ts";
import { local } from "../../../storages/local/index.ts";
import { systemClock } from "../../../util/clock/clock.ts";
import { createRepository } from "../open-repository.ts";
import { encodeLock, type Here, isStale, type LockFile } from "./lock-file.ts";
import { acquireLock, type HeldLock, listLocks, type LockParts, removeLocks } from "./lock.ts";

const minuteMs = 60_000;
const key = generateMasterKey();
let folder: string;
let clock: ManualClock;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "memkeep-lock-"));
  clock = new ManualClock({ skipSleeps: true });
});
afterEach(() => rm(folder, { recursive: true }));

interface Machine {
  readonly hostname: string;
  readonly pid: number;
  readonly startedMs?: number;
  readonly alive?: readonly number[];
  readonly script?: readonly ScriptedFault[];
}

function machine({ hostname, pid, startedMs = 0, alive = [pid], script = [] }: Machine): LockParts {
  return {
    objects: new Objects(new FaultyStorage(new LocalStorage(folder), script, clock), createSealer(key)),
    clock,
    owner: { hostname, username: "somebody", pid, uid: 0, gid: 0 },
    here: () => ({ nowMs: clock.now(), hostname, pid, startedMs, isAlive: (other) => alive.includes(other) }),
  };
}

interface Wanted {
  readonly exclusive?: boolean;
  readonly purpose?: string;
  readonly retryMs?: number;
}

function lock(parts: LockParts, { exclusive = false, purpose, retryMs = 0 }: Wanted = {}): Promise<HeldLock> {
  return acquireLock(parts, { exclusive, purpose, retryMs, signal: new AbortController().signal });
}

const refused = { code: "REPOSITORY_LOCKED", exitCode: 11 };
const here = machine.bind(undefined, { hostname: "here", pid: 10 });
const there = machine.bind(undefined, { hostname: "there", pid: 10 });

describe("who excludes whom", () => {
  test("two backups of one stack, from any machine", async () => {
    await using _first = await lock(here(), { purpose: "memkeep:mine" });
    await expect(lock(there(), { purpose: "memkeep:mine" })).rejects.toMatchObject(refused);
  });

  test("backups of two stacks go side by side", async () => {
    await using _first = await lock(here(), { purpose: "memkeep:mine" });
    await using _second = await lock(there(), { purpose: "memkeep:yours" });
    expect(await listLocks(here())).toHaveLength(2);
  });

  test("a backup and a prune, whichever came first", async () => {
    const backup = await lock(here(), { purpose: "memkeep:mine" });
    await expect(lock(there(), { exclusive: true })).rejects.toMatchObject(refused);
    await backup[Symbol.asyncDispose]();
    await using _prune = await lock(there(), { exclusive: true });
    await expect(lock(here(), { purpose: "memkeep:mine" })).rejects.toMatchObject(refused);
  });

  test("two prunes that begin at the same moment: at most one holds the repository", async () => {
    const results = await Promise.allSettled([
      lock(here(), { exclusive: true }),
      lock(there(), { exclusive: true }),
    ]);
    const held = results.filter(({ status }) => status === "fulfilled");
    expect(held.length).toBeLessThanOrEqual(1);
    expect(await listLocks(here())).toHaveLength(held.length);
  });

  test("the refusal names the holder, and leaves no lock of its own", async () => {
    await using _held = await lock(there(), { exclusive: true, purpose: "memkeep:mine" });
    await expect(lock(here())).rejects.toThrow(/memkeep:mine on there \(pid 10\) has held it for itself/);
    expect(await listLocks(here())).toHaveLength(1);
  });

  test("retries as long as it was told, and takes the repository when it is free", async () => {
    const held = await lock(there(), { exclusive: true });
    await expect(lock(here(), { retryMs: 5 * minuteMs })).rejects.toMatchObject(refused);
    expect(clock.sleeps.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThanOrEqual(5 * minuteMs);
    clock.sleep = async () => held[Symbol.asyncDispose]();
    await using _lock = await lock(here(), { retryMs: 5 * minuteMs });
  });
});

describe("left-over locks", () => {
  test("law 4: one that this process could not remove does not hold up its next run; what another run of it holds does", async () => {
    // No other test of this process has left a lock of that time.
    clock.advance(123_456_789);
    const cut = machine({ hostname: "here", pid: 10, script: [{ kind: "fail", at: 1, on: "remove" }] });
    const run = await lock(cut, { purpose: "memkeep:mine" });
    await expect(run[Symbol.asyncDispose]()).rejects.toThrow();
    expect(await listLocks(here())).toMatchObject([{ stale: true }]);

    await using _next = await lock(here(), { purpose: "memkeep:mine" });
    await expect(lock(here(), { purpose: "memkeep:mine" })).rejects.toMatchObject(refused);
  });

  const young = { time: "2026-11-20T00:00:00Z", hostname: "here", pid: 7 } satisfies LockFile;
  const nowMs = Date.parse(young.time) + minuteMs;
  const base: Here = {
    nowMs,
    hostname: "here",
    pid: 10,
    startedMs: nowMs - 5 * minuteMs,
    isAlive: () => true,
  };

  test.each<[string, LockFile, Here, boolean]>([
    ["young, its process lives", young, base, false],
    ["young, its process on this host is gone", young, { ...base, isAlive: () => false }, true],
    ["young, another process has its number", young, { ...base, isAlive: (_, seen) => seen > nowMs }, true],
    ["young, on another host", { ...young, hostname: "there" }, { ...base, isAlive: () => false }, false],
    ["half an hour old", young, { ...base, nowMs: nowMs + 30 * minuteMs }, true],
    ["in the future", young, { ...base, nowMs: nowMs - 60 * minuteMs }, false],
    [
      "our own pid, older than we are: an earlier start of this container",
      { ...young, pid: 10 },
      { ...base, startedMs: nowMs },
      true,
    ],
    ["our own pid, younger than we are", { ...young, pid: 10 }, base, false],
    ["no time that can be read", { ...young, time: "?" }, { ...base, isAlive: () => false }, false],
  ])("%s: stale or not", (_what, file, at, stale) => {
    expect(isStale(file, at)).toBe(stale);
  });

  test("law 4: the lock of a killed process is removed by the next run, without help", async () => {
    await lock(machine({ hostname: "here", pid: 7 }), { exclusive: true });
    await using _lock = await lock(here(), { exclusive: true });
    expect(await listLocks(here())).toMatchObject([{ pid: 10, stale: false }]);
  });

  test("law 4: in a container the lock of the start before has our own pid, and goes too", async () => {
    await lock(machine({ hostname: "here", pid: 1 }), { exclusive: true });
    clock.advance(minuteMs);
    const restarted = machine({ hostname: "here", pid: 1, startedMs: clock.now() });
    await using _lock = await lock(restarted, { exclusive: true });
  });

  test("law 4: a killed run's pid that another program got since holds nothing up; a live one's does", async () => {
    const program = spawn("sleep", ["60"]);
    try {
      const repository = await createRepository({
        storage: await local.create({ path: folder }),
        password: "correct horse",
        clock: systemClock,
        program: "test",
        retryLockMs: 0,
        signal: new AbortController().signal,
      });
      const owner = { hostname: hostname(), username: "", pid: program.pid!, uid: 0, gid: 0 };
      for (const agoMs of [0, minuteMs])
        await repository.objects.save("locks", encodeLock(owner, true, systemClock.now() - agoMs));
      const locks = (await repository.locks()).toSorted((a, b) => a.time.localeCompare(b.time));
      expect(locks).toMatchObject([{ stale: true }, { stale: false }]);
      await repository.close();
    } finally {
      program.kill();
    }
  });

  test("a lock that cannot be read holds the repository until a person removes it", async () => {
    await using _held = await lock(there());
    const id = (await listLocks(here()))[0]!.id;
    await writeFile(join(folder, "locks", id), "junk");
    await expect(lock(here())).rejects.toMatchObject({
      ...refused,
      next: expect.stringContaining("unlock --all") as string,
    });
    expect(await removeLocks(here(), false)).toBe(0);
    expect(await removeLocks(here(), true)).toBe(1);
  });

  test("an empty lock file, as a crash of the file system leaves it, is nobody's", async () => {
    await using held = await lock(there(), { exclusive: true });
    const id = (await listLocks(here()))[0]!.id;
    await writeFile(join(folder, "locks", id), "");
    await using _lock = await lock(here());
    expect(held).toBeDefined();
  });
});

describe("while it is held", () => {
  test("it is written anew before others could take it for stale", async () => {
    await using held = await lock(here());
    const [before] = await listLocks(here());
    clock.advance(11 * minuteMs);
    await held.assertHeld();
    const after = await listLocks(here());
    expect(after).toHaveLength(1);
    expect(after[0]!.id).not.toBe(before!.id);
    expect(Date.parse(after[0]!.time)).toBe(clock.now());
  });

  test("after a long sleep of the machine it goes on when the lock is still there", async () => {
    await using held = await lock(here(), { exclusive: true });
    clock.advance(8 * 60 * minuteMs);
    await held.assertHeld();
    expect(await listLocks(here())).toMatchObject([{ stale: false }]);
  });

  test("law 4: after a long sleep it writes nothing when another took the repository meanwhile", async () => {
    await using held = await lock(here(), { exclusive: true });
    clock.advance(31 * minuteMs);
    await using _other = await lock(there(), { exclusive: true });
    await expect(held.assertHeld()).rejects.toMatchObject({ code: "LOCK_LOST" });
    await expect(held.assertHeld()).rejects.toMatchObject({ code: "LOCK_LOST" });
    expect(await listLocks(here())).toMatchObject([{ hostname: "there" }]);
  });

  test("a refresh that fails for a while does no harm, one that fails for long stops the run", async () => {
    const failures = Array.from({ length: 20 }, (_, n): ScriptedFault => ({
      kind: "fail",
      at: n + 2,
      on: "write",
    }));
    await using held = await lock(machine({ hostname: "here", pid: 10, script: failures }));
    clock.advance(15 * minuteMs);
    await held.assertHeld();
    clock.advance(8 * minuteMs);
    await expect(held.assertHeld()).rejects.toMatchObject({ code: "LOCK_LOST" });
  });

  test("a clock that was set back is treated like a long sleep", async () => {
    await using held = await lock(here());
    clock.advance(-60 * minuteMs);
    await held.assertHeld();
    const [after] = await listLocks(here());
    expect(Date.parse(after!.time)).toBeLessThanOrEqual(clock.now());
  });
});
