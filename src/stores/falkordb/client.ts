/** A session with one server: connections that are opened when needed, and what the server allows. */
import { MemkeepError, isMemkeepError } from "../../domain/errors.ts";
import { retry } from "../../util/retry/retry.ts";
import type { Clock } from "../../util/clock/clock.ts";
import type { FalkorDBConfig } from "./config.ts";
import { Connection } from "./connection.ts";
import { ServerError } from "./resp.ts";
import type { Reply, RespReader } from "./resp.ts";

export interface ServerLimits {
  /** Rows that an answer may have; the server cuts silently. Infinity when there is no limit. */
  readonly resultRows: number;
  /** Milliseconds after which the server ends a query; undefined when it was not told. */
  readonly timeoutMs: number | undefined;
  /** Bytes that a query may use on the server. */
  readonly queryBytes: number | undefined;
  /** False when the server did not tell: every answer is then counted. */
  readonly areKnown: boolean;
}

const cleanupMs = 60_000;

export class Session implements AsyncDisposable {
  readonly #config: FalkorDBConfig;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  readonly #idle: Connection[] = [];

  constructor(config: FalkorDBConfig, surroundings: { readonly signal: AbortSignal; readonly clock: Clock }) {
    this.#config = config;
    this.#signal = surroundings.signal;
    this.#clock = surroundings.clock;
  }

  /** A session for cleaning up, which an interrupted run needs as well. It ends by itself. */
  forCleanup(): Session {
    return new Session(this.#config, { signal: AbortSignal.timeout(cleanupMs), clock: this.#clock });
  }

  /** One command, once: for what must not be done twice. */
  async command(...words: (string | Uint8Array)[]): Promise<Reply> {
    return this.#with((connection) => connection.command(...words));
  }

  /** A command that only reads; tried again when the connection breaks. */
  async ask(...words: (string | Uint8Array)[]): Promise<Reply> {
    return this.#again(() => this.command(...words));
  }

  /**
   * The rows of a read-only query, decoded by `decode`; tried again when the connection breaks. `GRAPH.RO_QUERY` in all
   * reading: `GRAPH.QUERY` would create a graph that is missing.
   */
  rows<Row>(
    graph: Uint8Array,
    query: string | Uint8Array,
    decode: () => (reader: RespReader) => Row,
  ): Promise<Row[]> {
    return this.#again(() =>
      this.#with(async (connection) => {
        const rows: Row[] = [];
        const decodeRow = decode();
        await connection.rows(["GRAPH.RO_QUERY", graph, query, "--compact"], (reader) =>
          rows.push(decodeRow(reader)),
        );
        return rows;
      }),
    );
  }

  /** The only value of the only row: `[type, value]` in compact form. */
  async scalar(graph: Uint8Array, query: string | Uint8Array): Promise<Reply> {
    const [row] = await this.rows(graph, query, () => (reader) => reader.reply());
    const [value] = (row ?? []) as readonly Reply[];
    if (value === undefined) throw new TypeError("the server answered no row where it must answer one");
    return value;
  }

  /** A count. */
  async count(graph: Uint8Array, query: string | Uint8Array): Promise<number> {
    const [, value] = (await this.scalar(graph, query)) as [bigint, bigint | null];
    return Number(value ?? 0n);
  }

  /** A connection of one's own; whoever asked for it closes it. */
  dedicated(): Promise<Connection> {
    return this.#again(() => Connection.open(this.#config, this.#signal));
  }

  /** After how long without a byte a connection counts as dead. */
  get idleMs(): number {
    return this.#config.timeout;
  }

  /** Read before anything else; obeyed by all reading. */
  async limits(): Promise<ServerLimits> {
    let reply: Reply;
    try {
      reply = await this.ask("GRAPH.CONFIG", "GET", "*");
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      return { resultRows: Infinity, timeoutMs: undefined, queryBytes: undefined, areKnown: false };
    }
    const values = new Map<string, number>();
    for (const [name, value] of reply as readonly (readonly [Buffer, Reply])[]) {
      if (typeof value === "bigint") values.set(name.toString(), Number(value));
    }
    const positive = (name: string): number | undefined => {
      const value = values.get(name) ?? 0;
      return value > 0 ? value : undefined;
    };
    const timeouts = [positive("TIMEOUT"), positive("TIMEOUT_DEFAULT"), positive("TIMEOUT_MAX")];
    const finite = timeouts.filter((value) => value !== undefined);
    return {
      resultRows: positive("RESULTSET_SIZE") ?? Infinity,
      timeoutMs: finite.length > 0 ? Math.min(...finite) : undefined,
      queryBytes: positive("QUERY_MEM_CAPACITY"),
      areKnown: true,
    };
  }

  /** Sections of `INFO` as name → value; empty where the user may not ask. */
  async info(): Promise<ReadonlyMap<string, string>> {
    try {
      const reply = await this.ask("INFO");
      const lines = (reply as Buffer).toString("utf8").split("\r\n");
      return new Map(
        lines
          .filter((line) => line.includes(":"))
          .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
      );
    } catch (error) {
      if (error instanceof ServerError) return new Map();
      throw error;
    }
  }

  async #with<Result>(use: (connection: Connection) => Promise<Result>): Promise<Result> {
    let connection = this.#idle.pop();
    // One that was idle for long may have been closed.
    while (connection?.isUsable === false) connection = this.#idle.pop();
    connection ??= await Connection.open(this.#config, this.#signal);
    try {
      return await use(connection);
    } finally {
      if (connection.isUsable) this.#idle.push(connection);
    }
  }

  #again<Result>(operation: () => Promise<Result>): Promise<Result> {
    return retry(operation, {
      deadlineMs: this.#config.retryFor,
      firstDelayMs: 200,
      maxDelayMs: 5_000,
      isTransient: (error) =>
        isMemkeepError(error, "STORE_UNREACHABLE") ||
        (error instanceof ServerError && /^(LOADING|BUSY)/.test(error.message)),
      signal: this.#signal,
      clock: this.#clock,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#idle.splice(0)) await connection[Symbol.asyncDispose]();
  }
}

/** True when the server refused for want of rights. */
export function isDenied(error: unknown): boolean {
  return error instanceof ServerError && /^(?:EXECABORT .*)?(?:NOPERM|NOAUTH)/.test(error.message);
}

/** True when `TIMEOUT` or `QUERY_MEM_CAPACITY` ended a query: then less is to be asked for at once. */
export function isTooMuch(error: unknown): boolean {
  return error instanceof ServerError && /timed out|mem consumption/i.test(error.message);
}

/** The server's refusal in words that hold no data: error texts of FalkorDB quote the query. */
export function refused(tried: string, error: unknown): unknown {
  if (!(error instanceof ServerError)) return error;
  if (isDenied(error)) {
    const [, right] = /permissions to run the '([a-z.|]+)' command/i.exec(error.message) ?? [];
    return new MemkeepError("STORE_DENIED", {
      tried,
      happened:
        right === undefined ? "the user lacks a right" : `the user may not run ${right.toUpperCase()}`,
      next: "Grant it: the readme of the FalkorDB store lists the least rights.",
    });
  }
  if (isTooMuch(error)) {
    return new MemkeepError("STORE_UNREADABLE", {
      tried,
      happened: /timed out/i.test(error.message)
        ? "Query timed out: the server's TIMEOUT is too short even for a single record"
        : "the server's QUERY_MEM_CAPACITY is too small even for a single record",
      next: "Raise it with GRAPH.CONFIG SET on the server.",
    });
  }
  const [reason] = /^(?:[A-Z]+ )?[^:'"`]{0,120}/.exec(error.message) ?? [""];
  return new MemkeepError("STORE_UNREADABLE", { tried, happened: `the server refused: ${reason}` });
}
