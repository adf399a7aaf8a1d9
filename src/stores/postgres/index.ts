/** The PostgreSQL adaptor: one database of a server, its rules in `readme.md`. */
import { dumpVersion } from "./dump-files.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import type {
  DumpFacts,
  DumpSink,
  DumpSource,
  KeyStream,
  MaintenanceTask,
  Probe,
  Restoration,
  RestoreOptions,
  RestorePlan,
  Store,
  StoreContext,
  StoreDescription,
  StoreKind,
  StoreRecord,
  View,
  Written,
} from "../store.ts";
import { countRows, readServer } from "./schema.ts";
import { openSession } from "./client.ts";
import type { PostgresConfig } from "./config.ts";
import { resolveConnection, sourceOf, withDatabase } from "./connection.ts";
import { decodeDump } from "./decode.ts";
import { dumpDatabase } from "./dump.ts";
import { failure, stateOf } from "./failure.ts";
import { keysOf, recordsOf, tableNamed } from "./keys.ts";
import { maintenanceTasks } from "./maintain.ts";
import { planMerge } from "./merge-plan.ts";
import type { Environment } from "./parameters.ts";
import { plainSql } from "./plain-sql.ts";
import { probeDatabase } from "./probe.ts";
import { planDatabaseRestore } from "./restore-plan.ts";
import { stageRestore } from "./restore.ts";
import { recoverSwitch } from "./swap.ts";
import { writeRecords } from "./write.ts";
import { type HeldSnapshot, type Surroundings, holdSnapshot } from "./view.ts";

export const postgres: StoreKind<PostgresConfig> = {
  kind: "postgres",
  dumpVersion,
  connect: (config, context) => connectPostgres(config, context, process.env),
  decode: (source, context): Promise<readonly CollectionFacts[]> => decodeDump(source, context.signal),
  plainSql: (source, context) => plainSql(source, context.signal, process.env),
};

/** As `StoreKind.connect`; `environment` is where the `PG*` variables are read from. */
export function connectPostgres(
  config: PostgresConfig,
  context: StoreContext,
  environment: Environment,
): Store {
  return new PostgresStore(config, context, environment);
}

class PostgresStore implements Store {
  readonly kind = "postgres";
  readonly #config: PostgresConfig;
  readonly #context: StoreContext;
  readonly #environment: Environment;

  constructor(config: PostgresConfig, context: StoreContext, environment: Environment) {
    this.#config = config;
    this.#context = context;
    this.#environment = environment;
  }

  get name(): string {
    return this.#context.name;
  }

  describe(): Promise<StoreDescription> {
    return this.#reaching((surroundings) => this.#describe(surroundings));
  }

  async #describe({ connection, config, context }: Surroundings): Promise<StoreDescription> {
    await using session = await openSession(connection, config, context);
    const server = await readServer(session);
    return {
      engine: { name: "PostgreSQL", version: server.version },
      source: sourceOf(session.connection),
      estimatedBytes: server.databaseBytes,
      identity: `postgres:${server.systemId}:${server.databaseOid}`,
      localPaths: [],
    };
  }

  open(): Promise<View> {
    return this.#reaching(
      async (surroundings) => new PostgresView(await holdSnapshot(surroundings), surroundings),
    );
  }

  async planRestore(source: DumpSource, options: RestoreOptions): Promise<RestorePlan> {
    return this.#reaching(async (surroundings) => {
      const merge = options.mode === "merge" ? await planMerge(source, options, surroundings) : undefined;
      return (merge ?? (await planDatabaseRestore(source, options, surroundings))).plan;
    });
  }

  stage(plan: RestorePlan, source: DumpSource, options: RestoreOptions): Promise<Restoration> {
    return stageRestore(plan, source, options, this.#surroundings());
  }

  write(collection: string, records: AsyncIterable<StoreRecord>): Promise<Written> {
    return this.#reaching((surroundings) => writeRecords(collection, records, surroundings));
  }

  probe(): Promise<readonly Probe[]> {
    return probeDatabase(this.#surroundings());
  }

  maintenance(): Promise<readonly MaintenanceTask[]> {
    return Promise.resolve(maintenanceTasks(this.#surroundings()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    // Views and restorations own what they opened.
    return Promise.resolve();
  }

  /** Does `work`; where the database is closed because a restore was killed while it switched, opens it first. */
  async #reaching<Result>(work: (surroundings: Surroundings) => Promise<Result>): Promise<Result> {
    const surroundings = this.#surroundings();
    try {
      return await work(surroundings);
    } catch (error) {
      if (!(await this.#recovered(error, surroundings))) throw error;
      return await work(surroundings);
    }
  }

  async #recovered(error: unknown, { connection, config, context }: Surroundings): Promise<boolean> {
    // object_not_in_prerequisite_state: "database … is not currently accepting connections".
    if (!(error instanceof Error) || stateOf(error.cause) !== "55000") return false;
    const { maintenanceDatabase } = config;
    await using maintenance = await openSession(
      withDatabase(connection, maintenanceDatabase),
      config,
      context,
    );
    if (!(await recoverSwitch(maintenance, connection.database))) return false;
    context.observer.warn(
      this.name,
      "an earlier restore was killed while it switched; the database is open again",
    );
    return true;
  }

  #surroundings(): Surroundings {
    return {
      config: this.#config,
      context: this.#context,
      environment: this.#environment,
      connection: resolveConnection(this.#config, this.#environment),
    };
  }
}

class PostgresView implements View {
  readonly consistency = "snapshot";
  readonly #held: HeldSnapshot;
  readonly #surroundings: Surroundings;

  constructor(held: HeldSnapshot, surroundings: Surroundings) {
    this.#held = held;
    this.#surroundings = surroundings;
  }

  get instant(): string {
    return this.#held.instant;
  }

  async dump(sink: DumpSink): Promise<DumpFacts> {
    try {
      return await dumpDatabase(this.#held, sink, this.#surroundings);
    } catch (error) {
      this.#surroundings.context.signal.throwIfAborted();
      // A sink's own error is the caller's, and says more than we could.
      if (!(error instanceof Error) || !("code" in error)) throw error;
      throw failure("dump", error, this.#surroundings.connection);
    }
  }

  async collections(): Promise<readonly { name: string; records: number }[]> {
    const tables = this.#held.tables.filter(({ isPartitioned }) => !isPartitioned);
    const counts = await countRows(this.#held.session, tables);
    return tables.map(({ name }) => ({ name, records: counts.get(name)! }));
  }

  keys(collection: string): KeyStream {
    return keysOf(this.#held.session, tableNamed(this.#held.tables, collection));
  }

  records(collection: string, keys: readonly Uint8Array[]): AsyncIterable<StoreRecord> {
    return recordsOf(this.#held.session, tableNamed(this.#held.tables, collection), keys);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held[Symbol.asyncDispose]();
  }
}
