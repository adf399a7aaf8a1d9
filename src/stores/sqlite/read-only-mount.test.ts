/** A database on a file system that is mounted read-only. Needs the right to mount, as the root of CI has it. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { takeDump } from "../contract/dump-folder.ts";
import { startScript, storeAt, temporaryFolder } from "../../../test/sqlite/processes.ts";

const place = mkdtempSync(join(tmpdir(), "memkeep-mount-"));

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: "ignore" });
}

function mayMount(): boolean {
  try {
    run("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", place]);
    return true;
  } catch {
    return false;
  }
}

const isMounted = mayMount();
afterAll(() => {
  if (isMounted) run("umount", [place]);
  rmSync(place, { recursive: true, force: true });
});

describe.skipIf(!isMounted)("a read-only mount", () => {
  beforeAll(async () => {
    for (const name of ["idle", "killed"]) {
      const child = startScript(
        `import { DatabaseSync } from "node:sqlite";
         const db = new DatabaseSync(process.argv[2]);
         db.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(x); INSERT INTO t VALUES (1), (2)");
         if (process.argv[3] === "killed") process.kill(process.pid, "SIGKILL");
         db.close();`,
        join(place, `${name}.db`),
        name,
      );
      await once(child, "exit");
    }
    {
      using db = new DatabaseSync(join(place, "plain.db"));
      db.exec("CREATE TABLE t(x); INSERT INTO t VALUES (1), (2)");
    }
    run("mount", ["-o", "remount,ro", place]);
  });

  it.each(["idle", "plain"])("%s: works, and leaves nothing there", async (name) => {
    const { manifest } = await takeDump(storeAt(join(place, `${name}.db`)), temporaryFolder());
    expect(manifest.collections).toMatchObject([{ name: "t", records: 2 }]);
  });

  it("law 3: with rows that are only in the WAL it gives all of them, or is refused with the reason", async () => {
    const outcome = await takeDump(storeAt(join(place, "killed.db")), temporaryFolder()).then(
      ({ manifest }) => manifest.collections,
      (error: unknown) => error,
    );
    if (outcome instanceof Error)
      expect(outcome).toMatchObject({
        code: "STORE_DENIED",
        next: expect.stringContaining("-shm") as string,
      });
    else expect(outcome).toMatchObject([{ name: "t", records: 2 }]);
  });
});
