/** A session with one database of one server: connections that are opened when needed, retries, and time limits. */
import neo4j from "neo4j-driver";
import type { Driver, Record as Row, Session, Transaction } from "neo4j-driver";
import { MemkeepError } from "../../domain/errors.ts";
import type { Observer } from "../../domain/observer.ts";
import type { Clock } from "../../util/clock/clock.ts";
import { retry } from "../../util/retry/retry.ts";
import { credentials } from "./config.ts";
import type { Neo4jAccess, Neo4jConfig } from "./config.ts";
import { failure, isTransient } from "./failure.ts";

export type Parameters = Readonly<Record<string, unknown>>;

export interface Surroundings {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Told of every connection that broke and is tried again. */
  readonly observer?: Observer;
  readonly name?: string;
}

const cleanupMs = 60_000;

export class Client implements AsyncDisposable {
  readonly access: Neo4jAccess;
  readonly #config: Neo4jConfig;
  readonly #surroundings: Surroundings;
  readonly #driver: Driver;
  #prefix: Promise<string> | undefined;

  /** Does no I/O. `config` gives the limits, `access` the server. */
  constructor(config: Neo4jConfig, access: Neo4jAccess, surroundings: Surroundings) {
    this.#config = config;
    this.access = access;
    this.#surroundings = surroundings;
    this.#driver = openDriver(access, config);
  }

  /** The server without credentials, for people. */
  get where(): string {
    const { url, database } = this.access;
    return database === undefined ? url : `${url}/${encodeURIComponent(database)}`;
  }

  /** For cleaning up, which an interrupted run needs as well. It ends by itself. */
  forCleanup(): Client {
    const signal = AbortSignal.timeout(cleanupMs);
    return new Client(this.#config, this.access, { signal, clock: this.#surroundings.clock });
  }

  /**
   * The rows of a query that only reads, decoded as they come; tried again when the connection breaks. Always asked of the
   * database's leader: the members of a cluster may lag behind by different distances.
   */
  rows<Result>(query: string, parameters: Parameters, decode: (row: Row) => Result): Promise<Result[]> {
    return this.#again("read", async () => {
      const text = await this.#text(query);
      return this.#session(async (session) => {
        const rows: Result[] = [];
        await this.#limited(
          new Promise<void>((resolve, reject) => {
            session.run(text, parameters).subscribe({
              onNext: (row) => {
                rows.push(decode(row));
              },
              onCompleted: () => resolve(),
              onError: reject,
            });
          }),
        );
        return rows;
      });
    });
  }

  /** The first value of the first row. */
  async value<Result>(query: string, parameters: Parameters = {}): Promise<Result> {
    const [first] = await this.rows(query, parameters, (row) => row.get(0) as Result);
    if (first === undefined) throw new TypeError("the server answered no row where it must answer one");
    return first;
  }

  async count(query: string, parameters: Parameters = {}): Promise<number> {
    return Number(await this.value<bigint>(query, parameters));
  }

  /** A statement that may be done twice: schema commands with a guard of their own, deletes, removals. */
  async command(query: string, parameters: Parameters = {}): Promise<void> {
    await this.rows(query, parameters, () => undefined);
  }

  /**
   * One transaction of one statement. Tried again while it has certainly not been done; `STORE_UNREACHABLE` with
   * `details.uncertain` when the connection broke while it was being committed: then look, never assume.
   */
  write<Result>(query: string, parameters: Parameters, decode: (row: Row) => Result): Promise<Result[]> {
    return this.#again("write", async () => {
      const text = await this.#text(query);
      return this.#session(async (session) => {
        const transaction = await this.#limited(session.beginTransaction().then((begun) => begun));
        let rows: Result[];
        try {
          const result = await this.#limited(transaction.run(text, parameters).then((done) => done));
          rows = result.records.map(decode);
        } catch (error) {
          await transaction.close().catch(() => undefined);
          throw error;
        }
        try {
          await this.#limited(transaction.commit());
        } catch (error) {
          if (isTransient(error) && !isRolledBack(error)) throw uncertain(error);
          throw error;
        }
        return rows;
      });
    });
  }

  /**
   * Holds a transaction open. Neo4j gives the id of a deleted record out again only when all transactions that were open
   * then have ended, so while it is held an id means one record (trap 19).
   */
  async guardIds(): Promise<IdGuard> {
    const session = this.#newSession();
    try {
      const transaction = await this.#limited(session.beginTransaction().then((begun) => begun));
      await this.#limited(transaction.run("RETURN 1").then(() => undefined));
      return new IdGuard(session, transaction);
    } catch (error) {
      await session.close().catch(() => undefined);
      throw failure(`read ${this.where}`, error);
    }
  }

  /** Cypher 25 no longer has `id()`; a newer server is told to read Cypher 5, an older one does not know the word. */
  async #text(query: string): Promise<string> {
    this.#prefix ??= this.#session(async (session) => {
      const { records } = await this.#limited(
        session.run("CALL dbms.components() YIELD name, versions RETURN versions[0]").then((done) => done),
      );
      return Number.parseInt(String(records[0]?.get(0)), 10) >= 2025 ? "CYPHER 5 " : "";
    });
    try {
      return (await this.#prefix) + query;
    } catch (error) {
      this.#prefix = undefined;
      throw error;
    }
  }

  #newSession(): Session {
    const { database } = this.access;
    // All of a page at once: it is bounded already.
    return this.#driver.session({ fetchSize: -1, ...(database === undefined ? {} : { database }) });
  }

  async #session<Result>(use: (session: Session) => Promise<Result>): Promise<Result> {
    this.#surroundings.signal.throwIfAborted();
    const session = this.#newSession();
    try {
      const result = await use(session);
      await session.close();
      return result;
    } catch (error) {
      // The end of a broken session may take as long as its connection; what it has to say was said already.
      session.close().catch(() => undefined);
      throw error;
    }
  }

  /** Rejects when the run is interrupted, or nothing comes for too long. */
  async #limited<Result>(answer: Promise<Result>): Promise<Result> {
    const { signal, clock } = this.#surroundings;
    const done = new AbortController();
    const limit = clock.sleep(this.#config.timeout, AbortSignal.any([signal, done.signal])).then(
      () => {
        throw new MemkeepError("STORE_UNREACHABLE", {
          tried: `use ${this.where}`,
          happened: `no answer in ${this.#config.timeout} ms`,
        });
      },
      (error: unknown) => {
        throw error;
      },
    );
    try {
      return await Promise.race([answer, limit]);
    } finally {
      done.abort();
      limit.catch(() => undefined);
      answer.catch(() => undefined);
    }
  }

  async #again<Result>(verb: string, operation: () => Promise<Result>): Promise<Result> {
    try {
      return await retry(operation, {
        deadlineMs: this.#config.retryFor,
        firstDelayMs: 100,
        maxDelayMs: 5_000,
        isTransient: (error) => isTransient(error) && !isUncertain(error),
        onRetry: (error) => {
          const { observer, name } = this.#surroundings;
          observer?.warn(name ?? "", `${failure(`${verb} ${this.where}`, error).message}; trying again`);
        },
        signal: this.#surroundings.signal,
        clock: this.#surroundings.clock,
      });
    } catch (error) {
      this.#surroundings.signal.throwIfAborted();
      throw failure(`${verb} ${this.where}`, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#driver.close();
  }
}

/** While it is held, no id is given out again. */
export class IdGuard implements AsyncDisposable {
  readonly #session: Session;
  readonly #transaction: Transaction;

  constructor(session: Session, transaction: Transaction) {
    this.#session = session;
    this.#transaction = transaction;
  }

  /** False when the server ended it meanwhile (`db.transaction.timeout`, a restart). */
  async isHeld(): Promise<boolean> {
    try {
      await this.#transaction.run("RETURN 1");
      return true;
    } catch {
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transaction.close().catch(() => undefined);
    await this.#session.close().catch(() => undefined);
  }
}

export function isUncertain(error: unknown): boolean {
  return error instanceof MemkeepError && error.details?.["uncertain"] === true;
}

/** The server answered that it did not commit. */
function isRolledBack(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("Neo.");
}

function uncertain(cause: unknown): MemkeepError {
  return new MemkeepError("STORE_UNREACHABLE", {
    tried: "write to the database",
    happened: "the connection was lost while a transaction was being committed",
    details: { uncertain: true },
    cause,
  });
}

function openDriver(access: Neo4jAccess, { connections }: Neo4jConfig): Driver {
  const given = credentials(access);
  const token = given ? neo4j.auth.basic(given.username, given.password) : undefined;
  // The driver takes an authority of our own only beside a scheme that says nothing of TLS.
  const url = access.caFile === undefined ? access.url : access.url.replace("+s://", "://");
  const trust =
    access.caFile === undefined
      ? {}
      : {
          encrypted: "ENCRYPTION_ON" as const,
          trust: "TRUST_CUSTOM_CA_SIGNED_CERTIFICATES" as const,
          trustedCertificates: [access.caFile],
        };
  return neo4j.driver(url, token, {
    useBigInt: true,
    userAgent: "memkeep",
    telemetryDisabled: true,
    connectionTimeout: 15_000,
    connectionAcquisitionTimeout: 20_000,
    maxConnectionPoolSize: connections + 4,
    maxTransactionRetryTime: 0,
    ...trust,
  });
}
