import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ManualClock } from "../../util/clock/manual-clock.ts";
import { describeStorageContract } from "../contract/contract.ts";
import { entriesOf } from "../contract/entries.ts";
import { localPlace } from "../contract/local-place.ts";
import { local } from "./index.ts";
import { LocalStorage } from "./storage.ts";
import { isAbandoned, temporaryPath } from "./temporary.ts";

const isRoot = process.geteuid?.() === 0;
const dayMs = 24 * 60 * 60 * 1000;

describeStorageContract("a folder", () => localPlace());
describeStorageContract("a folder without hard links", () =>
  localPlace((path) => path, { link: () => Promise.reject(systemError("EPERM")) }),
);

describe("a folder as storage", () => {
  let folder: string;
  let root: string;
  let storage: LocalStorage;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "memkeep-local-"));
    root = join(folder, "repository");
    await local.create({ path: root });
    storage = new LocalStorage(root);
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it("makes folders and files that only their owner can read", async () => {
    await storage.write("data/ab/abcd", [Buffer.from("x")]);

    for (const path of ["", "data", "data/ab"])
      expect((await stat(join(root, path))).mode & 0o777).toBe(0o700);
    expect((await stat(join(root, "data/ab/abcd"))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(root, "data/ab"))).toEqual(["abcd"]);
  });

  it("opens only a folder, and makes none when it opens", async () => {
    await writeFile(join(folder, "file"), "");

    await expect(local.open({ path: join(folder, "no") })).rejects.toMatchObject({ code: "STORAGE_MISSING" });
    await expect(local.open({ path: join(folder, "file") })).rejects.toMatchObject({
      code: "STORAGE_MISSING",
    });
    expect(await readdir(folder)).toEqual(["file", "repository"]);
    await expect(local.create({ path: join(folder, "file/below") })).rejects.toMatchObject({
      code: "STORAGE_FAILED",
    });
  });

  it("laws 3 and 8: a file in the place of a folder is neither an empty folder nor a taken name", async () => {
    await writeFile(join(root, "snapshots"), "x");
    const wrong = { code: "STORAGE_FAILED", message: expect.stringContaining("a file stands") as string };

    await expect(storage.write("snapshots/one", [Buffer.from("x")])).rejects.toMatchObject(wrong);
    await expect(entriesOf(storage, "snapshots/")).rejects.toMatchObject(wrong);
    expect(await storage.stat("snapshots/one")).toBeUndefined();
  });

  it("tells what is neither an entry nor a folder with entries", async () => {
    await storage.write("data/ab/abcd", [Buffer.from("x")]);
    await mkdir(join(root, "snapshots/empty"), { recursive: true });
    run("mkfifo", [join(root, "data/ab/pipe")]);
    await symlink("abcd", join(root, "data/ab/link"));

    expect((await Array.fromAsync(storage.oddities())).toSorted()).toEqual([
      "data/ab/pipe",
      "snapshots/empty",
    ]);
  });

  it("law 3: does not take an unmounted disk for an empty storage, nor write beneath its mount point", async () => {
    await storage.write("config", [Buffer.from("x")]);
    await rename(root, join(folder, "elsewhere"));

    const gone = { code: "STORAGE_MISSING", message: expect.stringContaining(root) as string };
    await expect(entriesOf(storage)).rejects.toMatchObject(gone);
    await expect(storage.stat("config")).rejects.toMatchObject(gone);
    await expect(storage.read("config")).rejects.toMatchObject(gone);
    await expect(storage.remove("config")).rejects.toMatchObject(gone);
    await expect(storage.write("data/ab/abcd", [])).rejects.toMatchObject(gone);
    await expect(storage.write("config", [])).rejects.toMatchObject(gone);
    expect(await readdir(folder)).toEqual(["elsewhere"]);
  });

  it("makes a folder anew that somebody removed", async () => {
    await storage.write("data/ab/one", []);
    await rm(join(root, "data"), { recursive: true });

    await storage.write("data/ab/two", []);

    expect(await entriesOf(storage)).toEqual([{ name: "data/ab/two", sizeBytes: 0 }]);
  });

  it("passes over the files of other programs", async () => {
    await storage.write("data/ab/one", []);
    await mkdir(join(root, "lost+found"));
    await mkdir(join(root, ".snapshot"));
    await writeFile(join(root, ".snapshot", "old"), "");
    await writeFile(join(root, "README backup.txt"), "");
    await writeFile(join(root, "data/ab", `${"0".repeat(64)}-tmp-1234567`), "restic's");

    expect(await entriesOf(storage)).toEqual([{ name: "data/ab/one", sizeBytes: 0 }]);
    expect(await storage.sweep()).toBe(0);
  });

  it("follows symbolic links to files and folders, also in a circle, and never through one that dangles", async () => {
    await mkdir(join(folder, "large-disk/ab"), { recursive: true });
    await writeFile(join(folder, "large-disk/ab/abcd"), "moved");
    await symlink(join(folder, "large-disk"), join(root, "data"));
    await symlink(root, join(root, "circle"));

    expect(await entriesOf(storage)).toEqual([{ name: "data/ab/abcd", sizeBytes: 5 }]);
    expect((await storage.read("data/ab/abcd")).toString()).toBe("moved");

    await symlink(join(folder, "not-mounted"), join(root, "index"));
    await expect(entriesOf(storage)).rejects.toMatchObject({
      code: "STORAGE_FAILED",
      message: expect.stringContaining("symbolic link to something that is not there") as string,
    });
    await symlink(join(folder, "nothing"), join(root, "config"));
    await expect(storage.write("config", [Buffer.from("x")])).rejects.toMatchObject({
      code: "STORAGE_EXISTS",
    });
    expect((await lstat(join(root, "config"))).isSymbolicLink()).toBe(true);
    await storage.remove("data/ab/abcd");
    await storage.remove("circle");
    expect((await stat(root)).isDirectory()).toBe(true);
  });

  it("knows its own success when NFS reports it as a collision", async () => {
    const nfs = new LocalStorage(root, { link: linkAsNfs });

    await nfs.write("config", [Buffer.from("first")]);

    const second = new LocalStorage(root, { link: linkAsNfs }).write("config", [Buffer.from("second")]);
    await expect(second).rejects.toMatchObject({ code: "STORAGE_EXISTS" });
    expect((await storage.read("config")).toString()).toBe("first");
    expect(await readdir(root)).toEqual(["config"]);
  });

  it("is not held up by a fifo", async () => {
    run("mkfifo", [join(root, "config")]);

    await expect(storage.read("config", { offset: 0, length: 4 })).rejects.toMatchObject({
      code: "STORAGE_FAILED",
    });
    expect(await storage.stat("config")).toBeUndefined();
    expect(await entriesOf(storage)).toEqual([]);
  });

  it("law 3: takes an entry that became shorter while it was read for damaged", async () => {
    await storage.write("shrinks", [Buffer.alloc(10)]);
    await writeFile(join(root, "shrinks"), "short");

    await expect(storage.read("shrinks", { offset: 0, length: 10 })).rejects.toMatchObject({
      code: "STORAGE_FAILED",
      message: expect.stringContaining("ends at byte 5") as string,
    });
  });

  describe("temporary files", () => {
    it("of a killed process are swept, of one that is only stopped are not", async () => {
      const writer = spawn(process.execPath, [
        "--input-type=module",
        "-e",
        `const { LocalStorage } = await import(${JSON.stringify(new URL("storage.ts", import.meta.url).href)});
         await new LocalStorage(${JSON.stringify(root)}).write("config", Array(20_000).fill(Buffer.alloc(65536)));`,
      ]);
      const isWriting = async (): Promise<boolean> =>
        (await readdir(root)).some((name) => name.includes("-tmp-"));
      while (!(await isWriting()) && writer.exitCode === null) await setTimeout(5);
      writer.kill("SIGSTOP");
      expect(await isWriting()).toBe(true);

      expect(await storage.sweep()).toBe(0);
      writer.kill("SIGKILL");
      await once(writer, "exit");
      expect(await entriesOf(storage)).toEqual([]);
      expect(await storage.sweep()).toBe(1);
      expect(await readdir(root)).toEqual([]);
    });

    it("of an earlier process with our pid are swept; of another machine, after a day", async () => {
      const own = temporaryPath(join(root, "config"));
      const earlier = own.replace(/-[0-9a-f]{8}-(\d+)$/, "-00000000-$1");
      const elsewhere = own.replace(/-tmp-[0-9a-f]{8}-/, "-tmp-00000000-");
      for (const path of [own, earlier, elsewhere]) await writeFile(path, "");

      expect(await storage.sweep()).toBe(1);
      expect((await readdir(root)).length).toBe(2);

      const clock = new ManualClock({ startMs: (await stat(elsewhere)).mtimeMs });
      clock.advance(dayMs + 1);
      expect(await new LocalStorage(root, { clock }).sweep()).toBe(2);
    });

    it("are recognised by their whole name", () => {
      expect(isAbandoned("config", 0, 2 * dayMs)).toBe(false);
      expect(isAbandoned("notes-tmp-2026", 0, 2 * dayMs)).toBe(false);
      expect(isAbandoned(temporaryPath("config"), 0, 2 * dayMs)).toBe(true);
    });
  });

  describe.skipIf(!isRoot)("with the kernel against it", () => {
    const mounts: string[] = [];
    afterEach(() => {
      for (const path of mounts.splice(0)) run("umount", [path]);
    });

    it("law 4: leaves nothing of an entry that did not fit on the disk", async () => {
      run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", root]);
      mounts.push(root);
      await storage.write("fits", [Buffer.alloc(300_000, 1)]);

      await expect(storage.write("data/ab/large", [Buffer.alloc(900_000)])).rejects.toMatchObject({
        code: "STORAGE_FULL",
        message: expect.stringContaining(`data/ab/large in ${root}`) as string,
        next: expect.stringContaining("prune") as string,
      });

      expect(await entriesOf(storage)).toEqual([{ name: "fits", sizeBytes: 300_000 }]);
      expect(await readdir(join(root, "data/ab"))).toEqual([]);
      await storage.write("data/ab/small", [Buffer.alloc(300_000)]);
    });

    it("names a read-only file system", async () => {
      run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", root]);
      mounts.push(root);
      await storage.write("config", [Buffer.from("x")]);
      run("mount", ["-o", "remount,ro", root]);

      const readOnly = { code: "STORAGE_READ_ONLY" };
      await expect(storage.write("key", [])).rejects.toMatchObject(readOnly);
      await expect(storage.write("keys/one", [])).rejects.toMatchObject(readOnly);
      await expect(storage.remove("config")).rejects.toMatchObject(readOnly);
      expect((await storage.read("config")).toString()).toBe("x");
    });

    it("names a refused permission", async () => {
      await storage.write("data/ab/abcd", [Buffer.from("x")]);
      await chmod(folder, 0o711);
      await chown(root, 65534, 65534);
      await asNobody(async () => {
        const denied = {
          code: "STORAGE_DENIED",
          next: expect.stringContaining("user that runs memkeep") as string,
        };
        await expect(storage.read("data/ab/abcd")).rejects.toMatchObject(denied);
        await expect(storage.stat("data/ab/abcd")).rejects.toMatchObject(denied);
        await expect(storage.write("data/ab/two", [])).rejects.toMatchObject(denied);
        await expect(storage.remove("data/ab/abcd")).rejects.toMatchObject(denied);
        await expect(entriesOf(storage)).rejects.toMatchObject(denied);
        await storage.write("mine", [Buffer.from("works")]);
      });
      expect(await readFile(join(root, "mine"), "utf8")).toBe("works");
    });
  });

  it("leaves what is older than a day alone when it is no temporary file", async () => {
    await storage.write("config", []);
    await utimes(join(root, "config"), 0, 0);

    expect(await storage.sweep()).toBe(0);
    expect(await entriesOf(storage)).toHaveLength(1);
  });
});

async function linkAsNfs(from: string, to: string): Promise<void> {
  await link(from, to);
  throw systemError("EEXIST");
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

async function asNobody(act: () => Promise<void>): Promise<void> {
  process.setegid?.(65534);
  process.seteuid?.(65534);
  try {
    await act();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args);
}
