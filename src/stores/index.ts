/**
 * The registry of store kinds: one line each, explicit, loaded only when used (a client library is not paid for by
 * those who do not have that database).
 */
import type { ZodType } from "zod";
import type { StoreKind } from "./store.ts";

export interface StoreRegistration<Config> {
  /** The `type:` of the configuration and the folder's name. */
  readonly kind: string;
  /** URL schemes that name this kind without a configuration file. */
  readonly schemes: readonly string[];
  /** The adaptor's own configuration schema, and how a URL becomes such a configuration. Loads no client. */
  readonly config: () => Promise<StoreConfigModule<Config>>;
  readonly adaptor: () => Promise<StoreKind<Config>>;
}

export interface StoreConfigModule<Config> {
  /** Zod schema of the keys beside `type:`; secret keys carry `.meta({ secret: true })`. */
  readonly schema: ZodType<Config>;
  /** `CONFIG_INVALID` with words when the URL does not fit. */
  fromUrl(url: string): Config;
}

function register<Config>(registration: StoreRegistration<Config>): StoreRegistration<Config> {
  return registration;
}

export const storeKinds = {
  falkordb: register({
    kind: "falkordb",
    schemes: ["falkordb:", "falkordbs:"],
    config: () => import("./falkordb/config.ts"),
    adaptor: async () => (await import("./falkordb/index.ts")).falkordb,
  }),
  neo4j: register({
    kind: "neo4j",
    schemes: ["neo4j:", "neo4j+s:", "neo4j+ssc:", "bolt:", "bolt+s:", "bolt+ssc:"],
    config: () => import("./neo4j/config.ts"),
    adaptor: async () => (await import("./neo4j/index.ts")).neo4j,
  }),
  qdrant: register({
    kind: "qdrant",
    schemes: ["qdrant:", "qdrants:"],
    config: () => import("./qdrant/config.ts"),
    adaptor: async () => (await import("./qdrant/index.ts")).qdrant,
  }),
  sqlite: register({
    kind: "sqlite",
    schemes: ["sqlite:"],
    config: () => import("./sqlite/config.ts"),
    adaptor: async () => (await import("./sqlite/index.ts")).sqlite,
  }),
  postgres: register({
    kind: "postgres",
    schemes: ["postgresql:", "postgres:"],
    config: () => import("./postgres/config.ts"),
    adaptor: async () => (await import("./postgres/index.ts")).postgres,
  }),
};
