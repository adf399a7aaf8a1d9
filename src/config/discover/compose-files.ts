/** Finds stores in Docker Compose files: images that are databases, the ports they publish, the variables they are given. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { nameFrom } from "../../domain/name.ts";
import type { Environment } from "../environment.ts";
import { addressOf, type Entry, type FoundStore, literal } from "./found.ts";
import { missingVariables, resolved } from "./references.ts";

const names = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
const largestChars = 1 << 20;

interface Image {
  readonly kind: string;
  readonly pattern: RegExp;
  readonly port: string;
}

const images: readonly Image[] = [
  { kind: "falkordb", pattern: /(^|\/)falkordb(-server)?(:|@|$)/, port: "6379" },
  { kind: "qdrant", pattern: /(^|\/)qdrant(:|@|$)/, port: "6333" },
  { kind: "neo4j", pattern: /(^|\/)neo4j(:|@|$)/, port: "7687" },
  {
    kind: "postgres",
    pattern: /(^|\/)(postgres|postgresql|pgvector|postgis|timescaledb(-ha)?|paradedb)(:|@|$)/,
    port: "5432",
  },
];

type Section = Readonly<Record<string, unknown>>;

/** Only services that publish their port can be reached from here. A file that is no YAML holds nothing. */
export async function findInComposeFiles(folder: string, environment: Environment): Promise<FoundStore[]> {
  const found: FoundStore[] = [];
  for (const file of names) {
    for (const [name, service] of Object.entries(await servicesOf(join(folder, file)))) {
      const store = isSection(service) ? storeOf(name, service, file, environment) : undefined;
      if (store) found.push(store);
    }
  }
  return found;
}

async function servicesOf(path: string): Promise<Section> {
  try {
    const text = await readFile(path, "utf8");
    if (text.length > largestChars) return {};
    const { parse } = await import("yaml");
    const tree: unknown = parse(text, { maxAliasCount: 100 });
    const services = isSection(tree) ? tree["services"] : undefined;
    return isSection(services) ? services : {};
  } catch {
    return {};
  }
}

function storeOf(
  service: string,
  about: Section,
  file: string,
  environment: Environment,
): FoundStore | undefined {
  const image = about["image"];
  if (typeof image !== "string") return undefined;
  const known = images.find(({ pattern }) => pattern.test(image));
  const port = known && publishedPort(about["ports"], known.port);
  if (known === undefined || port === undefined) return undefined;
  const variables = variablesOf(about["environment"]);
  const entry = entryOf(known.kind, port, variables);
  const missing = missingVariables(entry, environment);
  const number = resolved(port, environment);
  const database = known.kind === "postgres" ? resolved(databaseOf(variables), environment) : undefined;
  return {
    name: nameFrom(service) ?? known.kind,
    kind: known.kind,
    entry,
    where: `${service} in ${file}`,
    address: number === undefined ? undefined : addressOf("127.0.0.1", number, database),
    guessed: known.kind === "falkordb" ? ["graph"] : [],
    lacking: missing.length === 0 ? undefined : `${missing.join(" and ")} must be set`,
  };
}

function entryOf(kind: string, port: string, variables: ReadonlyMap<string, string>): Entry {
  switch (kind) {
    case "falkordb": {
      const asks = /requirepass/.test(variables.get("REDIS_ARGS") ?? "");
      return {
        url: `redis://127.0.0.1:${port}`,
        ...(asks ? { password: "${FALKORDB_PASSWORD}" } : {}),
        graph: "${FALKORDB_GRAPH:-memories}",
      };
    }
    case "qdrant": {
      const key = variables.get("QDRANT__SERVICE__API_KEY");
      return {
        url: `http://127.0.0.1:${port}`,
        ...(key === undefined ? {} : { apiKey: secretOf(key, "QDRANT_API_KEY") }),
      };
    }
    case "neo4j": {
      const auth = variables.get("NEO4J_AUTH");
      return {
        url: `neo4j://127.0.0.1:${port}`,
        auth: auth === "none" ? "none" : secretOf(auth ?? "", "NEO4J_AUTH"),
      };
    }
    default: {
      const user = plainOf(variables.get("POSTGRES_USER") ?? "postgres");
      const trusted = variables.get("POSTGRES_HOST_AUTH_METHOD") === "trust";
      return {
        url: `postgresql://${user}@127.0.0.1:${port}/${databaseOf(variables)}`,
        ...(trusted
          ? {}
          : { password: secretOf(variables.get("POSTGRES_PASSWORD") ?? "", "POSTGRES_PASSWORD") }),
      };
    }
  }
}

function databaseOf(variables: ReadonlyMap<string, string>): string {
  return plainOf(variables.get("POSTGRES_DB") ?? variables.get("POSTGRES_USER") ?? "postgres");
}

/** What Compose writes as memkeep does: `${NAME}`, `${NAME:-default}`. */
const onlyReference = /^\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}$/;

/** A secret is never copied: where it stands in the file itself, the variable of that name must be set. */
function secretOf(value: string, name: string): string {
  return /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(value) ? value : `\${${name}}`;
}

/** A part of a URL: names and values from files are data. */
function plainOf(value: string): string {
  return onlyReference.test(value) ? value : encodeURIComponent(literal(value));
}

function variablesOf(environment: unknown): Map<string, string> {
  if (Array.isArray(environment)) {
    return new Map(
      environment.flatMap((line: unknown) => {
        const [, name, value] = /^([^=]+)=(.*)$/s.exec(String(line)) ?? [];
        return name === undefined ? [] : [[name, value!] as const];
      }),
    );
  }
  if (!isSection(environment)) return new Map();
  return new Map(
    Object.entries(environment).flatMap(([name, value]) =>
      typeof value === "string" || typeof value === "number" ? [[name, String(value)] as const] : [],
    ),
  );
}

/** The port of this machine behind which the container's is: `5432:5432`, `127.0.0.1:${PORT:-5433}:5432`, or the long form. */
function publishedPort(ports: unknown, wanted: string): string | undefined {
  if (!Array.isArray(ports)) return undefined;
  for (const port of ports as readonly unknown[]) {
    const { published, target } = isSection(port) ? port : shortForm(port);
    if (!isText(published) || !isText(target) || String(target) !== wanted) continue;
    const text = String(published);
    if (/^\d+$/.test(text) || onlyReference.test(text)) return text;
  }
  return undefined;
}

function shortForm(port: unknown): Section {
  const match = isText(port) && /^(?:[\d.]+:)?(\d+|\$\{[^}]+\}):(\d+)(?:\/tcp)?$/.exec(String(port));
  return match ? { published: match[1], target: match[2] } : {};
}

function isText(value: unknown): value is string | number {
  return typeof value === "string" || typeof value === "number";
}

function isSection(value: unknown): value is Section {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
