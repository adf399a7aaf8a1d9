/** What the tests of this adaptor share: servers, databases of their own, and SQL as a user runs it. */
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll } from "vitest";
import type { Observer } from "../../src/domain/observer.ts";
import { silentObserver } from "../../src/domain/observer.ts";
import { systemClock } from "../../src/util/clock/clock.ts";
import { type PostgresMajor, postgresPrograms } from "../engines/postgres/index.ts";
import type { DumpSource, Restoration, RestoreOptions, Store, StoreContext } from "../../src/stores/store.ts";
import { DumpFolder, type TakenDump, takeDump } from "../../src/stores/contract/dump-folder.ts";
import type { Server } from "../engines/server.ts";
import { type PostgresSettings, schema } from "../../src/stores/postgres/config.ts";
import { urlParameters } from "../../src/stores/postgres/connection.ts";
import { connectPostgres } from "../../src/stores/postgres/index.ts";
import { quoteName } from "../../src/stores/postgres/names.ts";

/** The library's own reading of URLs leaves some characters of a database's name encoded. */
export function clientFor(url: string): pg.Client {
  const { host, port, user, password, dbname } = urlParameters(url);
  return new pg.Client({
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(dbname === undefined ? {} : { database: dbname }),
  });
}

/** One SQL statement, or several without parameters; rows of the last one. */
export async function sql(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = clientFor(url);
  client.on("error", () => undefined);
  await client.connect();
  try {
    const results: pg.QueryResult<Record<string, unknown>> | pg.QueryResult<Record<string, unknown>>[] =
      await client.query(text);
    return Array.isArray(results) ? results.at(-1)!.rows : results.rows;
  } finally {
    await client.end();
  }
}

export function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${encodeURIComponent(name)}`;
  return url.href;
}

export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  readonly name: string;
}

/** A database of its own, dropped at the end together with what restores made of it. */
export async function createDatabase(serverUrl: string, name?: string): Promise<TestDatabase> {
  const own = name ?? `t_${randomBytes(5).toString("hex")}`;
  await sql(serverUrl, `CREATE DATABASE ${quoteName(own)} TEMPLATE template0 ENCODING 'UTF8'`);
  return {
    url: databaseUrl(serverUrl, own),
    name: own,
    async [Symbol.asyncDispose]() {
      const rows = await sql(serverUrl, "SELECT datname FROM pg_database");
      for (const { datname } of rows) {
        const database = String(datname);
        if (database === own || database.startsWith(`${own}_`)) {
          await sql(serverUrl, `DROP DATABASE ${quoteName(database)} WITH (FORCE)`);
        }
      }
    },
  };
}

/** One with the corpus that the store contract uses. */
export async function sample(serverUrl: string): Promise<TestDatabase> {
  const database = await createDatabase(serverUrl);
  await sql(database.url, await corpusSql("base"));
  return database;
}

export async function countMemories(url: string): Promise<unknown> {
  return (await sql(url, "SELECT count(*)::integer AS n FROM memories"))[0]!["n"];
}

export async function corpusSql(name: string): Promise<string> {
  return readFile(new URL(`../corpus/postgres/${name}.sql`, import.meta.url), "utf8");
}

export interface Spool extends AsyncDisposable {
  readonly folder: string;
  context(more?: Partial<StoreContext>): StoreContext;
}

export async function openSpool(): Promise<Spool> {
  const folder = await mkdtemp(join(tmpdir(), "memkeep-postgres-"));
  return {
    folder,
    context: (more = {}) => ({
      name: "memory",
      clock: systemClock,
      observer: silentObserver,
      spoolFolder: folder,
      signal: new AbortController().signal,
      ...more,
    }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A store with the client programs of one major; no `PG*` variable of the machine plays in. */
export async function connectTo(
  url: string,
  major: PostgresMajor,
  context: StoreContext,
  more: Partial<PostgresSettings> = {},
): Promise<Store> {
  const tools = [await postgresPrograms(major)];
  return connectPostgres(schema.parse({ url, tools, retryAttempts: 1, ...more }), context, {
    PATH: "/usr/bin:/bin",
    HOME: tmpdir(),
  });
}

/** A server and a spool folder for one suite, started before its tests and removed after them. */
export interface Bench {
  readonly server: Server;
  readonly spool: Spool;
  readonly connect: (url: string) => Promise<Store>;
  readonly dumped: (store: Store) => Promise<TakenDump>;
  readonly stage: (store: Store, source: DumpSource, options: RestoreOptions) => Promise<Restoration>;
  readonly sink: () => DumpFolder;
}

/** Call it where the suite is described. */
export function useBench(start: () => Promise<Server>): Bench {
  const bench = {} as { server: Server; spool: Spool };
  let dumps = 0;
  beforeAll(async () => {
    bench.spool = await openSpool();
    bench.server = await start();
  });
  afterAll(async () => {
    await bench.server.stop();
    await bench.spool[Symbol.asyncDispose]();
  });
  const folder = (): string => join(bench.spool.folder, `dump-${++dumps}`);
  return Object.assign(bench, {
    connect: (url: string) => connectTo(url, 16, bench.spool.context()),
    dumped: (store: Store) => takeDump(store, folder()),
    stage: async (store: Store, source: DumpSource, options: RestoreOptions) =>
      store.stage(await store.planRestore(source, options), source, options),
    sink: () => new DumpFolder(folder(), "memory"),
  });
}

/** Keeps every text that was told. */
export function recordingObserver(): Observer & { readonly texts: string[] } {
  const texts: string[] = [];
  return {
    texts,
    step: (_, text) => void texts.push(text),
    progress: () => undefined,
    warn: (_, text) => void texts.push(text),
  };
}

/** Transactions, locks and databases that a run could have left behind on a server. */
export async function leftBehind(serverUrl: string): Promise<Record<string, unknown>[]> {
  return sql(
    serverUrl,
    `SELECT pid::text, state, query FROM pg_stat_activity
      WHERE application_name IN ('memkeep', 'pg_dump', 'pg_restore') AND backend_type = 'client backend'
     UNION ALL SELECT datname, 'scratch', '' FROM pg_database WHERE datname LIKE 'memkeep_scratch%'`,
  );
}
