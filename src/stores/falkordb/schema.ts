/**
 * Everything of a graph that is not a record: indexes, constraints, names without users. Read from the server, kept in
 * `schema.json` in a fixed order, and made again.
 */
import { z } from "zod";
import { MemkeepError } from "../../domain/errors.ts";
import { compareUtf8 } from "../format/value.ts";
import type { Clock } from "../../util/clock/clock.ts";
import type { Session } from "./client.ts";
import { readNames } from "./graph-names.ts";
import { addLiteral, queryBytes, quoteName, writeString } from "./names.ts";
import type { QueryPart } from "./names.ts";
import type { Reply } from "./resp.ts";

const Index = z.strictObject({
  entity: z.enum(["NODE", "RELATIONSHIP"]),
  label: z.string(),
  property: z.string(),
  kind: z.enum(["RANGE", "FULLTEXT", "VECTOR"]),
  /** Full-text: of the whole label. */
  language: z.string().optional(),
  stopwords: z.array(z.string()).optional(),
  /** Full-text. */
  weight: z.number().optional(),
  nostem: z.boolean().optional(),
  phonetic: z.boolean().optional(),
  /** Vector. */
  options: z
    .strictObject({
      dimension: z.number().int(),
      similarityFunction: z.string(),
      M: z.number().int(),
      efConstruction: z.number().int(),
      efRuntime: z.number().int(),
    })
    .optional(),
});
type Index = z.infer<typeof Index>;

const Constraint = z.strictObject({
  type: z.enum(["UNIQUE", "MANDATORY"]),
  entity: z.enum(["NODE", "RELATIONSHIP"]),
  label: z.string(),
  properties: z.array(z.string()),
});
type Constraint = z.infer<typeof Constraint>;

export const GraphSchema = z.strictObject({
  /** Absent where the store is one graph: its name is not part of its data. */
  name: z.string().optional(),
  labels: z.array(z.string()),
  types: z.array(z.string()),
  properties: z.array(z.string()),
  indexes: z.array(Index),
  constraints: z.array(Constraint),
});
export type GraphSchema = z.infer<typeof GraphSchema>;

/** Of RediSearch's field options (src/spec.h): how `info` tells what `options` leaves out. */
const fieldOption = { noStem: 4n, phonetic: 8n };

/**
 * Waits until no index is being built and no constraint is being checked: a copy made meanwhile would lack them.
 * `STORE_BUSY` when that takes more than a minute.
 */
export async function awaitSettled(
  session: Session,
  graph: Uint8Array,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const endMs = clock.monotonicMs() + 60_000;
  for (;;) {
    const states = [
      ...list(plain(await session.scalar(graph, "CALL db.indexes() YIELD status RETURN collect(status)"))),
      ...list(
        plain(await session.scalar(graph, "CALL db.constraints() YIELD status RETURN collect(status)")),
      ),
    ];
    if (states.every((state) => state === "OPERATIONAL" || state === "FAILED")) return;
    if (clock.monotonicMs() > endMs) {
      throw new MemkeepError("STORE_BUSY", {
        tried: "read the graph's indexes and constraints",
        happened: "the server is still building one of them",
        next: "Run it again when it is done.",
      });
    }
    await clock.sleep(50, signal);
  }
}

/** Reads it. A constraint that FAILED is no part of the graph; it is named in `warnings`. */
export async function readSchema(
  session: Session,
  graph: Uint8Array,
): Promise<{ schema: GraphSchema; warnings: string[] }> {
  const names = await readNames(session, graph);
  const warnings: string[] = [];
  const indexes: Index[] = [];
  for (const row of list(
    plain(
      await session.scalar(
        graph,
        "CALL db.indexes() YIELD label, types, options, language, stopwords, entitytype, info " +
          "RETURN collect([label, types, options, language, stopwords, entitytype, info.fields])",
      ),
    ),
  )) {
    indexes.push(...indexesOf(list(row)));
  }
  const constraints: Constraint[] = [];
  for (const row of list(
    plain(
      await session.scalar(
        graph,
        "CALL db.constraints() YIELD type, label, properties, entitytype, status " +
          "RETURN collect([type, label, properties, entitytype, status])",
      ),
    ),
  )) {
    const [type, label, properties, entity, status] = list(row);
    if (status === "FAILED") {
      warnings.push("A constraint of the graph has failed on the server; it is not part of the snapshot.");
      continue;
    }
    constraints.push(Constraint.parse({ type, label, properties, entity }));
  }
  const { labels, types, properties } = names;
  return {
    schema: {
      labels: [...labels],
      types: [...types],
      properties: [...properties],
      indexes: indexes.sort(byText),
      constraints: constraints.sort(byText),
    },
    warnings,
  };
}

function byText(a: object, b: object): number {
  return compareUtf8(JSON.stringify(a), JSON.stringify(b));
}

function indexesOf([label, types, options, language, stopwords, entity, fields]: readonly Plain[]): Index[] {
  const found: Index[] = [];
  const info = new Map(list(fields).map((field) => [(field as PlainMap)["name"], field as PlainMap]));
  for (const [property, kinds] of Object.entries(types as PlainMap)) {
    for (const kind of list(kinds)) {
      const base = { entity, label, property, kind };
      if (kind === "VECTOR") {
        const { dimension, similarityFunction, M, efConstruction, efRuntime } = (options as PlainMap)[
          property
        ] as PlainMap;
        const numbers = { dimension, M, efConstruction, efRuntime };
        const asNumbers = Object.fromEntries(
          Object.entries(numbers).map(([name, value]) => [name, Number(value)]),
        );
        found.push(Index.parse({ ...base, options: { ...asNumbers, similarityFunction } }));
      } else if (kind === "FULLTEXT") {
        const field = info.get(property);
        const bits = (field?.["options"] ?? 0n) as bigint;
        found.push(
          Index.parse({
            ...base,
            language,
            stopwords,
            weight: Number(field?.["textWeight"] ?? 1),
            nostem: (bits & fieldOption.noStem) !== 0n,
            phonetic: (bits & fieldOption.phonetic) !== 0n,
          }),
        );
      } else {
        found.push(Index.parse(base));
      }
    }
  }
  return found;
}

/** Makes the labels, types and property names, so that those without users are there as well. Leaves no record. */
export async function createNames(session: Session, graph: Uint8Array, schema: GraphSchema): Promise<void> {
  const properties = schema.properties.map((name) => `${quoteName(name)}:1`);
  await session.command(
    "GRAPH.QUERY",
    graph,
    `CREATE (n${schema.labels.map((label) => `:${quoteName(label)}`).join("")} {${properties.join(",")}})`,
  );
  for (const type of schema.types) {
    await session.command("GRAPH.QUERY", graph, `MATCH (n) CREATE (n)-[:${quoteName(type)}]->(n)`);
  }
  await session.command("GRAPH.QUERY", graph, "MATCH (n) DELETE n");
}

/** Makes indexes and constraints, and waits until they work. A constraint that fails is an error. */
export async function createIndexes(
  session: Session,
  graph: Uint8Array,
  schema: GraphSchema,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const configured = new Set<string>();
  for (const index of schema.indexes) {
    const owner = `${index.entity} ${index.label}`;
    // Language and stopwords belong to the label: the server takes them with its first full-text index only.
    const isFirst = index.kind === "FULLTEXT" && !configured.has(owner);
    if (isFirst) configured.add(owner);
    await session.command("GRAPH.QUERY", graph, indexStatement(index, isFirst));
  }
  await settled("indexes", () =>
    session.scalar(graph, "CALL db.indexes() YIELD status RETURN collect(status)"),
  );
  for (const { type, entity, label, properties } of schema.constraints) {
    const count = String(properties.length);
    await session.command(
      "GRAPH.CONSTRAINT",
      "CREATE",
      graph,
      type,
      entity,
      label,
      "PROPERTIES",
      count,
      ...properties,
    );
  }
  await settled("constraints", () =>
    session.scalar(graph, "CALL db.constraints() YIELD status RETURN collect(status)"),
  );

  async function settled(what: string, ask: () => Promise<Reply>): Promise<void> {
    for (;;) {
      const states = new Set(list(plain(await ask())));
      states.delete("OPERATIONAL");
      if (states.has("FAILED")) {
        throw new MemkeepError("COMPARE_FAILED", {
          tried: `create the graph's ${what}`,
          happened: "the server says that one FAILED",
          next: "The graph in the snapshot does not satisfy its own constraint.",
        });
      }
      if (states.size === 0) return;
      await clock.sleep(50, signal);
    }
  }
}

/** Takes constraints away, which need not hold while records are written. */
export async function dropConstraints(
  session: Session,
  graph: Uint8Array,
  constraints: GraphSchema["constraints"],
): Promise<void> {
  for (const { type, entity, label, properties } of constraints) {
    const count = String(properties.length);
    const words = [type, entity, label, "PROPERTIES", count, ...properties];
    await session.command("GRAPH.CONSTRAINT", "DROP", graph, ...words);
  }
}

function indexStatement(index: Index, withLanguage: boolean): Buffer {
  const { entity, label, property, kind } = index;
  const pattern = entity === "NODE" ? `(x:${quoteName(label)})` : `()-[x:${quoteName(label)}]-()`;
  const prefix = kind === "RANGE" ? "" : `${kind} `;
  const parts: QueryPart[] = [`CREATE ${prefix}INDEX FOR ${pattern} ON (x.${quoteName(property)})`];
  if (kind === "VECTOR") {
    const { dimension, similarityFunction, M, efConstruction, efRuntime } = index.options!;
    parts.push(
      ` OPTIONS {dimension:${dimension},similarityFunction:${writeString(similarityFunction)},` +
        `M:${M},efConstruction:${efConstruction},efRuntime:${efRuntime}}`,
    );
  } else if (kind === "FULLTEXT") {
    parts.push(" OPTIONS {weight:");
    addLiteral(parts, index.weight!);
    parts.push(`,nostem:${index.nostem!}`);
    if (index.phonetic!) parts.push(",phonetic:'dm:en'");
    if (withLanguage) {
      parts.push(`,language:${writeString(index.language!)}`);
      // Without stopwords the server takes its own list; it does not tell that from an empty one.
      if (index.stopwords!.length > 0) {
        parts.push(",stopwords:");
        addLiteral(parts, index.stopwords!);
      }
    }
    parts.push("}");
  }
  return queryBytes(parts);
}

type Plain = string | bigint | null | readonly Plain[] | PlainMap;
interface PlainMap {
  readonly [name: string]: Plain;
}

/** A compact value `[type, value]` as plain data; enough for what procedures answer. */
function plain(reply: Reply): Plain {
  const [type, value] = reply as readonly [bigint, Reply];
  if (value === null || typeof value === "bigint") return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  if (type === 6n) return value.map((item) => plain(item));
  const map: Record<string, Plain> = Object.create(null) as Record<string, Plain>;
  for (let at = 0; at < value.length; at += 2)
    map[(value[at] as Buffer).toString("utf8")] = plain(value[at + 1]!);
  return map;
}

function list(value: Plain | undefined): readonly Plain[] {
  if (!Array.isArray(value)) throw new TypeError("the server answered no list where a list belongs");
  return value as readonly Plain[];
}
