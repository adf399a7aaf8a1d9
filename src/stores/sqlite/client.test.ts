/** Files that are no database, are damaged, or cannot be read beside their application: each is refused in words. */
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { DumpFolder, takeDump } from "../contract/dump-folder.ts";
import { makeSample } from "../../../test/sqlite/sample.ts";
import { startScript, storeAt, temporaryFolder, untilReady } from "../../../test/sqlite/processes.ts";

function newPath(): string {
  return join(temporaryFolder(), "memory.db");
}

describe("a file that cannot be backed up", () => {
  it("W-R8: a missing file is told, and never created", async () => {
    const path = newPath();
    const store = storeAt(path);
    await expect(store.describe()).rejects.toMatchObject({ code: "STORE_MISSING" });
    await expect(store.open()).rejects.toMatchObject({ code: "STORE_MISSING" });
    await store.probe();
    for (const task of await store.maintenance()) {
      await expect(task.run()).rejects.toMatchObject({ code: "STORE_MISSING" });
    }
    symlinkSync(path, `${path}-link`);
    await expect(storeAt(`${path}-link`).open()).rejects.toThrow(
      /symbolic link to a file that does not exist/,
    );
    expect(existsSync(path)).toBe(false);
  });

  it("a directory, an encrypted file and a text file", async () => {
    const path = newPath();
    mkdirSync(path);
    await expect(storeAt(path).open()).rejects.toThrow(/it is a directory/);
    const encrypted = newPath();
    writeFileSync(encrypted, randomBytes(8192));
    await expect(storeAt(encrypted).open()).rejects.toMatchObject({
      code: "STORE_UNREADABLE",
      next: expect.stringContaining("SQLCipher") as string,
    });
    const text = newPath();
    writeFileSync(text, "hello");
    await expect(storeAt(text).open()).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
    expect(readFileSync(text, "utf8")).toBe("hello");
  });

  it("a text that a thread's usual heap cannot hold is copied, checked and digested", async () => {
    const path = newPath();
    using db = new DatabaseSync(path);
    db.exec("CREATE TABLE memory(id INTEGER PRIMARY KEY, x)");
    db.prepare("INSERT INTO memory (x) VALUES (?)").run("long ".repeat(20_000_000));
    const { manifest } = await takeDump(storeAt(path), temporaryFolder());
    expect(manifest.collections).toMatchObject([{ name: "memory", records: 1 }]);
  });

  it("W-R1: a database without tables is refused unless that is allowed", async () => {
    const path = newPath();
    writeFileSync(path, "");
    await expect(storeAt(path).open()).rejects.toMatchObject({ code: "STORE_EMPTY" });
    const { manifest } = await takeDump(storeAt(path, { allowEmpty: true }), temporaryFolder());
    expect(manifest.collections).toEqual([]);
    const wal = newPath();
    using db = new DatabaseSync(wal);
    db.exec("PRAGMA journal_mode = WAL; CREATE TABLE memory(x); INSERT INTO memory VALUES (1)");
    const copied = newPath();
    copyFileSync(wal, copied);
    await expect(storeAt(copied).open()).rejects.toMatchObject({ code: "STORE_EMPTY" });
    const { manifest: whole } = await takeDump(storeAt(wal), temporaryFolder());
    expect(whole.collections).toMatchObject([{ name: "memory", records: 1 }]);
  });

  it("an emptied file keeps its WAL: SQLite would delete it", async () => {
    const path = newPath();
    writeFileSync(path, "");
    writeFileSync(`${path}-wal`, "frames");
    await expect(storeAt(path).open()).rejects.toMatchObject({ code: "STORE_DAMAGED" });
    expect(readFileSync(`${path}-wal`, "utf8")).toBe("frames");
  });

  it("law 3: damage in one page fails the dump, and salvage gives the very bytes", async () => {
    const path = newPath();
    makeSample(path, 500);
    const whole = readFileSync(path);
    const pageBytes = 4096;
    let found = 0;
    for (let page = 2; page < whole.length / pageBytes; page += 7) {
      const damaged = Buffer.from(whole);
      damaged.fill(0xaa, page * pageBytes, page * pageBytes + 200);
      writeFileSync(path, damaged);
      await using view = await storeAt(path).open();
      const outcome = await view.dump(new DumpFolder(temporaryFolder(), "memory")).then(
        () => "passed",
        (error: { code?: string }) => error.code,
      );
      // A free page holds nothing; everything else must be seen.
      if (outcome === "STORE_DAMAGED") found++;
      else expect(outcome).toBe("STORE_DAMAGED");
    }
    expect(found).toBeGreaterThan(5);
    const now = readFileSync(path);
    await using salvaged = await storeAt(path).salvage!();
    const dump = new DumpFolder(temporaryFolder(), "memory");
    await salvaged!.dump(dump);
    expect((await dump.contents()).get("memory.db")).toEqual(now);
  });

  it("a hot journal is not rolled back behind the application's back", async () => {
    const path = newPath();
    const child = startScript(
      `import { DatabaseSync } from "node:sqlite";
       const db = new DatabaseSync(process.argv[2]);
       db.exec("PRAGMA journal_mode = DELETE; PRAGMA cache_size = 5; CREATE TABLE t(x);"
         + "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000) INSERT INTO t SELECT randomblob(500) FROM c;"
         + "BEGIN; UPDATE t SET x = randomblob(500)");
       process.kill(process.pid, "SIGKILL");`,
      path,
    );
    await once(child, "exit");
    const journal = readFileSync(`${path}-journal`);
    await expect(storeAt(path).open()).rejects.toMatchObject({
      code: "STORE_UNREADABLE",
      next: expect.stringContaining("killed in the middle of a transaction") as string,
    });
    expect(readFileSync(`${path}-journal`)).toEqual(journal);
  });

  it("an application with an exclusive lock is waited for, and then told", async () => {
    const path = newPath();
    await untilReady(
      startScript(
        `import { DatabaseSync } from "node:sqlite";
         const db = new DatabaseSync(process.argv[2]);
         db.exec("CREATE TABLE t(x); BEGIN EXCLUSIVE; INSERT INTO t VALUES (1)");
         console.log("locked"); setInterval(() => db.isOpen, 1000);`,
        path,
      ),
    );
    await expect(storeAt(path, { busyTimeout: "10ms" }).open()).rejects.toMatchObject({ code: "STORE_BUSY" });
  });
});

/** Tries `open` as another user than root: what such a user may do cannot be seen as root. */
async function openAs(uid: number, path: string): Promise<string> {
  const child = startScript(
    `import { mkdtempSync } from "node:fs"; import { tmpdir } from "node:os"; import { join } from "node:path";
     process.setgid(Number(process.argv[3])); process.setuid(Number(process.argv[3]));
     const { sqlite } = await import("./index.ts"); const { schema } = await import("./config.ts");
     const { systemClock } = await import("../../util/clock/clock.ts");
     const { silentObserver } = await import("../../domain/observer.ts");
     const spoolFolder = mkdtempSync(join(tmpdir(), "memkeep-user-"));
     const store = sqlite.connect(schema.parse({ path: process.argv[2] }),
       { name: "memory", clock: systemClock, observer: silentObserver, spoolFolder, signal: new AbortController().signal });
     try { const view = await store.open(); console.log((await view.collections()).length + " collections");
       await view[Symbol.asyncDispose](); }
     catch (error) { console.log(error.code + " " + error.message); }`,
    path,
    String(uid),
  );
  let output = "";
  child.stdout!.on("data", (data: Buffer) => (output += data.toString()));
  await once(child, "exit");
  return output.trim();
}

describe.skipIf(process.geteuid?.() !== 0)("beside an application of another user (as root only)", () => {
  const application = 61_001;
  const other = 61_002;

  function walDatabase(folderMode: number): string {
    const folder = temporaryFolder();
    const path = join(folder, "memory.db");
    using db = new DatabaseSync(path);
    db.exec("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)");
    db.close();
    for (const name of readdirSync(folder)) chownSync(join(folder, name), application, application);
    chownSync(folder, application, application);
    chmodSync(folder, folderMode);
    return path;
  }

  it("refuses to leave a -shm of the wrong owner behind", async () => {
    const path = walDatabase(0o777);
    expect(await openAs(other, path)).toMatch(/^STORE_DENIED .*leave a -shm file behind/);
    expect(existsSync(`${path}-shm`)).toBe(false);
    expect(await openAs(application, path)).toBe("1 collections");
  });

  it("refuses in a folder that it may not write, and works while the application runs", async () => {
    const path = walDatabase(0o755);
    expect(await openAs(other, path)).toMatch(/^STORE_DENIED /);
    await untilReady(
      startScript(
        `import { DatabaseSync } from "node:sqlite";
         process.setgid(${application}); process.setuid(${application});
         const db = new DatabaseSync(process.argv[2]); db.exec("INSERT INTO t VALUES (2)");
         console.log("open"); setInterval(() => db.isOpen, 1000);`,
        path,
      ),
    );
    expect(await openAs(other, path)).toBe("1 collections");
  });

  it("refuses a file that it may not read", async () => {
    const path = walDatabase(0o755);
    chmodSync(path, 0o600);
    expect(await openAs(other, path)).toMatch(/^STORE_DENIED /);
  });
});
