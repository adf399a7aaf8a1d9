/** Damage of the kinds that hands and copying programs do: files under other names, in other places, folders instead of files. */
import { cp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openRepository } from "../../src/repository/restic/open-repository.ts";
import type { ResticRepository } from "../../src/repository/restic/restic-repository.ts";
import { local } from "../../src/storages/local/index.ts";
import { program } from "../engines/require.ts";
import { seededBytes } from "./random-bytes.ts";
import { stockCheck } from "./stock.ts";
import { backup, type Content, makeWorld, password, restore, type World } from "./world.ts";

const restic = await program("restic-0.18.0");
const signal = new AbortController().signal;
const first: Content = { "a.jsonl": seededBytes(1, 120_000) };
const second: Content = { "b.jsonl": seededBytes(2, 90_000) };
const other = "f".repeat(64);

let world: World;
let ids: readonly [string, string];
beforeEach(async () => {
  world = await makeWorld();
  const repository = world.process();
  ids = [(await backup(repository, first)).id, (await backup(repository, second)).id];
});
afterEach(() => world[Symbol.asyncDispose]());

function at(name: string): string {
  return join(world.path, name);
}

function makePipe(command: string, path: string): void {
  execFileSync(command, [path]);
}

async function onePack(): Promise<string> {
  const entries = await readdir(at("data"), { recursive: true, withFileTypes: true });
  const file = entries.find((entry) => entry.isFile())!;
  return join(file.parentPath, file.name).slice(world.path.length + 1);
}

async function move(from: string, to: string): Promise<void> {
  await mkdir(dirname(at(to)), { recursive: true });
  await rename(at(from), at(to));
}

/** As a process that comes from outside: with nothing but the password. */
async function opened(): Promise<ResticRepository> {
  return openRepository({
    storage: await local.open({ path: world.path }),
    password,
    clock: world.clock,
    program: "memkeep test",
    retryLockMs: 0,
    signal,
  });
}

async function expectWhole(repository: ResticRepository): Promise<void> {
  const { findings } = await repository.check({ data: true, signal });
  expect(findings).toEqual([]);
  expect(await restore(await repository.open(ids[0]))).toEqual(first);
  expect(await restore(await repository.open(ids[1]))).toEqual(second);
}

/** What happens, and the file that the check names. */
const misplaced: readonly [string, () => Promise<string>][] = [
  [
    "a snapshot in capitals",
    async () => {
      const name = `snapshots/${ids[0].toUpperCase()}`;
      await move(`snapshots/${ids[0]}`, name);
      return name;
    },
  ],
  [
    "a snapshot under another id",
    async () => {
      await move(`snapshots/${ids[0]}`, `snapshots/${other}`);
      return `snapshots/${other}`;
    },
  ],
  [
    "a copy of a snapshot under another id",
    async () => {
      await cp(at(`snapshots/${ids[0]}`), at(`snapshots/${other}`));
      return `snapshots/${other}`;
    },
  ],
  [
    "two snapshots in each other's place",
    async () => {
      await move(`snapshots/${ids[0]}`, "aside");
      await move(`snapshots/${ids[1]}`, `snapshots/${ids[0]}`);
      await move("aside", `snapshots/${ids[1]}`);
      return `snapshots/${ids[0]}`;
    },
  ],
  [
    "a snapshot in a folder below its own",
    async () => {
      await move(`snapshots/${ids[0]}`, `snapshots/old/${ids[0]}`);
      return `snapshots/old/${ids[0]}`;
    },
  ],
  [
    "an index file in capitals",
    async () => {
      const [id] = await readdir(at("index"));
      await move(`index/${id}`, `index/${id!.toUpperCase()}`);
      return `index/${id!.toUpperCase()}`;
    },
  ],
  [
    "a pack in the wrong folder",
    async () => {
      const name = await onePack();
      const wrong = `data/${name.slice(5, 7) === "00" ? "01" : "00"}/${name.slice(8)}`;
      await move(name, wrong);
      return wrong;
    },
  ],
  [
    "a pack in capitals",
    async () => {
      const name = await onePack();
      const wrong = `${name.slice(0, 8)}${name.slice(8).toUpperCase()}`;
      await move(name, wrong);
      return wrong;
    },
  ],
];

describe("files out of their places", () => {
  test.each(misplaced)("law 3: %s is found, and a repair brings it home", async (_, damage) => {
    const file = await damage();
    const repository = world.process();
    const { findings } = await repository.check({ data: true, signal });
    expect(findings.map((finding) => finding.file)).toContain(file);
    const said = await repository.repair();
    expect(said).toContainEqual(expect.stringMatching(/back under the name that is theirs/));
    await expectWhole(repository);
    if (!restic.missing) await stockCheck(restic.path, world.path);
  });

  test("law 3: a pack under another id is found, and its blobs are saved", async () => {
    const name = await onePack();
    await move(name, `data/ff/${other}`);
    const repository = world.process();
    const { findings } = await repository.check({ data: true, signal });
    expect(findings.map(({ file }) => file)).toContain(name);
    await repository.repair();
    await expectWhole(repository);
  });

  test("a copy too many is a note, and files of other programs are nothing", async () => {
    await cp(at(`snapshots/${ids[0]}`), at(`snapshots/${ids[0].toUpperCase()}`));
    for (const name of ["config.bak", "snapshots/readme.txt", "data/junk", "keys/.DS_Store", "data/00/x"]) {
      await mkdir(dirname(at(name)), { recursive: true });
      await writeFile(at(name), "x");
    }
    const { findings, notes } = await world.process().check({ data: true, signal });
    expect(findings).toEqual([]);
    expect(notes).toEqual([expect.stringContaining(ids[0].toUpperCase())]);
  });
});

describe("something else in the place of a file", () => {
  test.each(["folder", "pipe"])("law 3: a %s where a snapshot was is found, and named", async (what) => {
    const path = at(`snapshots/${ids[0]}`);
    await rm(path);
    if (what === "folder") await mkdir(path);
    else makePipe("mkfifo", path);
    const repository = world.process();
    const { findings } = await repository.check({ data: true, signal });
    expect(findings).toMatchObject([{ file: `snapshots/${ids[0]}`, snapshots: [ids[0]] }]);
    expect(await restore(await repository.open(ids[1]))).toEqual(second);
  });

  test("laws 3 and 8: a file where the folder of snapshots was stops backup and check", async () => {
    await rm(at("snapshots"), { recursive: true });
    await writeFile(at("snapshots"), "x");
    const repository = world.process();
    await expect(backup(repository, first)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await expect(repository.check({ data: true, signal })).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });
});

describe("a lost config", () => {
  test.each<[string, (path: string) => Promise<void>]>([
    ["gone", (path) => rm(path)],
    ["emptied", (path) => writeFile(path, "")],
    ["damaged", async (path) => writeFile(path, (await readFile(path)).fill(0, 20, 25))],
  ])(
    "law 3: %s: what is stored can be read, no backup is made, a repair makes a new one",
    async (_, damage) => {
      await damage(at("config"));
      {
        const repository = await opened();
        const { findings } = await repository.check({ data: true, signal });
        expect(findings).toMatchObject([{ file: "config", snapshots: [...ids].sort() }]);
        expect(await restore(await repository.open(ids[0]))).toEqual(first);
        await expect(backup(repository, second)).rejects.toMatchObject({
          message: expect.any(String) as string,
        });
        expect(await repository.repair()).toEqual([expect.stringContaining("made a new config")]);
        await repository.close();
      }
      const repository = await opened();
      await backup(repository, second);
      await expectWhole(repository);
      await repository.close();
    },
  );

  test("a folder without keys is no repository", async () => {
    for (const name of ["config", "keys"]) await rm(at(name), { recursive: true });
    await expect(opened()).rejects.toMatchObject({ code: "REPOSITORY_MISSING" });
  });

  test("keys that are emptied are told with what can be done", async () => {
    const [key] = await readdir(at("keys"));
    await writeFile(at(`keys/${key}`), "");
    await expect(opened()).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
      next: expect.stringContaining("another copy") as string,
    });
  });
});

describe("links", () => {
  test("law 5: a link that leads back into the repository moves nothing away from its place", async () => {
    for (const [name, target] of [
      ["zz", ".."],
      ["yy", "../keys"],
      ["xx", "../../.."],
    ] as const)
      await symlink(target, at(`data/${name}`));
    const repository = world.process();
    expect(await repository.repair()).toEqual(["found nothing to repair"]);
    await expectWhole(repository);
    await (await opened()).close();
  });

  test("law 5: a file that a second name leads to is not lost by bringing the second home", async () => {
    const disk = join(world.folder, "disk");
    await rename(at("data"), disk);
    await symlink(disk, at("data"));
    await symlink(disk, join(disk, "again"));
    const [bucket] = (await readdir(disk)).filter((name) => /^[0-9a-f]{2}$/.test(name));
    await symlink(join(disk, bucket!), join(disk, "twice"));
    const repository = world.process();
    await repository.repair();
    await expectWhole(repository);
  });
});

describe("a key of another repository, with the same password", () => {
  let stranger: World;
  beforeEach(async () => {
    stranger = await makeWorld();
  });
  afterEach(() => stranger[Symbol.asyncDispose]());

  test("law 5: in the place of ours: refused before a repair could throw away what the right key opens", async () => {
    const [[ours], [theirs]] = await Promise.all([readdir(at("keys")), readdir(join(stranger.path, "keys"))]);
    await cp(join(stranger.path, "keys", theirs!), at(`keys/${ours}`));
    await expect(opened()).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
      message: expect.stringContaining("another repository's") as string,
    });
  });

  test.each(["0", "f"])("beside ours (%s): ours is the one that is used", async (digit) => {
    const [theirs] = await readdir(join(stranger.path, "keys"));
    await cp(join(stranger.path, "keys", theirs!), at(`keys/${digit.repeat(64)}`));
    const repository = await opened();
    expect((await repository.check({ data: false, signal })).findings.map(({ file }) => file)).not.toContain(
      "config",
    );
    expect(await restore(await repository.open(ids[0]))).toEqual(first);
    await repository.close();
  });
});
