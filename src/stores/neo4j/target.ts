/** Where a restore goes: the store's own database, another one, or the scratch server. */
import { MemkeepError } from "../../domain/errors.ts";
import type { RestoreOptions, StoreContext } from "../store.ts";
import { Client } from "./client.ts";
import { accessFromUrl } from "./config.ts";
import type { Neo4jAccess, Neo4jConfig } from "./config.ts";

export interface Target {
  readonly client: Client;
  readonly config: Neo4jConfig;
  readonly context: StoreContext;
  readonly options: RestoreOptions;
}

/** The server and database of a restore. `STORE_UNSUPPORTED` for a drill without a scratch server. */
export function targetAccess(config: Neo4jConfig, { target }: RestoreOptions): Neo4jAccess {
  if (target.kind === "in-place") return config;
  if (target.kind === "into") return withOwnLogin(accessFromUrl(target.target), config);
  if (config.scratch) return withOwnLogin(config.scratch, config);
  throw new MemkeepError("STORE_UNSUPPORTED", {
    tried: "restore into a scratch database",
    happened: "Neo4j has no place for one beside the store, and no scratch server is configured",
    next: "Set `scratch: { url: bolt://… }` to a server with an empty database.",
  });
}

function withOwnLogin(access: Neo4jAccess, { username, password, auth, caFile }: Neo4jConfig): Neo4jAccess {
  if (access.password !== undefined || access.auth !== undefined) return access;
  const own = { username: access.username ?? username, password, auth, caFile: access.caFile ?? caFile };
  return {
    ...access,
    ...(Object.fromEntries(
      Object.entries(own).filter(([, value]) => value !== undefined),
    ) as Partial<Neo4jAccess>),
  };
}

/** The target of one restore, with a connection of its own. */
export function openTarget(config: Neo4jConfig, options: RestoreOptions, context: StoreContext): Target {
  return { client: new Client(config, targetAccess(config, options), context), config, context, options };
}
