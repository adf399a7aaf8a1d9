/**
 * The thread behind a `Reader`: one connection, requests one after another. SQLite's calls block, some for seconds;
 * here they keep neither the locks of the repository nor Ctrl-C waiting.
 */
import { DatabaseSync, backup } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import { reasonOf } from "../../domain/errors.ts";
import type { KeyDigest } from "../store.ts";
import { checkForeignKeys, checkIntegrity } from "./check.ts";
import { resultCode } from "./failure.ts";
import { recordsByKey, sortedKeys } from "./keys.ts";
import type { FromReader, ReaderJob, ReaderJobs, ReaderSetup, ToReader } from "./reader-jobs.ts";
import { digestTable } from "./scan.ts";
import { type Catalog, type Table, countRows, readCatalog } from "./schema.ts";
import { iterateExact, scalar } from "./sql.ts";

type Handlers = {
  [J in ReaderJob]: (
    argument: ReaderJobs[J][0],
    progress: (done: number, total: number) => void,
  ) => ReaderJobs[J][1] | Promise<ReaderJobs[J][1]>;
};

if (parentPort === null) throw new Error("this file is a thread, not a program");
const port = parentPort;
const setup = workerData as ReaderSetup;
let connection: DatabaseSync | undefined;
let catalog: Catalog | undefined;
let cancelled = false;
const cursors = new Map<number, Iterator<KeyDigest[]>>();
let lastCursor = 0;

/** Opened by the first request, so that its failure is that request's answer. */
function database(): DatabaseSync {
  if (connection) return connection;
  const url = pathToFileURL(setup.path);
  if (setup.mode === "still") url.searchParams.set("immutable", "1");
  connection = new DatabaseSync(url, {
    readOnly: true,
    timeout: setup.busyTimeoutMs,
    // A hostile file must not run its own functions in views or make a shadow table look like another.
    defensive: true,
  });
  connection.exec(`PRAGMA trusted_schema = OFF; PRAGMA cache_size = -${setup.cacheKiB}`);
  return connection;
}

function knownCatalog(): Catalog {
  catalog ??= readCatalog(database());
  return catalog;
}

function tableNamed(name: string): Table {
  const table = knownCatalog().tables.find((candidate) => candidate.name === name);
  if (!table) throw new Error(`no such table: ${name}`);
  return table;
}

const handlers: Handlers = {
  pin: () => {
    const db = database();
    db.exec("BEGIN");
    let tableCount: number;
    try {
      tableCount = Number(scalar(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"));
    } catch (error) {
      db.exec("ROLLBACK");
      throw error;
    }
    catalog = undefined;
    return {
      journalMode: String(scalar(db, "PRAGMA journal_mode")),
      pageSize: Number(scalar(db, "PRAGMA page_size")),
      pageCount: Number(scalar(db, "PRAGMA page_count")),
      tableCount,
    };
  },
  release: () => {
    if (database().isTransaction) database().exec("COMMIT");
    catalog = undefined;
  },
  catalog: () => knownCatalog(),
  counts: () => countRows(database(), knownCatalog().tables),
  copy: async ({ target, ratePages }, progress) => {
    cancelled = false;
    await backup(database(), target, {
      rate: ratePages,
      progress: ({ totalPages, remainingPages }) => {
        progress(totalPages - remainingPages, totalPages);
        if (cancelled) throw new Error("cancelled");
      },
    });
  },
  integrity: () => checkIntegrity(database()),
  quickCheck: () => [...iterateExact(database(), "PRAGMA quick_check(20)")].map(([text]) => String(text)),
  foreignKeys: () => checkForeignKeys(database()),
  digests: (_, progress) => {
    const { tables, encoding } = knownCatalog();
    return tables.map((table, done) => {
      progress(done, tables.length);
      return digestTable(database(), table, encoding);
    });
  },
  pragma: (name) => String(scalar(database(), `PRAGMA ${name}`)),
  openKeys: ({ collection, scratchPath }) => {
    const keys = sortedKeys(database(), tableNamed(collection), knownCatalog().encoding, scratchPath);
    cursors.set(++lastCursor, keys);
    return lastCursor;
  },
  nextKeys: (cursor) => {
    const next = cursors.get(cursor)?.next();
    return next === undefined || next.done === true ? undefined : next.value;
  },
  closeKeys: (cursor) => {
    cursors.get(cursor)?.return?.();
    cursors.delete(cursor);
  },
  records: ({ collection, keys }) => [
    ...recordsByKey(database(), tableNamed(collection), knownCatalog().encoding, keys),
  ],
};

function send(message: FromReader): void {
  port.postMessage(message);
}

async function serve(ticket: number, job: ReaderJob, argument: unknown): Promise<void> {
  try {
    // The map is exact per job; over all jobs TypeScript can only say `never`.
    const handler = handlers[job] as (
      argument: unknown,
      progress: (done: number, total: number) => void,
    ) => unknown;
    send({
      ticket,
      answer: await handler(argument, (done, total) => send({ ticket, progress: [done, total] })),
    });
  } catch (error) {
    send({ ticket, failure: { message: reasonOf(error), errcode: resultCode(error) } });
  }
}

let queue: Promise<void> = Promise.resolve();
port.on("message", (message: ToReader) => {
  if ("cancel" in message) cancelled = true;
  else queue = queue.then(() => serve(message.ticket, message.job, message.argument));
});
