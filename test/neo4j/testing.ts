/** For tests: servers with authentication, emptied and used again, and a graph of everything that tools lose. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentObserver } from "../../src/domain/observer.ts";
import { systemClock } from "../../src/util/clock/clock.ts";
import { takeDump } from "../../src/stores/contract/dump-folder.ts";
import type { TakenDump } from "../../src/stores/contract/dump-folder.ts";
import { Client } from "../../src/stores/neo4j/client.ts";
import { accessFromUrl, schema } from "../../src/stores/neo4j/config.ts";
import type { Neo4jConfig } from "../../src/stores/neo4j/config.ts";
import { neo4j as adaptor } from "../../src/stores/neo4j/index.ts";
import { removeMarker } from "../../src/stores/neo4j/marker.ts";
import { quoteName } from "../../src/stores/neo4j/names.ts";
import { wipe } from "../../src/stores/neo4j/wipe.ts";
import type { RestoreOptions, Store, StoreContext } from "../../src/stores/store.ts";
import type { neo4j } from "../engines/neo4j/index.ts";
import type { Server } from "../engines/server.ts";
import type { TestEngine } from "../engines/require.ts";

export const password = "memkeep-password";

/** The database of one server of Community Edition. */
export class TestDatabase implements AsyncDisposable {
  readonly server: Server;
  readonly client: Client;
  readonly #folder: string;
  #contexts = 0;

  private constructor(server: Server, folder: string) {
    this.server = server;
    this.#folder = folder;
    const surroundings = { signal: new AbortController().signal, clock: systemClock };
    this.client = new Client(this.config(), this.config(), surroundings);
  }

  static async start(engine: TestEngine<typeof neo4j.start>): Promise<TestDatabase> {
    const server = await engine.start({ password });
    const folder = await mkdtemp(join(tmpdir(), "memkeep-neo4j-test-"));
    const database = new TestDatabase(server, folder);
    await database.empty();
    return database;
  }

  /** With user and password. */
  get url(): string {
    return this.server.url;
  }

  config(settings: Readonly<Record<string, unknown>> = {}): Neo4jConfig {
    return schema.parse({ ...accessFromUrl(this.server.url), ...settings });
  }

  async context(signal: StoreContext["signal"] = new AbortController().signal): Promise<StoreContext> {
    const spoolFolder = await mkdtemp(join(this.#folder, `spool-${++this.#contexts}-`));
    return { name: "graph", clock: systemClock, observer: silentObserver, spoolFolder, signal };
  }

  async store(
    settings: Readonly<Record<string, unknown>> = {},
    signal?: StoreContext["signal"],
  ): Promise<Store> {
    return adaptor.connect(this.config(settings), await this.context(signal));
  }

  async dump(settings: Readonly<Record<string, unknown>> = {}): Promise<TakenDump> {
    await using store = await this.store(settings);
    return await takeDump(store, join(await mkdtemp(join(this.#folder, "dump-")), "graph"));
  }

  /** Restores as the engine does, in place unless `options` say otherwise. */
  async restore(
    { dump, manifest }: TakenDump,
    options: Partial<RestoreOptions> = {},
    settings: Readonly<Record<string, unknown>> = {},
  ): Promise<readonly string[]> {
    await using store = await this.store(settings);
    const whole: RestoreOptions = { target: { kind: "in-place" }, force: false, ...options };
    const source = dump.source(manifest);
    const plan = await store.planRestore(source, whole);
    await using restoration = await store.stage(plan, source, whole);
    const { warnings } = await restoration.switch();
    await restoration.keep();
    return warnings;
  }

  async run(...queries: readonly string[]): Promise<void> {
    for (const query of queries) await this.client.command(query);
  }

  async empty(): Promise<void> {
    await wipe(this.client);
    await removeMarker(this.client);
    await this.run(
      "CREATE LOOKUP INDEX index_343aff4e IF NOT EXISTS FOR (n) ON EACH labels(n)",
      "CREATE LOOKUP INDEX index_f7700477 IF NOT EXISTS FOR ()-[r]-() ON EACH type(r)",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.server.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

const text = (value: string): string => `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

/** One expression a value. The numbers in the names are those of the trap list. */
export const awkwardValues: readonly (readonly [name: string, expression: string])[] = [
  ["9 int64 max", "9223372036854775807"],
  ["9 int64 min", "-9223372036854775808"],
  ["9 above 2^53", "9007199254740993"],
  ["9 in a list", "[9007199254740993, -1]"],
  ["10 one", "1"],
  ["10 one as double", "1.0"],
  ["10 list of one", "[1]"],
  ["10 list of one as double", "[1.0]"],
  ["11 NaN", "0.0/0.0"],
  ["11 infinity", "1.0/0.0"],
  ["11 minus infinity", "-1.0/0.0"],
  ["11 minus zero", "-0.0"],
  ["11 smallest subnormal", "4.9e-324"],
  ["11 largest", "1.7976931348623157e308"],
  ["11 in a list", "[0.0/0.0, 1.0/0.0, -0.0]"],
  ["12 fifteen digits are too few", "0.1+0.2"],
  ["13 like a vector of float32", "[x IN range(1, 384) | x / 256.0]"],
  ["13 like a vector of float64", "[x IN range(1, 384) | x / 3.0]"],
  ["13 long list of integers", "range(1, 384)"],
  [
    "13 vector with NaN and minus zero",
    "[x IN range(1, 64) | CASE x WHEN 1 THEN 0.0/0.0 WHEN 2 THEN -0.0 ELSE 0.5 END]",
  ],
  ["13 list of a length that no vector has", "[x IN range(1, 77) | x / 256.0]"],
  ["22 empty text", "''"],
  ["22 empty list", "[]"],
  ["22 list of empty texts", "['', '']"],
  ["22 booleans", "[true, false]"],
  ["23 hostile text", text("a'b\"c\\d $x :`\u{1f600}\n\t\u2028")],
  ["23 tags", "'$bytes'"],
  ["23 NUL", "'a\\u0000b'"],
  ["24 date", "date('2026-11-21')"],
  ["24 date before Christ", "date({year: -5, month: 3, day: 1})"],
  ["24 earliest date", "date({year: -999999999, month: 1, day: 1})"],
  ["24 latest date", "date({year: 999999999, month: 12, day: 31})"],
  ["24 time", "time('10:11:12.000000001+05:30')"],
  ["24 time with seconds of offset", "time({hour: 1, timezone: '-18:00'})"],
  ["24 local time", "localtime('23:59:59.999999999')"],
  ["24 local date and time", "localdatetime('1850-03-04T05:06:07.1')"],
  ["24 far local date and time", "localdatetime({year: 500000, month: 2, day: 29})"],
  ["24 offset", "datetime('2026-11-21T10:11:12.5+01:00')"],
  ["24 UTC", "datetime('2026-11-21T10:11:12Z')"],
  ["24 far offset", "datetime({year: -900000, month: 1, day: 1, timezone: '+01:00'})"],
  ["24 zone", "datetime('2026-11-21T10:11:12.123456789[Europe/Berlin]')"],
  ["24 zone, first of the doubled hour", "datetime('2026-10-25T02:30:00+02:00[Europe/Berlin]')"],
  ["24 zone, second of the doubled hour", "datetime('2026-10-25T02:30:00+01:00[Europe/Berlin]')"],
  ["24 zone with seconds of offset", "datetime({year: 1880, month: 1, day: 1, timezone: 'Europe/Berlin'})"],
  ["24 zone before Christ", "datetime({year: -100, month: 1, day: 1, timezone: 'Asia/Kolkata'})"],
  [
    "24 zone beyond the driver",
    "datetime({year: 900000, month: 1, day: 1, hour: 1, minute: 2, second: 3, nanosecond: 7, timezone: 'Europe/Berlin'})",
  ],
  [
    "24 zones in a list",
    "[datetime({year: 900000, timezone: 'Europe/Berlin'}), datetime('2026-11-21T10:11:12+01:00'), datetime('2026-01-01T00:00[UTC]')]",
  ],
  ["24 duration", "duration('P1Y2M3DT4H5M6.7S')"],
  ["24 negative duration", "duration({months: -13, days: -3, seconds: -5, nanoseconds: 1})"],
  ["24 dates in a list", "[date('2026-01-01'), date('2025-01-01')]"],
  ["25 point", "point({x: 1.5, y: -2.25})"],
  ["25 point 3D", "point({x: 0.1, y: 0.2, z: -0.0})"],
  ["25 point WGS", "point({latitude: 52.5, longitude: 13.4})"],
  ["25 point WGS 3D", "point({latitude: 52.5, longitude: 13.4, height: 100})"],
  ["25 points in a list", "[point({x: 1, y: 2}), point({x: 3, y: 4})]"],
];

export const hostileNames = [
  "a b",
  "with-dash",
  "a'b\"c\\d $x :",
  "back`tick",
  "``",
  "\\u0060) DETACH DELETE n //",
  "\\",
  "\\\\u0060",
  "$vector",
  "$$",
  "__proto__",
  "constructor",
  "Ünï\u{1f600}",
  "1",
  "(n)",
  " ",
  "\n",
  "id",
];

/** All of it in one graph; with `little` in place of the whole schema, which takes longer than all the records. */
export async function fillAwkward(
  database: TestDatabase,
  schema: "whole" | "little" = "whole",
): Promise<void> {
  const { client } = database;
  const values = awkwardValues.map(
    ([name, expression]) => `(:Value {id: ${text(name)}, v: ${expression}, w: 0.5})`,
  );
  await client.command(`CREATE ${values.join(", ")}`);
  // 25: bytes have no literal.
  await client.command("CREATE (:Value {id: '25 bytes', v: $bytes, none: $none})", {
    bytes: Int8Array.of(0, -1, 127, -128),
    none: new Int8Array(0),
  });
  const patterns = hostileNames.map((name, index) => {
    const quoted = quoteName(name);
    return `(n${index}:${quoted} {${quoted}: $names[${index}]})-[:${quoted} {${quoted}: $names[${index}]}]->(n${index})`;
  });
  await client.command(`CREATE ${patterns.join(", ")}`, { names: hostileNames });
  await database.run(...awkwardGraph, ...(schema === "whole" ? wholeSchema : littleSchema), awaitIndexes);
}

const awkwardGraph: readonly string[] = [
  // 17: no label, many labels, no properties; several that are alike, told apart only by their edges.
  "CREATE (), (), (:A:B:C {x: 1}), (:C:A:B {x: 2})",
  "CREATE (a:Twin {x: 1}), (b:Twin {x: 1}), (c:Twin {x: 1}), (d:Other {id: 'end'}), (b)-[:OF]->(d), (c)-[:OF {n: 1}]->(a)",
  // 18: one key on several nodes.
  "CREATE (a:Same {id: 's', x: 1}), (b:Same {id: 's', x: 2}), (c:Different {id: 's'}), (a)-[:E]->(b), (b)-[:E]->(c)",
  "CREATE (:Number {id: 7}), (:Text {id: '7'})",
  // 16: parallel edges, alike and not; loops.
  "MATCH (a:Other) CREATE (a)-[:P {w: 1}]->(a), (a)-[:P {w: 1}]->(a), (a)-[:P {w: 1.0}]->(a), (a)-[:P]->(a)",
  "MATCH (a:Other), (b:Number) CREATE (a)-[:P {at: datetime('2026-10-25T02:30:00+01:00[Europe/Berlin]')}]->(b), (a)-[:P]->(b)",
  // 19: holes in the ids.
  "UNWIND range(0, 50) AS i CREATE (:Hole {id: 'h' + toString(i)})",
  "MATCH (n:Hole) WHERE NOT n.id IN ['h7', 'h49'] DELETE n",
  "UNWIND range(0, 300) AS i CREATE (:Memory {id: 'm' + toString(i), importance: i / 7.0, embedding: [x IN range(1, 64) | x * i / 128.0]})",
  "MATCH (a:Memory), (b:Memory {id: 'm0'}) CREATE (a)-[:RELATES_TO {strength: 0.1 + 0.2}]->(b)",
];

const awaitIndexes = "CALL db.awaitIndexes(300)";
const memoryId = "CREATE CONSTRAINT memory_id FOR (n:Memory) REQUIRE n.id IS UNIQUE";
const memoryText = "CREATE TEXT INDEX memory_text FOR (n:Memory) ON (n.content)";
const littleSchema: readonly string[] = [memoryText, memoryId];

/** 4, 26: indexes of every kind with options, and constraints. */
const wholeSchema: readonly string[] = [
  "CREATE RANGE INDEX memory_range FOR (n:Memory) ON (n.importance, n.user)",
  "CREATE RANGE INDEX `back``tick` FOR (n:`back``tick`) ON (n.`back``tick`)",
  memoryText,
  "CREATE POINT INDEX memory_point FOR (n:Memory) ON (n.place) OPTIONS {indexConfig: {`spatial.cartesian.min`: [-100.5, -7.0], `spatial.cartesian.max`: [100.0, 7.0]}}",
  "CREATE FULLTEXT INDEX memory_words FOR (n:Memory|Other) ON EACH [n.content, n.title] OPTIONS {indexConfig: {`fulltext.analyzer`: 'german', `fulltext.eventually_consistent`: true}}",
  "CREATE VECTOR INDEX memory_vector FOR (n:Memory) ON (n.embedding) OPTIONS {indexConfig: {`vector.dimensions`: 64, `vector.similarity_function`: 'euclidean', `vector.hnsw.m`: 24}}",
  "CREATE RANGE INDEX edge_range FOR ()-[r:RELATES_TO]-() ON (r.strength)",
  "CREATE FULLTEXT INDEX edge_words FOR ()-[r:RELATES_TO|P]-() ON EACH [r.why]",
  "CREATE VECTOR INDEX edge_vector FOR ()-[r:RELATES_TO]-() ON (r.v) OPTIONS {indexConfig: {`vector.dimensions`: 3, `vector.similarity_function`: 'cosine'}}",
  memoryId,
  "CREATE CONSTRAINT edge_unique FOR ()-[r:RELATES_TO]-() REQUIRE (r.a, r.b) IS UNIQUE",
];
