/** The Neo4j adaptor: one database of one server or cluster; its rules in `readme.md`. */
import { dumpFormatVersion } from "../format/layout.ts";
import type {
  DumpSource,
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
import { Client } from "./client.ts";
import type { Neo4jConfig } from "./config.ts";
import { decodeDump } from "./dump.ts";
import { maintenanceTasks } from "./maintain.ts";
import { probeStore } from "./probe.ts";
import { planRestore } from "./restore-plan.ts";
import { refuseParts } from "../refuse-options.ts";
import { stageRestore } from "./restore.ts";
import { serverFacts } from "./server.ts";
import { openTarget } from "./target.ts";
import { openView, readParts } from "./view.ts";
import { writeRecords } from "./write.ts";

export const neo4j: StoreKind<Neo4jConfig> = {
  kind: "neo4j",
  dumpVersion: dumpFormatVersion,
  connect: (config, context) => new Neo4jStore(config, context),
  decode: (source) => decodeDump(source),
};

class Neo4jStore implements Store {
  readonly kind = "neo4j";
  readonly #config: Neo4jConfig;
  readonly #context: StoreContext;
  readonly #client: Client;

  constructor(config: Neo4jConfig, context: StoreContext) {
    this.#config = config;
    this.#context = context;
    this.#client = new Client(config, config, context);
  }

  get name(): string {
    return this.#context.name;
  }

  async describe(): Promise<StoreDescription> {
    const { version, edition, database, databaseId } = await serverFacts(this.#client);
    return {
      engine: { name: `Neo4j ${edition}`, version },
      source: this.#client.where,
      // The server does not tell how large a database is.
      estimatedBytes: undefined,
      identity: `neo4j:${databaseId ?? `${new URL(this.#config.url).host}/${database}`}`,
      localPaths: [],
    };
  }

  open(): Promise<View> {
    return openView(this.#client, this.#config, this.#context);
  }

  async planRestore(source: DumpSource, options: RestoreOptions): Promise<RestorePlan> {
    refuseParts("neo4j", options);
    const target = openTarget(this.#config, options, this.#context);
    try {
      return await planRestore(source, target);
    } finally {
      await target.client[Symbol.asyncDispose]();
    }
  }

  async stage(plan: RestorePlan, source: DumpSource, options: RestoreOptions): Promise<Restoration> {
    const target = openTarget(this.#config, options, this.#context);
    try {
      return await stageRestore(plan, source, target);
    } catch (error) {
      await target.client[Symbol.asyncDispose]();
      throw error;
    }
  }

  write(collection: string, records: AsyncIterable<StoreRecord>): Promise<Written> {
    return writeRecords(collection, records, readParts(this.#client, this.#config, this.#context, "facts"));
  }

  probe(): Promise<readonly Probe[]> {
    return probeStore(this.#client);
  }

  maintenance(): Promise<readonly MaintenanceTask[]> {
    return Promise.resolve(maintenanceTasks(this.#client));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
  }
}
