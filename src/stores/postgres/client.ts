/** Sessions with a server. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { MemkeepError, reasonOf } from "../../domain/errors.ts";
import { retry } from "../../util/retry/retry.ts";
import type { StoreContext } from "../store.ts";
import type { PostgresConfig } from "./config.ts";
import type { Connection } from "./connection.ts";
import { failure, isTransient } from "./failure.ts";

export type Value = string | null;

/** One session. Values come as the text that the server sends: nothing is rounded or re-formatted. */
export class Session implements AsyncDisposable {
  readonly connection: Connection;
  readonly #client: pg.Client;
  /** The error that ended the session from outside, if any. */
  #lost: Error | undefined;

  constructor(client: pg.Client, connection: Connection) {
    this.#client = client;
    this.connection = connection;
    client.on("error", (error: Error) => (this.#lost ??= error));
  }

  /** Rows as objects; every value a string or null. */
  async rows<Row extends Record<string, Value>>(
    sql: string,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    try {
      const { rows } = await this.#client.query<Row>({ text: sql, values: [...values], types: asText });
      return rows;
    } catch (error) {
      throw this.#answer(error);
    }
  }

  /** The first column of the only row. */
  async value(sql: string, values: readonly unknown[] = []): Promise<Value> {
    const [row] = await this.rows(sql, values);
    return row ? (Object.values(row)[0] ?? null) : null;
  }

  /** Statements without parameters; several may be separated by `;`. */
  async run(sql: string): Promise<void> {
    try {
      await this.#client.query(sql);
    } catch (error) {
      throw this.#answer(error);
    }
  }

  /** The server's own answer as it is; of a lost connection, the reason why it was lost. */
  #answer(error: unknown): unknown {
    if (error instanceof pg.DatabaseError) return error;
    return failure("ask", this.#lost ?? error, this.connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#client.end();
    } catch (error) {
      // A session that the server ended has no end to be said to it.
      if (!this.#lost) throw error;
    }
  }
}

const asText = { getTypeParser: () => (value: string) => value };

/** Settings that would end the session or change the text of values. They hold for this session alone. */
const sessionSettings: Readonly<Record<string, string>> = {
  statement_timeout: "0",
  lock_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  // A client machine that died is noticed within three minutes, so that its transaction does not hold back VACUUM.
  tcp_keepalives_idle: "60",
  tcp_keepalives_interval: "30",
  tcp_keepalives_count: "4",
  search_path: "",
  row_security: "off",
};

/** Settings by which pg_dump and we write the same value as the same text, on every server. */
export const textSettings: Readonly<Record<string, string>> = {
  TimeZone: "UTC",
  DateStyle: "ISO, MDY",
  IntervalStyle: "postgres",
  extra_float_digits: "3",
  bytea_output: "hex",
  lc_monetary: "C",
  xmlbinary: "base64",
};

/** Opens a session; tries again what may pass, and tells of it. Otherwise rejects with a `MemkeepError` in words. */
export async function openSession(
  connection: Connection,
  config: Pick<PostgresConfig, "retryAttempts" | "retryDelay">,
  context: Pick<StoreContext, "clock" | "observer" | "signal" | "name">,
): Promise<Session> {
  const { clock, observer, signal, name } = context;
  let attempts = 1;
  try {
    return await retry(() => connectOnce(connection), {
      isTransient: (error) => isTransient(error) && attempts++ < config.retryAttempts,
      // The number of attempts decides, not a time.
      deadlineMs: Number.MAX_SAFE_INTEGER,
      firstDelayMs: config.retryDelay,
      maxDelayMs: Number.MAX_SAFE_INTEGER,
      // No jitter: the delays are those that the configuration says, 2, 4, 8, 16, 32 s.
      random: () => 1,
      clock,
      signal,
      onRetry: (error, attempt, delayMs) =>
        observer.warn(
          name,
          `${failure("connect to", error, connection).message}; trying again in ${Math.round(delayMs / 1000)} s (${attempt} of ${config.retryAttempts - 1})`,
        ),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw failure("connect to", error, connection);
  }
}

async function connectOnce(connection: Connection): Promise<Session> {
  let failed: unknown;
  for (const place of connection.hosts) {
    try {
      const session = await connectTo({ ...connection, hosts: [place] });
      return session;
    } catch (error) {
      failed = error;
    }
  }
  throw failed;
}

async function connectTo(connection: Connection): Promise<Session> {
  const client = await firstThatWorks(connection);
  const session = new Session(client, connection);
  try {
    await refuseTransactionPooler(session, client);
    const settings = Object.entries({ ...sessionSettings, ...textSettings });
    await session.run(settings.map(([name, value]) => `SET ${name} TO '${value}'`).join(";"));
    // Since PostgreSQL 17.
    await session.rows(
      "SELECT set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout'",
    );
    return session;
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

/** `prefer` and `allow` go on without encryption when the server has none, as libpq does. */
async function firstThatWorks(connection: Connection): Promise<pg.Client> {
  const [place] = connection.hosts;
  const isSocket = place!.host.startsWith("/");
  const tls = isSocket || connection.sslMode === "disable" ? undefined : tlsOptions(connection);
  try {
    return await tryClient(connection, tls);
  } catch (error) {
    const mayBePlain = connection.sslMode === "prefer" || connection.sslMode === "allow";
    if (!tls || !mayBePlain || !/does not support SSL/.test(reasonOf(error))) throw error;
    return await tryClient(connection, undefined);
  }
}

async function tryClient(connection: Connection, tls: pg.ClientConfig["ssl"]): Promise<pg.Client> {
  const [place] = connection.hosts;
  const { parameters } = connection;
  const client = new pg.Client({
    host: place!.host,
    port: place!.port,
    user: connection.user,
    database: connection.database,
    // An empty string keeps the library from looking for one by itself.
    password: connection.password ?? "",
    ssl: tls ?? false,
    application_name: parameters["application_name"] ?? "memkeep",
    connectionTimeoutMillis: Number(parameters["connect_timeout"] ?? "30") * 1000,
    keepAlive: true,
    client_encoding: "UTF8",
    ...(parameters["options"] === undefined ? {} : { options: parameters["options"] }),
  });
  // Without a listener a late error of a connection that failed would end the process.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    void client.end().catch(() => undefined);
    throw error;
  }
}

function tlsOptions(connection: Connection): Exclude<pg.ClientConfig["ssl"], boolean | undefined> {
  const { sslMode, parameters } = connection;
  const home = join(homedir(), ".postgresql");
  const rootCertificate = parameters["sslrootcert"] ?? join(home, "root.crt");
  const verifies = sslMode === "verify-ca" || sslMode === "verify-full";
  return {
    rejectUnauthorized: verifies,
    // `verify-ca` asks who signed the certificate, not for whom.
    ...(sslMode === "verify-full" ? {} : { checkServerIdentity: () => undefined }),
    ...(verifies && rootCertificate !== "system" ? { ca: readFileSync(rootCertificate) } : {}),
    ...(parameters["sslcert"] === undefined ? {} : { cert: readFileSync(parameters["sslcert"]) }),
    ...(parameters["sslkey"] === undefined ? {} : { key: readFileSync(parameters["sslkey"]) }),
  };
}

/**
 * A pooler in transaction mode gives every transaction another session: settings leak into those of other programs, and
 * a snapshot cannot be held. It is known by the process number that the server tells: a pooler makes up its own, and
 * what is not in a transaction has no process of its own.
 */
async function refuseTransactionPooler(session: Session, client: pg.Client): Promise<void> {
  const told: unknown = "processID" in client ? client.processID : undefined;
  const [first] = await session.rows<{ pid: string }>("SELECT pg_catalog.pg_backend_pid() AS pid");
  if (String(told) === first?.pid) return;
  // Behind a pooler: in session mode a session's setting is still there in its next transaction.
  const other = new pg.Client({ ...plainOptions(client), password: session.connection.password ?? "" });
  other.on("error", () => undefined);
  await other.connect();
  try {
    const held = await other.query<{ pid: string }>({
      text: "SELECT pg_catalog.pg_backend_pid() AS pid",
      types: asText,
    });
    if (held.rows[0]?.pid !== first?.pid) return;
  } finally {
    await other.end();
  }
  throw new MemkeepError("STORE_UNSUPPORTED", {
    tried: "connect to PostgreSQL",
    happened: "there is a connection pooler in transaction mode before it, which cannot hold a snapshot",
    next: "Connect to the server itself, or to the pooler's session mode (Supabase: port 5432 in place of 6543; PgBouncer: pool_mode = session).",
  });
}

function plainOptions(client: pg.Client): pg.ClientConfig {
  const { host, port, user, database, ssl } = client;
  return {
    host,
    port,
    ...(user === undefined ? {} : { user }),
    ...(database === undefined ? {} : { database }),
    ssl,
  };
}
