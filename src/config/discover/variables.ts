/** Finds stores and storages by the variables that known memory systems are configured with. */
import { resolve } from "node:path";
import type { Environment } from "../environment.ts";
import { addressOf, type Discovery, type Entry, type FoundStorage, type FoundStore } from "./found.ts";
import { missingVariables, resolved } from "./references.ts";

interface Known {
  readonly name: string;
  readonly kind: string;
  /** The store is proposed when this one is set. */
  readonly sign: string;
  readonly entry: Entry;
  /** What the sign must hold for that. */
  readonly form?: RegExp;
  /** The entry's host and port, or path. */
  readonly place: string;
}

const postgresUrl = /^postgres(ql)?:\/\//;

/** AutoMem, Clara, mem0 and what is usual beside them. */
const known: readonly Known[] = [
  {
    name: "graph",
    kind: "falkordb",
    sign: "FALKORDB_HOST",
    entry: {
      url: "redis://${FALKORDB_HOST}:${FALKORDB_PORT:-6379}",
      password: "${FALKORDB_PASSWORD:-}",
      graph: "${FALKORDB_GRAPH:-memories}",
    },
    place: "redis://${FALKORDB_HOST}:${FALKORDB_PORT:-6379}",
  },
  {
    name: "vectors",
    kind: "qdrant",
    sign: "QDRANT_URL",
    form: /^https?:\/\//,
    entry: { url: "${QDRANT_URL}" },
    place: "${QDRANT_URL}",
  },
  {
    name: "database",
    kind: "postgres",
    sign: "DATABASE_URL",
    form: postgresUrl,
    entry: { url: "${DATABASE_URL}" },
    place: "${DATABASE_URL}",
  },
  {
    name: "mem0",
    kind: "postgres",
    sign: "MEM0_DATABASE_URL",
    form: postgresUrl,
    entry: { url: "${MEM0_DATABASE_URL}" },
    place: "${MEM0_DATABASE_URL}",
  },
  {
    name: "memories",
    kind: "postgres",
    sign: "POSTGRES_HOST",
    entry: {
      url: "postgresql://${POSTGRES_USER:-postgres}@${POSTGRES_HOST}:${POSTGRES_PORT:-5432}/${POSTGRES_DB:-postgres}",
      password: "${POSTGRES_PASSWORD}",
    },
    place: "postgresql://${POSTGRES_HOST}:${POSTGRES_PORT:-5432}/${POSTGRES_DB:-postgres}",
  },
  {
    name: "graph",
    kind: "neo4j",
    sign: "NEO4J_URI",
    form: /^(neo4j|bolt)/,
    entry: { url: "${NEO4J_URI}" },
    place: "${NEO4J_URI}",
  },
  {
    name: "history",
    kind: "sqlite",
    sign: "MEM0_HISTORY_DB",
    entry: { path: "${MEM0_HISTORY_DB}" },
    place: "${MEM0_HISTORY_DB}",
  },
];

/** Systems whose stores memkeep has no adaptor for yet: saying nothing would look as if they were backed up. */
const unsupported: readonly (readonly [sign: string, what: string])[] = [
  ["SUPABASE_URL", "Supabase's interface (its PostgreSQL database can be backed up, by its connection URL)"],
  ["NOTION_API_KEY", "Notion"],
];

/** @param folder where relative paths begin. */
export function findByVariables(environment: Environment, folder: string): Discovery {
  const stores = known.flatMap((one) => {
    const value = environment[one.sign];
    if (value === undefined || value === "" || one.form?.test(value) === false) return [];
    return [storeOf(one, environment, folder)];
  });
  const remarks = unsupported
    .filter(([sign]) => Boolean(environment[sign]))
    .map(([sign, what]) => `${sign} is set, but this version does not back up ${what}.`);
  return { stores, storages: bucketOf(environment), remarks };
}

function storeOf(one: Known, environment: Environment, folder: string): FoundStore {
  const entry: Entry = { ...one.entry, ...credentials(one.kind, environment) };
  const missing = missingVariables(entry, environment);
  return {
    name: one.name,
    kind: one.kind,
    entry,
    where: `by ${one.sign}`,
    address: placeOf(one, environment, folder),
    guessed: one.kind === "falkordb" && !environment["FALKORDB_GRAPH"] ? ["graph"] : [],
    lacking: missing.length === 0 ? undefined : `${missing.join(" and ")} must be set`,
  };
}

/** Optional ones are named only where they are set, so that the file says how it is. */
function credentials(kind: string, environment: Environment): Entry {
  const set = (name: string): boolean => Boolean(environment[name]) || Boolean(environment[`${name}_FILE`]);
  if (kind === "qdrant") {
    return {
      ...(set("QDRANT_API_KEY") ? { apiKey: "${QDRANT_API_KEY}" } : {}),
      ...(set("QDRANT_COLLECTION") ? { collections: ["${QDRANT_COLLECTION}"] } : {}),
    };
  }
  if (kind !== "neo4j") return {};
  if (set("NEO4J_AUTH")) return { auth: "${NEO4J_AUTH}" };
  if (set("NEO4J_PASSWORD")) {
    const name = set("NEO4J_USERNAME") ? "NEO4J_USERNAME" : "NEO4J_USER";
    return { username: `\${${name}:-neo4j}`, password: "${NEO4J_PASSWORD}" };
  }
  return {};
}

function placeOf({ kind, place }: Known, environment: Environment, folder: string): string | undefined {
  const value = resolved(place, environment);
  if (value === undefined) return undefined;
  if (kind === "sqlite") return resolve(folder, value);
  const url = URL.parse(value);
  if (url === null || url.hostname === "") return undefined;
  const usual = { falkordb: "6379", qdrant: url.protocol === "https:" ? "443" : "80", postgres: "5432" }[
    kind
  ];
  // Of one PostgreSQL server several databases may be wanted.
  const name = kind === "postgres" ? url.pathname.slice(1) : "";
  return addressOf(url.hostname, url.port || (usual ?? "7687"), name);
}

/** Clara's bucket, and of others who name theirs so. */
function bucketOf(environment: Environment): FoundStorage[] {
  if (!environment["S3_BUCKET"] || !environment["S3_ACCESS_KEY"] || !environment["S3_SECRET_KEY"]) return [];
  const optional: Entry = {
    ...(environment["S3_ENDPOINT_URL"] ? { endpoint: "${S3_ENDPOINT_URL}" } : {}),
    ...(environment["S3_REGION"] ? { region: "${S3_REGION}" } : {}),
  };
  return [
    {
      name: "bucket",
      entry: {
        type: "s3",
        ...optional,
        bucket: "${S3_BUCKET}",
        prefix: "memkeep",
        accessKeyId: "${S3_ACCESS_KEY}",
        secretAccessKey: "${S3_SECRET_KEY}",
      },
      where: "by S3_BUCKET",
    },
  ];
}
