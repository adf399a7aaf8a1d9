/** A stack of real SQLite stores and real repositories in a folder, for tests of the engine. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openStack } from "../../src/config/open-stack.ts";
import { loadConfiguration } from "../../src/config/load.ts";
import { silentObserver } from "../../src/domain/observer.ts";
import { backup, type BackupOptions } from "../../src/engine/backup/run.ts";
import type { BackupReport } from "../../src/engine/backup/report.ts";
import type { Stack, Surroundings } from "../../src/engine/stack.ts";
import { createRepository } from "../../src/repository/restic/open-repository.ts";
import type { Repository } from "../../src/repository/repository.ts";
import { local } from "../../src/storages/local/index.ts";
import { systemClock } from "../../src/util/clock/clock.ts";
import { Redactor } from "../../src/util/redact/redactor.ts";

const password = "of the tests";

export interface World extends AsyncDisposable {
  readonly folder: string;
  readonly stack: Stack;
  readonly surroundings: Surroundings;
  /** Warnings that were told. */
  readonly warnings: string[];
  path(name: string): string;
  backup(options?: Partial<BackupOptions>): Promise<BackupReport>;
  /** The first repository, open until the world ends. */
  repository(): Promise<Repository>;
}

/** Stores `a`, `b`, … as many as asked for, each with ten memories, and one repository. */
export async function makeWorld(stores: readonly string[] = ["a"], name = "memories"): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "memkeep-engine-"));
  const path = (file: string): string => join(folder, file);
  for (const store of stores) makeMemories(path(`${store}.db`), 10);
  const signal = new AbortController().signal;
  const storage = await local.create({ path: path("backups") });
  const access = { clock: systemClock, program: "memkeep test", retryLockMs: 0, signal };
  await (await createRepository({ storage, password, ...access })).close();
  const environment = { MEMKEEP_PASSWORD: password };
  const redactor = new Redactor();
  const { configuration } = await loadConfiguration({
    file: undefined,
    repository: path("backups"),
    stack: name,
    cacheSize: undefined,
    stores: stores.map((store) => `${store}=${path(`${store}.db`)}`),
    environment,
    signal,
    redactor,
  });
  const stack = await openStack(configuration, { ...access, environment, redactor, ask: undefined });
  const warnings: string[] = [];
  const surroundings: Surroundings = {
    clock: systemClock,
    observer: { ...silentObserver, warn: (_scope, text) => void warnings.push(text) },
    signal,
    spoolRoot: path("spool"),
    program: "memkeep test",
    hostname: "here",
  };
  let open: Promise<Repository> | undefined;
  return {
    folder,
    stack,
    surroundings,
    warnings,
    path,
    async backup(options = {}) {
      const result = await backup(
        stack,
        {
          minIntervalMs: 0,
          force: false,
          tags: [],
          allowEmpty: false,
          dryRun: false,
          stallLimitMs: 60_000,
          ...options,
        },
        surroundings,
      );
      if (result.kind !== "ran") throw new Error("it was only planned");
      return result.report;
    },
    repository() {
      open ??= stack.repositories[0]!.open();
      return open;
    },
    async [Symbol.asyncDispose]() {
      await (await open)?.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function makeMemories(path: string, count: number): void {
  using db = new DatabaseSync(path);
  db.exec("CREATE TABLE memories (id INTEGER PRIMARY KEY, content TEXT)");
  const insert = db.prepare("INSERT INTO memories (content) VALUES (?)");
  for (let n = 0; n < count; n++) insert.run(`memory ${n} of ${path}`);
}

/** Runs SQL on a file. */
export function change(path: string, sql: string): void {
  using db = new DatabaseSync(path);
  db.exec(sql);
}

/** All contents, in order. */
export function contents(path: string): unknown[] {
  using db = new DatabaseSync(path, { readOnly: true });
  return db
    .prepare("SELECT content FROM memories ORDER BY id")
    .all()
    .map((row) => row["content"]);
}
