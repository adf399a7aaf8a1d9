/** Maintenance that changes the database file, each task on a connection of its own that may write. */
import { sizeText } from "../../domain/words.ts";
import { DatabaseSync } from "node:sqlite";
import { MemkeepError } from "../../domain/errors.ts";
import type { MaintenanceTask } from "../store.ts";
import type { SqliteConfig } from "./config.ts";
import { examine, sizeOf } from "./database-file.ts";
import { storeError } from "./failure.ts";
import { requireRoom } from "./space.ts";
import { iterateExact } from "./sql.ts";
import { dirname } from "node:path";

export function maintenanceTasks(config: SqliteConfig): readonly MaintenanceTask[] {
  return [
    {
      name: "checkpoint",
      text: "write the WAL into the database and empty it",
      run: () => withDatabase(config, "checkpoint", checkpoint),
    },
    {
      name: "optimize",
      text: "let SQLite refresh the statistics that it finds stale",
      run: () =>
        withDatabase(config, "optimize", (db) => done(db, "PRAGMA optimize", "statistics are fresh")),
    },
    {
      name: "analyze",
      text: "gather the statistics of all indexes",
      run: () => withDatabase(config, "analyze", (db) => done(db, "ANALYZE", "all statistics are gathered")),
    },
    {
      name: "vacuum",
      text: "rebuild the file without free pages; every page moves, so the next snapshot stores the whole file again, and rowids of tables without a primary key may change",
      run: () => vacuum(config),
    },
  ];
}

async function withDatabase(
  config: SqliteConfig,
  task: string,
  work: (db: DatabaseSync, path: string) => string | Promise<string>,
): Promise<string> {
  // The file is there: a connection that may write creates nothing.
  const { path } = await examine(config.path);
  try {
    using db = new DatabaseSync(path, { timeout: config.busyTimeout, defensive: true });
    return await work(db, path);
  } catch (error) {
    throw storeError(error, path, `run ${task} on ${path}`);
  }
}

function done(db: DatabaseSync, sql: string, outcome: string): string {
  db.exec(sql);
  return outcome;
}

function checkpoint(db: DatabaseSync, path: string): string {
  const [row] = iterateExact(db, "PRAGMA wal_checkpoint(TRUNCATE)");
  const [busy, frames] = row ?? [];
  if (busy !== 0n) {
    throw new MemkeepError("STORE_BUSY", {
      tried: `empty the WAL of ${path}`,
      happened: "another program is reading or writing",
      next: "Try again later; a program that never ends its transaction has to be restarted.",
    });
  }
  return frames === -1n ? "the database is not in WAL mode: nothing to do" : "the WAL is empty";
}

async function vacuum(config: SqliteConfig): Promise<string> {
  return withDatabase(config, "vacuum", async (db, path) => {
    const before = (await sizeOf(path)) ?? 0;
    // SQLite writes a copy, and the changed pages a second time into the journal or WAL.
    await requireRoom(dirname(path), before * 2, config, `vacuum ${path}`);
    db.exec("VACUUM");
    // In WAL mode the file shrinks with the next checkpoint; a reader in the way only puts that off.
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    const after = (await sizeOf(path)) ?? 0;
    return `${sizeText(before - after)} were given back`;
  });
}
