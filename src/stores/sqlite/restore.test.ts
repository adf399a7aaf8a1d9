/** Restores in place: what stands there after a crash at any step, and what must never come back. */
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { type TakenDump, takeDump } from "../contract/dump-folder.ts";
import type { RestoreOptions, Store, SwitchOutcome } from "../store.ts";
import { scalar } from "./sql.ts";
import { switchNames } from "./switch.ts";
import {
  contextFor,
  listen,
  startScript,
  storeAt,
  temporaryFolder,
  untilReady,
} from "../../../test/sqlite/processes.ts";

const inPlace: RestoreOptions = { target: { kind: "in-place" }, force: false };

function makeRows(path: string, count: number): void {
  using db = new DatabaseSync(path);
  db.exec("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS memory(id INTEGER PRIMARY KEY, text TEXT)");
  db.prepare(
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?) INSERT INTO memory(text) SELECT 'row ' || n FROM c",
  ).run(count);
}

function rowCount(path: string): number {
  using db = new DatabaseSync(path);
  expect(scalar(db, "PRAGMA integrity_check")).toBe("ok");
  return Number(scalar(db, "SELECT count(*) FROM memory"));
}

/** A program that adds rows and is killed: they are committed, and only in the WAL. */
async function writeAndDie(path: string, rows: number): Promise<void> {
  const child = startScript(
    `import { DatabaseSync } from "node:sqlite";
     const db = new DatabaseSync(process.argv[2]);
     db.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
     for (let n = 0; n < Number(process.argv[3]); n++) db.exec("INSERT INTO memory(text) VALUES ('crashed')");
     process.kill(process.pid, "SIGKILL");`,
    path,
    String(rows),
  );
  await once(child, "exit");
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
}

async function restore(
  store: Store,
  taken: TakenDump,
  options: RestoreOptions = inPlace,
): Promise<SwitchOutcome> {
  const source = taken.dump.source(taken.manifest);
  const plan = await store.planRestore(source, options);
  await using restoration = await store.stage(plan, source, options);
  expect(await restoration.facts()).toEqual(taken.manifest.collections);
  const outcome = await restoration.switch();
  await restoration.keep();
  return outcome;
}

describe("restore in place", () => {
  it("W-R2: 50 rows of an old WAL come back after cp, and do not after a restore", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "memory.db");
    makeRows(path, 100);
    const taken = await takeDump(storeAt(path), join(folder, "dump"));
    await writeAndDie(path, 50);
    const copied = join(temporaryFolder(), "memory.db");
    for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, copied + suffix);
    // What Rose's guide tells people to do.
    copyFileSync(join(taken.dump.folder, "memory.db"), copied);
    expect(rowCount(copied)).toBe(150);

    const { previous } = await restore(storeAt(path), taken);
    expect(rowCount(path)).toBe(100);
    expect(rowCount(join(previous!.location, "memory.db"))).toBe(150);
  });

  it("the undo command brings the replaced database back, and the next restore lets it go", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "it's memory.db");
    makeRows(path, 10);
    const taken = await takeDump(storeAt(path), join(folder, "dump"));
    await writeAndDie(path, 5);
    const { previous } = await restore(storeAt(path), taken);
    const shell = startScript(
      `import { execFileSync } from "node:child_process"; execFileSync("sh", ["-c", process.argv[2]]);`,
      previous!.undo,
    );
    expect((await once(shell, "exit"))[0]).toBe(0);
    expect(rowCount(path)).toBe(15);
    await restore(storeAt(path), taken);
    makeRows(path, 1);
    const second = await restore(storeAt(path), taken);
    expect(rowCount(join(second.previous!.location, basename(path)))).toBe(11);
    expect(readdirSync(folder).filter((name) => name.includes("memkeep")).length).toBe(1);
  });

  it("keeps mode and place: a symbolic link stays one, the real file is replaced", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "memory.db");
    makeRows(path, 3);
    const taken = await takeDump(storeAt(path), join(folder, "dump"));
    makeRows(path, 3);
    const linked = join(temporaryFolder(), "link.db");
    symlinkSync(path, linked);
    const { mode } = statSync(path);
    await restore(storeAt(linked), taken);
    expect(rowCount(path)).toBe(3);
    expect(statSync(path).mode).toBe(mode);
    expect(rowCount(linked)).toBe(3);
  });

  it("names a program that has the database open, and goes on only with force", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "memory.db");
    makeRows(path, 3);
    const taken = await takeDump(storeAt(path), join(folder, "dump"));
    const child = await untilReady(
      startScript(
        `import { DatabaseSync } from "node:sqlite";
         const db = new DatabaseSync(process.argv[2]);
         db.exec("BEGIN"); db.prepare("SELECT count(*) FROM memory").get();
         console.log("open"); setInterval(() => db.isOpen, 1000);`,
        path,
      ),
    );
    makeRows(path, 50);
    const source = taken.dump.source(taken.manifest);
    const store = storeAt(path);
    const plan = await store.planRestore(source, inPlace);
    expect(plan.obstacles).toMatchObject([{ overridable: true }]);
    expect(plan.obstacles[0]!.text).toContain(`process ${child.pid}`);
    await expect(store.stage(plan, source, inPlace)).rejects.toMatchObject({ code: "TARGET_IN_USE" });
    expect(rowCount(path)).toBe(53);
    const outcome = await restore(store, taken, { ...inPlace, force: true });
    expect(outcome.warnings.join()).toContain(`process ${child.pid}`);
    expect(rowCount(path)).toBe(3);
    expect(rowCount(join(outcome.previous!.location, "memory.db"))).toBe(53);
  });

  it("replaces a damaged database whose WAL cannot be dealt with, and keeps its bytes", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "memory.db");
    makeRows(path, 2000);
    const taken = await takeDump(storeAt(path), join(folder, "dump"));
    await writeAndDie(path, 20);
    const bytes = readFileSync(path);
    bytes.fill(0x55, 0, 4096);
    writeFileSync(path, bytes);
    const wal = readFileSync(`${path}-wal`);
    await using salvaged = await storeAt(path).salvage!();
    expect(salvaged).toBeDefined();
    const { previous } = await restore(storeAt(path), taken);
    expect(rowCount(path)).toBe(2000);
    expect(readFileSync(join(previous!.location, "memory.db"))).toEqual(bytes);
    expect(readFileSync(join(previous!.location, "memory.db-wal"))).toEqual(wal);
  });

  it("law 12: a manifest cannot name a file outside the store's folder", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "memory.db");
    makeRows(path, 1);
    const { dump, manifest } = await takeDump(storeAt(path), join(folder, "dump"));
    const [file] = manifest.files;
    for (const name of ["../x.db", "memory/../../x.db", "a/b.db", ".."]) {
      const source = dump.source(manifest, { files: [{ ...file!, path: `memory/${name}` }] });
      await expect(storeAt(path).planRestore(source, inPlace)).rejects.toMatchObject({
        code: "MANIFEST_INVALID",
      });
    }
  });

  it("refuses when the disk would become too full, and writes nothing", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "memory.db");
    makeRows(path, 1);
    const taken = await takeDump(storeAt(path), join(folder, "dump"));
    const store = storeAt(path, { reserve: "9000TB" });
    const source = taken.dump.source(taken.manifest);
    const plan = await store.planRestore(source, inPlace);
    await expect(store.stage(plan, source, inPlace)).rejects.toMatchObject({ code: "SPACE_LOW" });
    await using view = await store.open();
    await expect(view.dump(taken.dump)).rejects.toMatchObject({ code: "SPACE_LOW" });
  });
});

/** Switches in a process of its own, which kills itself before step `argv[4]` is left. */
const switchScript = `
  import { switchIn, switchNames, undoSwitch } from "./switch.ts";
  const [path, work, last] = process.argv.slice(2);
  const names = switchNames(path);
  const step = (name) => { if (name === last) process.kill(process.pid, "SIGKILL"); };
  if (work === "undo") { await switchIn(names, false, () => {}); await undoSwitch(names, step); }
  else await switchIn(names, false, step);
`;

describe("a restore that is killed while it switches", () => {
  const healthy = ["marked", "linked", "renamed", "cleaned", "none"];
  const damaged = ["marked", "companions linked", "set aside", "cleaned", "renamed", "none"];
  const undone = ["new taken away", "companions back", "old back", "none"];
  const cases = [
    ...healthy.map((step) => ({ old: "healthy", work: "switch", step })),
    ...damaged.map((step) => ({ old: "damaged", work: "switch", step })),
    ...undone.flatMap((step) => ["healthy", "damaged"].map((old) => ({ old, work: "undo", step }))),
  ];
  for (const { old, work, step } of cases) {
    it(`law 5: ${old} database, ${work}, killed after "${step}": the old with its WAL or the new without`, async () => {
      const folder = temporaryFolder();
      const path = join(folder, "memory.db");
      makeRows(path, 2000);
      await writeAndDie(path, 50);
      if (old === "damaged") {
        const bytes = readFileSync(path);
        bytes.fill(0x55, 0, 4096);
        writeFileSync(path, bytes);
      }
      const oldBytes = readFileSync(path);
      const oldWal = readFileSync(`${path}-wal`);
      makeRows(join(folder, "new.db"), 7);
      const newBytes = readFileSync(join(folder, "new.db"));
      writeFileSync(switchNames(path).staged, newBytes);
      await once(startScript(switchScript, path, work, step), "exit");
      // Before anything mends it: never a new file with the old WAL, nor an old one without it.
      const now = existsSync(path) ? readFileSync(path) : undefined;
      const wal = existsSync(`${path}-wal`) ? readFileSync(`${path}-wal`) : Buffer.alloc(0);
      if (now?.equals(newBytes)) expect(wal.length).toBe(0);
      else if (now && old === "damaged")
        expect([now.equals(oldBytes), wal.equals(oldWal)]).toEqual([true, true]);
      const heard = listen();
      const store = storeAt(path, {}, contextFor(heard));
      await store.describe().catch((error: unknown) => {
        expect(old).toBe("damaged");
        expect(error).toMatchObject({ code: "STORE_UNREADABLE" });
      });
      const after = readFileSync(path);
      if (after.equals(newBytes)) {
        expect(rowCount(path)).toBe(7);
        expect(work).toBe("switch");
        const kept = join(switchNames(path).previous, "memory.db");
        if (old === "healthy") expect(rowCount(kept)).toBe(2050);
        else expect([readFileSync(kept), readFileSync(`${kept}-wal`)]).toEqual([oldBytes, oldWal]);
      } else if (old === "healthy") {
        expect(rowCount(path)).toBe(2050);
      } else {
        expect([after.equals(oldBytes), readFileSync(`${path}-wal`).equals(oldWal)]).toEqual([true, true]);
      }
      expect(existsSync(switchNames(path).switching)).toBe(false);
      rmSync(path);
    });
  }

  it("does not throw away a database that a program made in the gap", async () => {
    const path = join(temporaryFolder(), "memory.db");
    makeRows(path, 2000);
    await writeAndDie(path, 5);
    writeFileSync(path, readFileSync(path).fill(0x55, 0, 4096));
    makeRows(`${path}-new`, 7);
    writeFileSync(switchNames(path).staged, readFileSync(`${path}-new`));
    await once(startScript(switchScript, path, "switch", "set aside"), "exit");
    rmSync(`${path}-wal`, { force: true });
    makeRows(path, 1);
    await expect(storeAt(path).describe()).rejects.toMatchObject({ code: "TARGET_EXISTS" });
    expect(rowCount(path)).toBe(1);
    expect(existsSync(join(switchNames(path).switching, "memory.db"))).toBe(true);
  });
});
