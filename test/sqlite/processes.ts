/** What the tests beside it share: folders that go away again, contexts, and other processes that use a database. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import type { Observer } from "../../src/domain/observer.ts";
import { type Clock, systemClock } from "../../src/util/clock/clock.ts";
import type { Store, StoreContext } from "../../src/stores/store.ts";
import { type SqliteSettings, schema } from "../../src/stores/sqlite/config.ts";
import { sqlite } from "../../src/stores/sqlite/index.ts";

/** Scripts import the adaptor's rooms relative to it. */
const scriptFolder = join(import.meta.dirname, "../../src/stores/sqlite");

const cleanUps: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

/** A new folder; gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "memkeep-sqlite-"));
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Heard {
  readonly warnings: string[];
  readonly observer: Observer;
}

export function listen(): Heard {
  const warnings: string[] = [];
  const observer: Observer = {
    step: () => undefined,
    progress: () => undefined,
    warn: (_, text) => warnings.push(text),
  };
  return { warnings, observer };
}

export function contextFor(
  options: { observer?: Observer; clock?: Clock; signal?: AbortSignal } = {},
): StoreContext {
  return {
    name: "memory",
    clock: options.clock ?? systemClock,
    observer: options.observer ?? listen().observer,
    spoolFolder: temporaryFolder(),
    signal: options.signal ?? new AbortController().signal,
  };
}

export function storeAt(
  path: string,
  config: Partial<SqliteSettings> = {},
  context: StoreContext = contextFor(),
): Store {
  return sqlite.connect(schema.parse({ path, ...config }), context);
}

/**
 * Runs a module's text in a process of its own, on this Node; ended after the test. It says a word on its standard output
 * when it is ready; `process.argv[2]` and on are `args`.
 */
export function startScript(script: string, ...args: string[]): ChildProcess {
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script, "script", ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: scriptFolder,
  });
  cleanUps.push(() => endScript(child));
  return child;
}

export async function untilReady(child: ChildProcess): Promise<ChildProcess> {
  await Promise.race([
    once(child.stdout!, "data"),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`the script ended with ${code}`))),
  ]);
  child.stdout!.resume();
  return child;
}

export async function endScript(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

/**
 * A writer that never rests: each transaction moves one unit between two accounts and appends a numbered line. Whatever
 * instant is seen, the sum is 0 and the lines have no gap.
 */
export const constantWriter = `
  import { DatabaseSync } from "node:sqlite";
  const [path, journalMode] = process.argv.slice(2);
  const db = new DatabaseSync(path, { timeout: 60_000 });
  db.exec("PRAGMA journal_mode = " + journalMode + "; PRAGMA synchronous = OFF;"
    + "CREATE TABLE IF NOT EXISTS account(id INTEGER PRIMARY KEY, amount INTEGER);"
    + "CREATE TABLE IF NOT EXISTS line(n INTEGER PRIMARY KEY, text TEXT);"
    + "INSERT OR IGNORE INTO account VALUES (1, 0), (2, 0)");
  const take = db.prepare("UPDATE account SET amount = amount - 1 WHERE id = 1");
  const give = db.prepare("UPDATE account SET amount = amount + 1 WHERE id = 2");
  const append = db.prepare("INSERT INTO line(text) VALUES (?)");
  const trim = db.prepare("DELETE FROM line WHERE n < ?");
  for (let n = 0; ; n++) {
    db.exec("BEGIN IMMEDIATE");
    take.run();
    const { lastInsertRowid } = append.run("line " + n + "x".repeat(n % 700));
    give.run();
    if (n % 500 === 0) trim.run(Number(lastInsertRowid) - 3000);
    db.exec("COMMIT");
    if (n === 200) console.log("ready");
  }
`;
