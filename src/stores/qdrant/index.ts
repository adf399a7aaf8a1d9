/** The Qdrant adaptor: collections of one server, its rules in `readme.md`. */
import { dumpFormatVersion } from "../format/layout.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
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
import type { QdrantConfig } from "./config.ts";
import { describeServer } from "./describe.ts";
import { decodeDump } from "./dump-contents.ts";
import { maintenanceTasks } from "./maintain.ts";
import { probeServer } from "./probe.ts";
import { planRestore } from "./restore-plan.ts";
import { refuseParts } from "../refuse-options.ts";
import { stageRestore } from "./restore.ts";
import { Server } from "./server.ts";
import { unitNamed } from "./units.ts";
import { openView } from "./view.ts";
import { writePoints } from "./write.ts";

export const qdrant: StoreKind<QdrantConfig> = {
  kind: "qdrant",
  dumpVersion: dumpFormatVersion,
  connect: (config, context) => new QdrantStore(config, context),
  decode: (source): Promise<readonly CollectionFacts[]> => decodeDump(source),
};

class QdrantStore implements Store {
  readonly kind = "qdrant";
  readonly #config: QdrantConfig;
  readonly #context: StoreContext;

  constructor(config: QdrantConfig, context: StoreContext) {
    this.#config = config;
    this.#context = context;
  }

  get name(): string {
    return this.#context.name;
  }

  async describe(): Promise<StoreDescription> {
    using server = new Server(this.#config, this.#context);
    return await describeServer(server);
  }

  async open(): Promise<View> {
    const server = new Server(this.#config, this.#context);
    try {
      return await openView(server);
    } catch (error) {
      server[Symbol.dispose]();
      throw error;
    }
  }

  async planRestore(source: DumpSource, options: RestoreOptions): Promise<RestorePlan> {
    refuseParts("qdrant", options);
    return planRestore(source, options, this.#config, this.#context);
  }

  stage(plan: RestorePlan, source: DumpSource, options: RestoreOptions): Promise<Restoration> {
    return stageRestore(plan, source, options, this.#config, this.#context);
  }

  async write(collection: string, records: AsyncIterable<StoreRecord>): Promise<Written> {
    using server = new Server(this.#config, this.#context);
    return await writePoints(server, await unitNamed(server, collection), records);
  }

  async probe(): Promise<readonly Probe[]> {
    using server = new Server(this.#config, this.#context);
    return await probeServer(server);
  }

  maintenance(): Promise<readonly MaintenanceTask[]> {
    return Promise.resolve(maintenanceTasks(this.#config, this.#context));
  }

  [Symbol.asyncDispose](): Promise<void> {
    // Views and restorations own their connections.
    return Promise.resolve();
  }
}
