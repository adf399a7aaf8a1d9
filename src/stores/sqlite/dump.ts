/**
 * The dump of a view: a spool copy, streamed into the repository while two threads open and check it. It counts only
 * when SQLite's checks pass and its counts are those of the live view (law 3).
 */
import { amountText, countText } from "../../domain/words.ts";
import type { FileHandle } from "node:fs/promises";
import { open, stat, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { MemkeepError } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { DumpFacts, DumpSink, StoreContext } from "../store.ts";
import { describeDamage, type ForeignKeys, type Integrity } from "./check.ts";
import { type LiveDatabase, openStill, proveUnchanged } from "./client.ts";
import type { SqliteConfig } from "./config.ts";
import { type PinState, changeStamp, copyToSpool } from "./copy.ts";
import { sizeOf } from "./database-file.ts";
import { storeError } from "./failure.ts";
import type { Reader } from "./reader.ts";
import type { Catalog } from "./schema.ts";

export const dumpVersion = 1;
export const engineName = "SQLite";
const readBytes = 1024 * 1024;
const twoThreadsBytes = 64 * 1024 * 1024;

export function engineVersion(): string {
  return process.versions["sqlite"] ?? "unknown";
}

export async function dumpView(
  database: LiveDatabase,
  spoolPath: string,
  pin: PinState,
  sink: DumpSink,
  config: SqliteConfig,
  context: StoreContext,
): Promise<{ facts: DumpFacts; instantMs: number }> {
  const { observer, name } = context;
  observer.step(name, `copying ${database.file.path}`);
  const { instantMs, stamp } = await copyToSpool(database, spoolPath, pin, config, context);
  if (database.mode === "still") await proveUnchanged(database.file);
  // An empty database has no page to copy.
  if ((await sizeOf(spoolPath)) === undefined) await writeFile(spoolPath, "", { mode: 0o600 });
  observer.step(name, "checking and storing the copy");
  const warnings: string[] = [];
  const stop = new AbortController();
  await using checker = openStill(spoolPath);
  // A thread costs more than it gains on a small file, and where two cores are busy with storing already.
  const { size } = await stat(spoolPath);
  const alone = size < twoThreadsBytes || availableParallelism() <= 2;
  await using digester = alone ? undefined : openStill(spoolPath);
  const stored = sink
    .file(`${name}.db`, "pages", fileBytes(spoolPath, AbortSignal.any([context.signal, stop.signal])))
    .then(async ({ sizeBytes }) => requireWhole(spoolPath, sizeBytes));
  const live = liveCounts(database, pin, stamp, warnings);
  const checked = checkCopy(checker, database.file.path);
  const digested = digestCopy(digester ?? checker);
  const parts = [checked, digested, live, stored] as const;
  for (const part of parts) part.catch(() => stop.abort());
  await Promise.allSettled(parts);
  context.signal.throwIfAborted();
  // The checks come first: when one fails, the stored file fails because of it.
  const { integrity, foreignKeys } = await checked;
  const { catalog, collections } = await digested;
  const counts = await live;
  await stored;
  if (counts) requireSameCounts(counts, collections, database.file.path);
  warnings.push(...checkWarnings(integrity, foreignKeys, catalog));
  for (const warning of warnings) observer.warn(name, warning);
  return {
    instantMs,
    facts: {
      engine: { name: engineName, version: engineVersion() },
      dumpVersion,
      view: { moved: 0 },
      collections: [...collections],
      settings: { ...catalog.settings },
      omitted: [],
      warnings,
    },
  };
}

/** Counts of the live view, after which the pin is let go; undefined where an unpinned copy cannot be compared. */
async function liveCounts(
  database: LiveDatabase,
  pin: PinState,
  stamp: string | undefined,
  warnings: string[],
): Promise<readonly { name: string; records: number }[] | undefined> {
  const { reader, file } = database;
  try {
    if (stamp !== undefined) await reader.ask("pin");
    if (stamp !== undefined && stamp !== (await changeStamp(file.path))) {
      warnings.push(
        "others wrote after the copy was made, so its counts could not be compared with the live database's",
      );
      return undefined;
    }
    return await reader.ask("counts");
  } catch (error) {
    throw storeError(error, file.path, `count the rows of ${file.path}`);
  } finally {
    if (stamp !== undefined) await reader.ask("release");
    await pin.letGo();
    // From here on the copy is read; the thread of the live connection would stay resident for nothing (law 11).
    await database[Symbol.asyncDispose]();
  }
}

/** SQLite's checks of a still file. `STORE_DAMAGED`, naming `source`, when it is not whole. */
export async function checkCopy(
  reader: Reader,
  source: string,
): Promise<{ integrity: Integrity; foreignKeys: ForeignKeys }> {
  try {
    const integrity = await reader.ask("integrity");
    requireSound(integrity, source);
    return { integrity, foreignKeys: await reader.ask("foreignKeys") };
  } catch (error) {
    throw storeError(error, source, `check the copy of ${source}`);
  }
}

/** Catalog, counts and digests of a still file. `STORE_DAMAGED` when it cannot be read to the end. */
export async function digestCopy(
  reader: Reader,
): Promise<{ catalog: Catalog; collections: readonly CollectionFacts[] }> {
  try {
    return { catalog: await reader.ask("catalog"), collections: await reader.ask("digests") };
  } catch (error) {
    throw storeError(error, "the copy", "read the copy of the database");
  }
}

function requireSound({ damage }: Integrity, source: string): void {
  if (damage.length === 0) return;
  throw new MemkeepError("STORE_DAMAGED", {
    tried: `check the copy of ${source}`,
    happened: `SQLite's integrity check says: ${describeDamage(damage)}`,
    next: "If only indexes are named, `REINDEX` (or rebuilding the full-text index) mends it. Otherwise restore the newest good snapshot with `memkeep restore`, which keeps the damaged file, or save what can be read with `sqlite3 FILE .recover`.",
    details: { integrityCheck: { messages: damage } },
  });
}

/** Law 3: `DUMP_INCOMPLETE` when a table of the copy is missing, or has other rows than the live view. */
export function requireSameCounts(
  live: readonly { name: string; records: number }[],
  copied: readonly CollectionFacts[],
  source: string,
): void {
  const inCopy = new Map(copied.map(({ name, records }) => [name, records]));
  const different = live.filter(({ name, records }) => inCopy.get(name) !== records);
  if (different.length === 0 && live.length === copied.length) return;
  const [first] = different;
  throw new MemkeepError("DUMP_INCOMPLETE", {
    tried: `copy ${source}`,
    happened: first
      ? `the table ${first.name} has ${amountText(first.records, "row")}, its copy ${inCopy.get(first.name) ?? "is missing"}`
      : `the database has ${live.length} tables, its copy ${copied.length}`,
    next: "Check the disk that holds the spool folder, then run the backup again.",
  });
}

function checkWarnings(integrity: Integrity, foreignKeys: ForeignKeys, catalog: Catalog): string[] {
  const warnings = [
    ...integrity.oddities.map((text) => `the database breaks a rule of its own schema: ${text}`),
    ...integrity.unchecked.map(
      (text) => `not checked, since something of the application is missing here: ${text}`,
    ),
    ...foreignKeys.violations.map(({ table, rows }) =>
      rows === 1
        ? `1 row of ${table} refers to a row that does not exist`
        : `${countText(rows)} rows of ${table} refer to rows that do not exist`,
    ),
  ];
  if (foreignKeys.problem) warnings.push(`foreign keys were not checked: ${foreignKeys.problem}`);
  for (const { name, problem } of catalog.virtualTables) {
    if (problem)
      warnings.push(
        `the virtual table ${name} is copied with all its data, but cannot be read here: ${problem}`,
      );
  }
  return warnings;
}

async function requireWhole(path: string, storedBytes: number): Promise<void> {
  const { size } = await stat(path);
  if (size === storedBytes) return;
  throw new MemkeepError("DUMP_INCOMPLETE", {
    tried: "store the copy of the database",
    happened: `it has ${size} bytes, ${storedBytes} were stored`,
  });
}

/** A file's bytes from beginning to end. Rejects with the signal's reason when it aborts. */
export async function* fileBytes(path: string, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  await using handle = await open(path, "r");
  yield* readToEnd(handle, signal);
}

export async function* readToEnd(
  handle: FileHandle,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  // One buffer for the whole file: fresh ones stay resident for long (law 11).
  const buffer = Buffer.allocUnsafeSlow(readBytes);
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, readBytes, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
