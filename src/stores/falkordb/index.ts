/** The FalkorDB adaptor: a graph, or several, on one server; its rules in `readme.md`. */
import { dumpFormatVersion } from "../format/layout.ts";
import { refuseParts } from "../refuse-options.ts";
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
import { Session, refused } from "./client.ts";
import { fromUrl, graphNames } from "./config.ts";
import type { FalkorDBConfig } from "./config.ts";
import { decodeDump } from "./dump.ts";
import { maintenanceTasks } from "./maintain.ts";
import { probeStore } from "./probe.ts";
import { ServerError } from "./resp.ts";
import type { Reply } from "./resp.ts";
import { prepareRestore } from "./restore-plan.ts";
import { stageRestore } from "./restore.ts";
import { serverFacts } from "./server.ts";
import { openView } from "./view.ts";
import { writeRecords } from "./write.ts";

export const falkordb: StoreKind<FalkorDBConfig> = {
  kind: "falkordb",
  dumpVersion: dumpFormatVersion,
  connect: (config, context) => new FalkorDBStore(config, context),
  decode: (source) => decodeDump(source),
};

class FalkorDBStore implements Store {
  readonly kind = "falkordb";
  readonly #config: FalkorDBConfig;
  readonly #context: StoreContext;
  readonly #session: Session;
  /** Of servers that restores go into. */
  readonly #others: Session[] = [];

  constructor(config: FalkorDBConfig, context: StoreContext) {
    this.#config = config;
    this.#context = context;
    this.#session = new Session(config, context);
  }

  get name(): string {
    return this.#context.name;
  }

  async describe(): Promise<StoreDescription> {
    const { version, runId } = await serverFacts(this.#session);
    const { host } = new URL(this.#config.url);
    const graphs = graphNames(this.#config);
    return {
      engine: { name: "FalkorDB", version },
      source: graphs.map((graph) => `falkordb://${host}/${encodeURIComponent(graph)}`).join(", "),
      estimatedBytes: await this.#estimate(graphs),
      identity: `falkordb:${runId ?? host}:${JSON.stringify(graphs)}`,
      localPaths: [],
    };
  }

  open(): Promise<View> {
    return inWords("read FalkorDB", openView(this.#session, this.#config, this.#context));
  }

  async planRestore(source: DumpSource, options: RestoreOptions): Promise<RestorePlan> {
    refuseParts("falkordb", options);
    const prepared = prepareRestore(source, options, this.#targetOf(options));
    return (await inWords("plan a restore into FalkorDB", prepared)).plan;
  }

  stage(plan: RestorePlan, source: DumpSource, options: RestoreOptions): Promise<Restoration> {
    return inWords("restore into FalkorDB", stageRestore(plan, source, options, this.#targetOf(options)));
  }

  write(collection: string, records: AsyncIterable<StoreRecord>): Promise<Written> {
    const parts = { session: this.#session, config: this.#config, context: this.#context };
    return inWords("write records into FalkorDB", writeRecords(collection, records, parts));
  }

  probe(): Promise<readonly Probe[]> {
    return probeStore(this.#session, this.#config);
  }

  maintenance(): Promise<readonly MaintenanceTask[]> {
    return Promise.resolve(maintenanceTasks(this.#session));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of [this.#session, ...this.#others]) await session[Symbol.asyncDispose]();
  }

  /** `--into falkordb://…` names another server or graph; all other settings are this store's. */
  #targetOf({ target }: RestoreOptions): {
    readonly session: Session;
    readonly config: FalkorDBConfig;
    readonly context: StoreContext;
  } {
    const context = this.#context;
    if (target.kind !== "into") return { session: this.#session, config: this.#config, context };
    const { graphs: _, ...own } = this.#config;
    const config = { ...own, ...fromUrl(target.target), key: own.key, keys: own.keys };
    const session = new Session(config, context);
    this.#others.push(session);
    return { session, config, context };
  }

  async #estimate(graphs: readonly string[]): Promise<number | undefined> {
    let bytes = 0;
    for (const graph of graphs) {
      try {
        const reply = (await this.#session.ask("GRAPH.MEMORY", "USAGE", graph)) as readonly Reply[];
        bytes += Number(reply[1]) * 1024 * 1024;
      } catch (error) {
        if (error instanceof ServerError) return undefined;
        throw error;
      }
    }
    return bytes;
  }
}

/** The server's own words hold data: they do not leave the adaptor. */
async function inWords<Result>(tried: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw refused(tried, error);
  }
}
