/**
 * Indexes and constraints: read from the server, kept in `schema.json` in a fixed order, compared, and made again. What the
 * server prints as `createStatement` is not run: text out of an archive is data. Statements are made from its parts.
 */
import { z } from "zod";
import { MemkeepError } from "../../domain/errors.ts";
import { compareUtf8 } from "../format/value.ts";
import type { Client } from "./client.ts";
import { quoteName } from "./names.ts";

const Setting = z.union([z.string(), z.number(), z.boolean(), z.array(z.number())]);
const Options = z.record(z.string(), Setting);

const Index = z.strictObject({
  name: z.string(),
  type: z.enum(["RANGE", "TEXT", "POINT", "FULLTEXT", "LOOKUP", "VECTOR"]),
  entity: z.enum(["NODE", "RELATIONSHIP"]),
  labelsOrTypes: z.array(z.string()),
  properties: z.array(z.string()),
  provider: z.string(),
  config: Options,
});
export type Index = z.infer<typeof Index>;

const Constraint = z.strictObject({
  name: z.string(),
  type: z.enum(["UNIQUENESS", "KEY", "EXISTENCE", "PROPERTY_TYPE"]),
  entity: z.enum(["NODE", "RELATIONSHIP"]),
  labelsOrTypes: z.array(z.string()).length(1),
  properties: z.array(z.string()).min(1),
  /** `STRING`, `LIST<INTEGER NOT NULL> | DATE`. */
  propertyType: z
    .string()
    .regex(/^[A-Z0-9_<>|(), ]+$/)
    .optional(),
});
export type Constraint = z.infer<typeof Constraint>;

export const GraphSchema = z.strictObject({ indexes: z.array(Index), constraints: z.array(Constraint) });
export type GraphSchema = z.infer<typeof GraphSchema>;

/** Reads it. An index that FAILED is no part of the data; it is named in `failed`. */
export async function readSchema(client: Client): Promise<{ schema: GraphSchema; failed: string[] }> {
  const failed: string[] = [];
  const indexes: Index[] = [];
  await client.rows(
    "SHOW INDEXES YIELD name, type, entityType, labelsOrTypes, properties, options, owningConstraint, state " +
      "RETURN name, type, entityType, labelsOrTypes, properties, options, owningConstraint, state",
    {},
    (row) => {
      // It comes and goes with its constraint.
      if (row.get("owningConstraint") !== null) return;
      const name = row.get("name") as string;
      if (row.get("state") === "FAILED") {
        failed.push(name);
        return;
      }
      const { indexProvider, indexConfig } = row.get("options") as Readonly<Record<string, unknown>>;
      indexes.push(
        parsed(Index, {
          name,
          type: row.get("type"),
          entity: row.get("entityType"),
          labelsOrTypes: row.get("labelsOrTypes") ?? [],
          properties: row.get("properties") ?? [],
          provider: indexProvider,
          config: plainConfig((indexConfig ?? {}) as Readonly<Record<string, unknown>>),
        }),
      );
    },
  );
  const constraints = await client.rows(
    "SHOW CONSTRAINTS YIELD name, type, entityType, labelsOrTypes, properties, propertyType " +
      "RETURN name, type, entityType, labelsOrTypes, properties, propertyType",
    {},
    (row) => {
      const propertyType = row.get("propertyType") as string | null;
      return parsed(Constraint, {
        name: row.get("name"),
        type: constraintType(String(row.get("type"))),
        entity: row.get("entityType"),
        labelsOrTypes: row.get("labelsOrTypes"),
        properties: row.get("properties"),
        ...(propertyType === null ? {} : { propertyType }),
      });
    },
  );
  return { schema: { indexes: indexes.sort(byName), constraints: constraints.sort(byName) }, failed };
}

function parsed<T>(shape: z.ZodType<T>, value: unknown): T {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  throw new MemkeepError("STORE_UNSUPPORTED", {
    tried: "read the indexes and constraints of a database",
    happened: `one is of a kind that this memkeep does not know: ${z.prettifyError(result.error)}`,
    next: "Use a newer memkeep.",
  });
}

/** The server's words differ by version: `UNIQUENESS`, `NODE_PROPERTY_UNIQUENESS`, `RELATIONSHIP_UNIQUENESS`. */
function constraintType(text: string): string {
  if (text.endsWith("UNIQUENESS")) return "UNIQUENESS";
  if (text.endsWith("KEY")) return "KEY";
  if (text.endsWith("EXISTENCE")) return "EXISTENCE";
  return text.endsWith("PROPERTY_TYPE") ? "PROPERTY_TYPE" : text;
}

function plainConfig(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const names = Object.keys(config).sort(compareUtf8);
  return Object.fromEntries(
    names.map((name) => [name, typeof config[name] === "bigint" ? Number(config[name]) : config[name]]),
  );
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return compareUtf8(a.name, b.name);
}

export interface SchemaChange {
  readonly dropped: { readonly indexes: readonly Index[]; readonly constraints: readonly Constraint[] };
  readonly created: GraphSchema;
}

/** What makes `now` into `wanted`. What is the same in both stays as it is. */
export function schemaChange(now: GraphSchema, wanted: GraphSchema): SchemaChange {
  return {
    dropped: {
      indexes: missingFrom(wanted.indexes, now.indexes),
      constraints: missingFrom(wanted.constraints, now.constraints),
    },
    created: {
      indexes: missingFrom(now.indexes, wanted.indexes),
      constraints: missingFrom(now.constraints, wanted.constraints),
    },
  };
}

function missingFrom<Item>(list: readonly Item[], items: readonly Item[]): Item[] {
  const there = new Set(list.map((item) => JSON.stringify(item)));
  return items.filter((item) => !there.has(JSON.stringify(item)));
}

/** Constraints that only Enterprise Edition has. */
export function enterpriseConstraints({ constraints }: GraphSchema): readonly Constraint[] {
  return constraints.filter(({ type }) => type !== "UNIQUENESS");
}

/** In the words of people: `KEY user_key on (:User {email})`. */
export function constraintName({ name, type, entity, labelsOrTypes, properties }: Constraint): string {
  const [owner] = labelsOrTypes;
  const place =
    entity === "NODE" ? `(:${owner!} {${properties.join(", ")}})` : `[:${owner!} {${properties.join(", ")}}]`;
  return `${type.replace("_", " ").toLowerCase()} ${JSON.stringify(name)} on ${place}`;
}

/** Indexes that failed: the server refuses every change of what they cover while they are there. */
export async function dropFailed(client: Client, names: readonly string[]): Promise<void> {
  for (const name of names) await client.command(`DROP INDEX ${quoteName(name)} IF EXISTS`);
}

export async function dropSchema(client: Client, dropped: SchemaChange["dropped"]): Promise<void> {
  for (const { name } of dropped.constraints) {
    await client.command(`DROP CONSTRAINT ${quoteName(name)} IF EXISTS`);
  }
  for (const { name } of dropped.indexes) await client.command(`DROP INDEX ${quoteName(name)} IF EXISTS`);
}

/** Makes indexes and constraints and waits until all work. An index that FAILED is an error. */
export async function createSchema(client: Client, { indexes, constraints }: GraphSchema): Promise<void> {
  for (const index of indexes) {
    await client.command(indexStatement(index), {
      options: { indexProvider: index.provider, indexConfig: driverConfig(index.config) },
    });
  }
  for (const constraint of constraints) await client.command(constraintStatement(constraint));
  await awaitIndexes(client);
}

/** `db.awaitIndexes` gives up after its own time; large indexes take longer. */
async function awaitIndexes(client: Client): Promise<void> {
  for (;;) {
    const states = await client.rows("SHOW INDEXES YIELD name, state RETURN name, state", {}, (row) => ({
      name: row.get(0) as string,
      state: row.get(1) as string,
    }));
    const failed = states.filter(({ state }) => state === "FAILED");
    if (failed.length > 0) {
      throw new MemkeepError("COMPARE_FAILED", {
        tried: "create the database's indexes",
        happened: `the server says FAILED of ${failed.map(({ name }) => JSON.stringify(name)).join(", ")}`,
        next: "`SHOW INDEXES YIELD name, failureMessage` on the server says why.",
      });
    }
    if (states.every(({ state }) => state === "ONLINE")) return;
    await client.command("CALL db.awaitIndexes(5)").catch((error: unknown) => {
      // It ends with an error after five seconds, or where an index fails; the states say which.
      if (!(error instanceof MemkeepError) || error.code !== "STORE_UNREADABLE") throw error;
    });
  }
}

/** Whole numbers are integers to Neo4j, except where a setting is a coordinate. */
function driverConfig(config: Index["config"]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [
      name,
      typeof value === "number" && Number.isInteger(value) ? BigInt(value) : value,
    ]),
  );
}

function indexStatement({ name, type, entity, labelsOrTypes, properties }: Index): string {
  const head = `CREATE ${type} INDEX ${quoteName(name)} IF NOT EXISTS FOR`;
  const isNode = entity === "NODE";
  if (type === "LOOKUP") {
    return isNode ? `${head} (x) ON EACH labels(x)` : `${head} ()-[x]-() ON EACH type(x)`;
  }
  const owners = labelsOrTypes.map(quoteName).join("|");
  const pattern = isNode ? `(x:${owners})` : `()-[x:${owners}]-()`;
  const fields = properties.map((property) => `x.${quoteName(property)}`).join(", ");
  const on = type === "FULLTEXT" ? `ON EACH [${fields}]` : `ON (${fields})`;
  return `${head} ${pattern} ${on} OPTIONS $options`;
}

function constraintStatement({
  name,
  type,
  entity,
  labelsOrTypes,
  properties,
  propertyType,
}: Constraint): string {
  const owner = quoteName(labelsOrTypes[0]!);
  const pattern = entity === "NODE" ? `(x:${owner})` : `()-[x:${owner}]-()`;
  const fields = `(${properties.map((property) => `x.${quoteName(property)}`).join(", ")})`;
  const rule = {
    UNIQUENESS: "IS UNIQUE",
    KEY: entity === "NODE" ? "IS NODE KEY" : "IS RELATIONSHIP KEY",
    EXISTENCE: "IS NOT NULL",
    PROPERTY_TYPE: `IS :: ${propertyType ?? "ANY"}`,
  }[type];
  return `CREATE CONSTRAINT ${quoteName(name)} IF NOT EXISTS FOR ${pattern} REQUIRE ${fields} ${rule}`;
}
