/**
 * The consistent view: one read-only repeatable-read transaction that holds an exported snapshot and an ACCESS SHARE
 * lock on every table to be dumped. The locks come first: TRUNCATE and a rewriting ALTER are not bound to snapshots, and
 * between an exported snapshot and pg_dump's own lock they would leave a table empty, without any error.
 *
 * pg_dump is started at once and stops when its output is not read; by then it holds locks of its own. Later, a DDL
 * statement that waits for our lock would make it wait behind that statement, and we would wait for it: for ever.
 */
import { MemkeepError, isMemkeepError } from "../../domain/errors.ts";
import type { StoreContext } from "../store.ts";
import { type Server, type Table, isPartial, listTables, readServer } from "./schema.ts";
import { type Session, openSession } from "./client.ts";
import type { PostgresConfig } from "./config.ts";
import type { Connection } from "./connection.ts";
import { type Dumper, isLockTimeout, startDumper } from "./dumper.ts";
import { failure, stateOf } from "./failure.ts";
import type { Environment } from "./parameters.ts";
import { type Tools, chooseTools, findTools } from "./tools.ts";

/** What every part of the adaptor is given. */
export interface Surroundings {
  readonly config: PostgresConfig;
  readonly connection: Connection;
  readonly context: StoreContext;
  readonly environment: Environment;
}

/** An open transaction with its snapshot, and the pg_dump that reads in it. Dispose ends both. */
export interface HeldSnapshot extends AsyncDisposable {
  readonly session: Session;
  readonly server: Server;
  readonly tables: readonly Table[];
  readonly tools: Tools;
  readonly instant: string;
  readonly dumper: Dumper;
}

/** How often the tables may change while the view is taken, before it is given up. */
const attempts = 10;

/** Rejects with `STORE_DENIED`, `STORE_BUSY`, `TOOL_MISSING`, … in words; then nothing is left behind. */
export async function holdSnapshot(surroundings: Surroundings): Promise<HeldSnapshot> {
  const { config, connection, context, environment } = surroundings;
  const found = await findTools(config.tools, environment);
  for (let attempt = 1; ; attempt++) {
    context.signal.throwIfAborted();
    const session = await openSession(connection, config, context);
    try {
      const held = await tryToHold(session, surroundings, found);
      if (held) return held;
    } catch (error) {
      await session[Symbol.asyncDispose]();
      if (stateOf(error) === "55P03") throw await blocked(error, surroundings);
      throw failure("take a consistent view of", error, connection);
    }
    await session[Symbol.asyncDispose]();
    if (attempt === attempts) {
      throw new MemkeepError("STORE_BUSY", {
        tried: `take a consistent view of ${context.name}`,
        happened: `tables were created, rewritten or dropped during each of ${attempts} attempts`,
        next: "Run the backup when no migration runs.",
      });
    }
    context.observer.warn(context.name, "tables changed while the view was taken; taking it again");
  }
}

/** Undefined when tables changed meanwhile; the caller ends the session. */
async function tryToHold(
  session: Session,
  surroundings: Surroundings,
  found: readonly Tools[],
): Promise<HeldSnapshot | undefined> {
  const { config, context } = surroundings;
  const server = await readServer(session);
  const tools = chooseTools(found, server.major, `the server is PostgreSQL ${server.version}`);
  const before = await listTables(session, config);
  refuseUnreadable(before, context.name);
  await session.run(
    `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout TO ${config.lockTimeout}`,
  );
  try {
    await lockTables(session, before);
  } catch (error) {
    // A table that was dropped or renamed since it was listed.
    if (stateOf(error) === "42P01" || stateOf(error) === "3F000") return undefined;
    throw error;
  }
  const snapshot = await session.value("SELECT pg_export_snapshot()");
  const instant = new Date(context.clock.now()).toISOString();
  const tables = await listTables(session, config);
  if (fingerprint(tables) !== fingerprint(before)) return undefined;
  let dumper: Dumper;
  try {
    dumper = await startDumper(session.connection, surroundings, {
      tools,
      snapshot: snapshot!,
      isStandby: server.isStandby,
      withExtensions: isPartial(config),
    });
  } catch (error) {
    if (isMemkeepError(error, "TOOL_FAILED") && isLockTimeout(error)) return undefined;
    throw error;
  }
  return {
    session,
    server,
    tables,
    tools,
    instant,
    dumper,
    async [Symbol.asyncDispose]() {
      try {
        await dumper[Symbol.asyncDispose]();
      } finally {
        await session[Symbol.asyncDispose]();
      }
    },
  };
}

/** A table that changed its rows' place has another number, and so has one that was dropped and created again. */
function fingerprint(tables: readonly Table[]): string {
  return tables.map(({ oid, fileNode, name }) => `${oid}/${fileNode}/${name}`).join("\n");
}

/** LOCK TABLE takes no snapshot: the transaction's begins with the export. */
async function lockTables(session: Session, tables: readonly Table[]): Promise<void> {
  const perStatement = 500;
  for (let first = 0; first < tables.length; first += perStatement) {
    const names = tables.slice(first, first + perStatement).map(({ sql }) => `ONLY ${sql}`);
    await session.run(`LOCK TABLE ${names.join(", ")} IN ACCESS SHARE MODE`);
  }
}

function refuseUnreadable(tables: readonly Table[], name: string): void {
  const denied = tables.filter(({ isReadable }) => !isReadable);
  const hidden = tables.filter(({ hidesRows }) => hidesRows);
  if (denied.length === 0 && hidden.length === 0) return;
  const list = (some: readonly Table[]): string =>
    some
      .slice(0, 5)
      .map((table) => table.name)
      .join(", ") + (some.length > 5 ? ` and ${some.length - 5} more` : "");
  throw new MemkeepError("STORE_DENIED", {
    tried: `back up ${name}`,
    happened: [
      ...(denied.length > 0 ? [`the role may not read ${list(denied)}`] : []),
      ...(hidden.length > 0 ? [`row-level security would hide rows of ${list(hidden)}`] : []),
    ].join("; "),
    next:
      hidden.length > 0
        ? "Use a role with BYPASSRLS, or the tables' owner; `memkeep doctor` prints the statements."
        : "`memkeep doctor` prints the statements that create a fitting role.",
    details: { denied: denied.map((table) => table.name), hidden: hidden.map((table) => table.name) },
  });
}

/** Who holds, or waits for, a lock that keeps us from reading. */
async function blocked(cause: unknown, { config, connection, context }: Surroundings): Promise<MemkeepError> {
  await using session = await openSession(connection, config, context);
  const rows = await session.rows<{ pid: string; name: string; query: string | null }>(`
    SELECT l.pid, c.oid::regclass::text AS name, a.query
      FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_stat_activity a ON a.pid = l.pid
     WHERE l.mode = 'AccessExclusiveLock' AND l.locktype = 'relation' AND c.relkind IN ('r', 'p')
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
     ORDER BY l.granted DESC LIMIT 1`);
  const [row] = rows;
  return new MemkeepError("STORE_BUSY", {
    tried: `lock the tables of ${context.name} for reading`,
    happened: row
      ? `process ${row.pid} holds ${row.name}: ${(row.query ?? "").slice(0, 200)}`
      : `another session holds one for more than ${config.lockTimeout / 1000} s`,
    next: row ? `Wait for it, or end it: SELECT pg_terminate_backend(${row.pid});` : "Run it again later.",
    cause,
  });
}
