/**
 * Puts a staged file into the place of a database, so that old and new never mix: a `-wal` or `-journal` of the old file
 * would be replayed into the new one as soon as a program opens it.
 *
 * Names beside `memory.db`: `memory.db.memkeep-new` (staged), `memory.db.memkeep-switch/` (the old set, while a switch is
 * under way), `memory.db.memkeep-previous/` (the set that the last finished restore replaced).
 *
 * The usual way, when SQLite can open the old file: its journal is rolled back and its WAL checkpointed, under a lock that
 * keeps others out. Now it is one file. It gets a second name in the switch folder, then the new file is renamed over
 * it: one atomic step. A crash before leaves the old, after it the new.
 *
 * When the old file is damaged, in use (`force`), or the file system has no hard links, its WAL cannot be dealt with in
 * one step. Then the old set moves into the switch folder first, the database itself before its WAL, and the new file
 * takes the place last. A crash in between leaves no database at that name (never one with a wrong WAL), and
 * `recoverSwitch`, which every later plan and probe runs, puts the old set back.
 */
import { constants } from "node:fs";
import { access, copyFile, link, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MemkeepError, isMemkeepError } from "../../domain/errors.ts";
import { errnoOf, syncFile, syncFolder } from "../../util/fs/durable.ts";
import { isAlive } from "../../util/process/alive.ts";
import { companionSuffixes, examine, sizeOf } from "./database-file.ts";
import { resultCode } from "./failure.ts";
import { scalar } from "./sql.ts";

export interface SwitchNames {
  readonly database: string;
  readonly staged: string;
  readonly switching: string;
  readonly previous: string;
}

export function switchNames(database: string): SwitchNames {
  return {
    database,
    staged: `${database}.memkeep-new`,
    switching: `${database}.memkeep-switch`,
    previous: `${database}.memkeep-previous`,
  };
}

/** Called between the steps, with the step's name; tests crash there. */
export type StepHook = (step: string) => void | Promise<void>;

/** Written into the switch folder before anything moves, and removed when the switch is final. */
interface Marker {
  readonly newInode: string;
  /** Who switches: a live process is left alone. */
  readonly pid: number;
  /** Inodes of the old set's companions in the switch folder, by suffix: what may come back, and what is somebody else's. */
  readonly companions: Readonly<Record<string, string>>;
}
const markerName = "memkeep-switch.json";
/** Databases that this process is switching now: what stands there is no leftover. */
const underway = new Set<string>();

/** Switches, and leaves the old set in the switch folder. The staged file is durable and checked. */
export async function switchIn(names: SwitchNames, force: boolean, step: StepHook): Promise<void> {
  underway.add(names.database);
  await mkdir(names.switching, { mode: 0o700 });
  const { ino } = await stat(names.staged, { bigint: true });
  let marker: Marker = { newInode: String(ino), pid: process.pid, companions: {} };
  await writeMarker(names, marker);
  await syncFolder(dirname(names.database));
  await step("marked");
  if (await looksWhole(names.database)) {
    using settled = settle(names.database, force);
    const isOneFile = settled !== undefined && (await hasNoCompanionData(names.database));
    if (
      isOneFile &&
      (await linkIfPossible(names.database, join(names.switching, basename(names.database))))
    ) {
      await syncFolder(names.switching);
      await step("linked");
      await rename(names.staged, names.database);
      await syncFolder(dirname(names.database));
      await step("renamed");
      await removeCompanions(names.database);
      await syncFolder(dirname(names.database));
      await step("cleaned");
      return;
    }
  }
  marker = { ...marker, companions: await linkCompanionsAside(names) };
  await writeMarker(names, marker);
  await step("companions linked");
  await setAside(names, step);
  await rename(names.staged, names.database);
  await syncFolder(dirname(names.database));
  await step("renamed");
}

/** SQLite must not touch a file that is damaged at first sight: its bytes, and its WAL, are what can still be saved from. */
async function looksWhole(path: string): Promise<boolean> {
  try {
    await examine(path);
    return true;
  } catch (error) {
    if (!isMemkeepError(error)) throw error;
    return false;
  }
}

/** Gives the old WAL and journal their places in the switch folder, beside their present ones. */
async function linkCompanionsAside({ database, switching }: SwitchNames): Promise<Record<string, string>> {
  const inodes: Record<string, string> = {};
  for (const suffix of companionSuffixes) {
    if ((await sizeOf(database + suffix)) === undefined) continue;
    const aside = join(switching, basename(database) + suffix);
    if (!(await linkIfPossible(database + suffix, aside))) {
      await copyFile(database + suffix, aside);
      await using handle = await open(aside, "r");
      await syncFile(handle);
    }
    inodes[suffix] = (await inodeOf(aside)) ?? "";
  }
  return inodes;
}

/** Moves the database into the switch folder, then lets go of the companions' old names: nothing stands there any more. */
async function setAside({ database, switching }: SwitchNames, step: StepHook): Promise<void> {
  if ((await sizeOf(database)) !== undefined) await rename(database, join(switching, basename(database)));
  await syncFolder(switching);
  await syncFolder(dirname(database));
  await step("set aside");
  await removeCompanions(database);
  await syncFolder(dirname(database));
  await step("cleaned");
}

/**
 * Brings the old database into one file and keeps others from writing until disposed. Undefined when that cannot be: the
 * file is damaged, or somebody else uses it.
 */
function settle(path: string, force: boolean): (Disposable & { readonly settled: true }) | undefined {
  // The file exists: a read-write connection creates nothing. Short waits: who has it open, has it open.
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: force ? 2000 : 500, defensive: true });
    if (!force) db.exec("PRAGMA locking_mode = EXCLUSIVE");
    scalar(db, "SELECT count(*) FROM sqlite_schema");
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    db.exec("BEGIN IMMEDIATE");
    const held = db;
    return { settled: true, [Symbol.dispose]: () => held.close() };
  } catch (error) {
    db?.close();
    if (resultCode(error) === undefined) throw error;
    return undefined;
  }
}

async function hasNoCompanionData(database: string): Promise<boolean> {
  const wal = await sizeOf(`${database}-wal`);
  const journal = await sizeOf(`${database}-journal`);
  return (wal ?? 0) === 0 && (journal ?? 0) === 0;
}

async function linkIfPossible(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EXDEV"].includes(errnoOf(error) ?? ""))
      return false;
    throw error;
  }
}

async function removeCompanions(database: string): Promise<void> {
  for (const suffix of companionSuffixes) await rm(database + suffix, { force: true });
}

/** After the switch and the comparison: the switch folder becomes `previous`, the one before goes. */
export async function finishSwitch(names: SwitchNames): Promise<void> {
  underway.delete(names.database);
  await rm(join(names.switching, markerName), { force: true });
  if (await exists(join(names.switching, basename(names.database)))) {
    await rm(names.previous, { recursive: true, force: true });
    await rename(names.switching, names.previous);
  } else {
    // There was nothing to replace: what an earlier restore replaced is still the previous one.
    await rm(names.switching, { recursive: true });
  }
  await syncFolder(dirname(names.database));
}

/** Undoes a switch, finished or not: the old set stands at its names again, the new file is gone. */
export async function undoSwitch(names: SwitchNames, step: StepHook): Promise<void> {
  const { database, switching, staged } = names;
  const old = join(switching, basename(database));
  underway.delete(database);
  const marker = await readMarker(names);
  if (marker === undefined) return;
  if ((await inodeOf(database)) === marker.newInode) {
    await rename(database, staged);
    await syncFolder(dirname(database));
    await step("new taken away");
  }
  if ((await sizeOf(old)) !== undefined) {
    await refuseForeign(names, old);
    if ((await inodeOf(database)) === (await inodeOf(old))) {
      await rm(old);
    } else {
      // Nothing stands at the database's name. What lies beside it belonged to the new file, unless an undo that was
      // interrupted has put it back already.
      for (const suffix of companionSuffixes) {
        const aside = join(switching, basename(database) + suffix);
        if ((await sizeOf(aside)) !== undefined) await rename(aside, database + suffix);
        else if ((await inodeOf(database + suffix)) !== marker.companions[suffix]) {
          await rm(database + suffix, { force: true });
        }
      }
      await syncFolder(dirname(database));
      await step("companions back");
      await rename(old, database);
    }
    await syncFolder(dirname(database));
    await step("old back");
  }
  await rm(staged, { force: true });
  await rm(switching, { recursive: true, force: true });
  await syncFolder(dirname(database));
}

/** A program found no database and made a new one: nothing of that may be thrown away. */
async function refuseForeign(names: SwitchNames, old: string): Promise<void> {
  const now = await inodeOf(names.database);
  if (now === undefined || now === (await inodeOf(old))) return;
  throw new MemkeepError("TARGET_EXISTS", {
    tried: `put the database ${names.database} back after an interrupted restore`,
    happened: "a program has made a new one in its place meanwhile",
    next: `The old one is whole in ${names.switching}. Stop the program, decide which one to keep, and move the other away.`,
  });
}

async function inodeOf(path: string): Promise<string | undefined> {
  try {
    return String((await stat(path, { bigint: true })).ino);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Whole or not at all, also over an earlier one. */
async function writeMarker({ switching }: SwitchNames, marker: Marker): Promise<void> {
  const path = join(switching, markerName);
  await writeFile(`${path}.new`, JSON.stringify(marker), { flush: true });
  await rename(`${path}.new`, path);
  await syncFolder(switching);
}

async function readMarker(names: SwitchNames): Promise<Marker | undefined> {
  try {
    return JSON.parse(await readFile(join(names.switching, markerName), "utf8")) as Marker;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

export type Recovery = "nothing" | "undone" | "finished";

/** True when an earlier restore was killed while it switched. */
export function switchIsPending(names: SwitchNames): Promise<boolean> {
  return exists(names.switching);
}

/**
 * Ends what a killed restore began: where the new file has taken the place the switch is finished, otherwise the old set
 * is put back. `TARGET_IN_USE` while another process is at it. Every step may itself be interrupted and run again.
 */
export async function recoverSwitch(names: SwitchNames): Promise<Recovery> {
  if (!(await switchIsPending(names))) return "nothing";
  const marker = await readMarker(names);
  const isAnothers = marker !== undefined && marker.pid !== process.pid && isAlive(marker.pid);
  if (underway.has(names.database)) return "nothing";
  if (isAnothers) {
    throw new MemkeepError("TARGET_IN_USE", {
      tried: `look at ${names.database}`,
      happened: `another memkeep (process ${marker.pid}) is restoring it`,
      next: "Wait until it has ended.",
    });
  }
  if (marker && (await inodeOf(names.database)) !== marker.newInode) {
    await undoSwitch(names, () => undefined);
    return "undone";
  }
  await finishSwitch(names);
  if (!marker) await rm(names.staged, { force: true });
  return marker ? "finished" : "undone";
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path, constants.F_OK);
    return true;
  } catch (error) {
    // A name that the file system cannot hold names nothing.
    if (["ENOENT", "ENAMETOOLONG"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}
