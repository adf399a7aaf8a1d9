/** memkeep and stock restic, old and new, at work on one repository. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ResticRepository } from "../../src/repository/restic/restic-repository.ts";
import { systemClock } from "../../src/util/clock/clock.ts";
import { program } from "../engines/require.ts";
import { seededBytes } from "./random-bytes.ts";
import { stock, stockCheck } from "./stock.ts";
import { backup, type Content, makeWorld, password, restore, type World } from "./world.ts";

const signal = new AbortController().signal;
const everything = { maxUnused: 0, maxRepackBytes: undefined };
const shared = seededBytes(1, 700_000);
const first: Content = { "store/a.jsonl": shared, "manifest.json": Buffer.from("{}\n") };
const second: Content = { "store/a.jsonl": shared, "store/b.jsonl": seededBytes(2, 90_000) };

for (const version of ["restic-0.14.0", "restic-0.18.0", "restic-unstable"] as const) {
  const restic = await program(version);

  describe.skipIf(restic.missing)(version, () => {
    const ran = async (path: string, args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await stock(restic.path, path, args);
      expect(code, `restic ${args.join(" ")}: ${stdout}${stderr}`).toBe(0);
      return stdout;
    };
    /** Bytes of the files that stock restic brings back, by path below the snapshot's root. */
    const restored = async (world: World, args: readonly string[]): Promise<Record<string, Buffer>> => {
      const target = join(world.folder, `restored-${Math.random()}`);
      await ran(world.path, ["restore", ...args, "--target", target]);
      const entries = await readdir(target, { recursive: true, withFileTypes: true });
      const files = entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name));
      return Object.fromEntries(
        await Promise.all(
          files.map(async (file) => [file.slice(target.length + 1), await readFile(file)] as const),
        ),
      );
    };
    const both = async (world: World): Promise<void> => {
      await stockCheck(restic.path, world.path);
      const report = await world.process().check({ data: true, signal });
      expect(report.findings).toEqual([]);
    };

    for (const maker of ["memkeep", "restic"] as const) {
      test(`law 9: a repository that ${maker} made is written, checked, thinned and restored by both`, async () => {
        await using world =
          maker === "memkeep"
            ? await makeWorld(systemClock)
            : await makeWorld(systemClock, (path) => ran(path, ["init", "--repository-version", "2"]));
        const folder = join(world.folder, "home");
        await mkdir(folder);
        await writeFile(join(folder, "notes.txt"), shared);
        await writeFile(join(folder, "empty"), "");

        const mine = await backup(world.process(), first);
        await ran(world.path, ["backup", folder]);
        const mineToo = await backup(world.process(), second);
        await writeFile(join(folder, "more.txt"), seededBytes(3, 40_000));
        await ran(world.path, ["backup", folder]);
        await both(world);

        const theirs = (await world.process().snapshots()).filter(({ stack }) => stack === undefined);
        expect(theirs.length).toBe(2);
        const [newest, oldest] = theirs.map(({ id }) => id);
        expect(await restored(world, [mine.id])).toEqual(below("stack", first));
        expect(await restored(world, ["latest", "--path", "/stack"])).toEqual(below("stack", second));
        const read = await restore(await world.process().open(newest!));
        expect(read[`${folder.slice(1)}/notes.txt`]).toEqual(shared);
        expect(read[`${folder.slice(1)}/more.txt`]).toEqual(seededBytes(3, 40_000));

        await world.process().forget([oldest!]);
        await world.process().prune(everything);
        await both(world);
        await ran(world.path, ["forget", mine.id]);
        await ran(world.path, ["prune", "--max-unused", "0"]);
        await both(world);
        expect(await restored(world, ["latest", "--path", "/stack"])).toEqual(below("stack", second));
        expect(await restore(await world.process().open(mineToo.id))).toEqual(second);
        expect((await restored(world, [newest!]))[`${folder.slice(1)}/notes.txt`]).toEqual(shared);
      });
    }

    test("stock forget, prune, check and restore neither harm nor meet proofs and safety snapshots", async () => {
      await using world = await makeWorld(systemClock);
      const repository = world.process();
      const nowMs = Date.now();
      await backup(repository, first, { timeMs: nowMs - 3000 });
      const kept = await backup(repository, second, { timeMs: nowMs - 2000 });
      const safety = await backup(repository, first, { timeMs: nowMs - 1000, safety: "restore" });
      const at = new Date(nowMs).toISOString();
      const proof = {
        snapshot: kept.id,
        level: "stored",
        ok: true,
        at,
        program: "test",
        durationMs: 1,
        stores: [],
      } as const;
      await repository.addProof(proof);

      await ran(world.path, ["forget", "--keep-last", "1", "--prune", "--max-unused", "0"]);
      await ran(world.path, ["check", "--read-data"]);
      expect(await repository.proofs()).toEqual([proof]);
      const left = (await repository.snapshots()).map(({ id }) => id);
      expect(left).toEqual([safety.id, kept.id]);
      expect(await restored(world, ["latest", "--path", "/stack"])).toEqual(below("stack", second));
      expect(await restore(await world.process().open(safety.id))).toEqual(first);
      await both(world);
    });

    test("locks: a repository that restic holds refuses us, one that we hold refuses restic", async () => {
      await using world = await makeWorld(systemClock);
      await backup(world.process(), first);

      const writer = await holding(restic.path, world, ["backup", "--stdin"]);
      await expect(world.process().prune(everything)).rejects.toMatchObject({
        code: "REPOSITORY_LOCKED",
        exitCode: 11,
      });
      await expect(backup(world.process(), second)).resolves.toMatchObject({ stack: "stack" });
      await end(writer);
      await world.process().unlock(true);

      const checker = await holding(restic.path, world, ["check"]);
      await expect(backup(world.process(), second)).rejects.toMatchObject({
        code: "REPOSITORY_LOCKED",
        exitCode: 11,
      });
      await end(checker);
      await world.process().unlock(true);

      await expectRefused(
        world.process(),
        true,
        ["backup", join(world.folder, "repository", "config")],
        world,
      );
      await expectRefused(world.process(), false, ["prune"], world);
    });

    async function expectRefused(
      repository: ResticRepository,
      exclusive: boolean,
      args: readonly string[],
      world: World,
    ): Promise<void> {
      await using _lock = await repository.lock({ exclusive });
      const { code, stderr } = await stock(restic.path, world.path, args);
      expect(stderr).toMatch(/locked/);
      // 0.14 knows only 1.
      expect(code).toBe(version === "restic-0.14.0" ? 1 : 11);
    }
  });
}

function below(stack: string, content: Content): Content {
  return Object.fromEntries(Object.entries(content).map(([path, bytes]) => [`${stack}/${path}`, bytes]));
}

/** Starts restic and stops its time as soon as its lock stands: it waits 200 ms before it looks again and begins. */
async function holding(binary: string, world: World, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(binary, ["--no-cache", "--repo", world.path, ...args], {
    env: { ...process.env, RESTIC_PASSWORD: password },
    stdio: ["pipe", "ignore", "ignore"],
  });
  const locks = join(world.path, "locks");
  const isThere = async (): Promise<boolean> =>
    (await readdir(locks).catch(() => [])).some((name) => /^[0-9a-f]{64}$/.test(name));
  while (!(await isThere()))
    if (child.exitCode !== null) throw new Error(`restic ended with ${child.exitCode}`);
  child.kill("SIGSTOP");
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}
