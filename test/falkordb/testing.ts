/** For tests: a server, what they do with it, and a graph of everything that tools lose. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentObserver } from "../../src/domain/observer.ts";
import { systemClock } from "../../src/util/clock/clock.ts";
import { takeDump } from "../../src/stores/contract/dump-folder.ts";
import type { TakenDump } from "../../src/stores/contract/dump-folder.ts";
import type { Store, StoreContext } from "../../src/stores/store.ts";
import { Session } from "../../src/stores/falkordb/client.ts";
import { schema } from "../../src/stores/falkordb/config.ts";
import type { FalkorDBConfig } from "../../src/stores/falkordb/config.ts";
import { falkordb } from "../../src/stores/falkordb/index.ts";
import { quoteName, writeString } from "../../src/stores/falkordb/names.ts";

type Settings = Readonly<Record<string, unknown>>;

export class TestServer implements AsyncDisposable {
  readonly url: string;
  readonly session: Session;
  readonly #folder: string;
  readonly #stop: () => Promise<void>;

  private constructor(url: string, folder: string, stop: () => Promise<void>) {
    this.url = url;
    this.#folder = folder;
    this.#stop = stop;
    this.session = new Session(this.config("unused"), {
      signal: new AbortController().signal,
      clock: systemClock,
    });
  }

  static async start(server: { readonly url: string; stop(): Promise<void> }): Promise<TestServer> {
    const folder = await mkdtemp(join(tmpdir(), "memkeep-falkordb-"));
    return new TestServer(server.url, folder, () => server.stop());
  }

  newName(): string {
    return `memkeep-test-${randomBytes(6).toString("hex")}`;
  }

  config(graph: string, settings: Settings = {}): FalkorDBConfig {
    // Of a copy, where a test says nothing else: nobody writes while these are made.
    return schema.parse({ url: this.url, graph, view: "copy", ...settings });
  }

  async context(signal: StoreContext["signal"] = new AbortController().signal): Promise<StoreContext> {
    const spoolFolder = await mkdtemp(join(this.#folder, "spool-"));
    return { name: "memory", clock: systemClock, observer: silentObserver, spoolFolder, signal };
  }

  async connect(graph: string, settings: Settings = {}, signal?: StoreContext["signal"]): Promise<Store> {
    return falkordb.connect(this.config(graph, settings), await this.context(signal));
  }

  async dump(graph: string, settings: Settings = {}): Promise<TakenDump> {
    await using store = await this.connect(graph, settings);
    return await takeDump(store, join(await mkdtemp(join(this.#folder, "dump-")), "memory"));
  }

  /** Restores a dump into a graph of another name. */
  async restore({ dump, manifest }: TakenDump, graph: string, settings: Settings = {}): Promise<void> {
    await using store = await this.connect("elsewhere", settings);
    const source = dump.source(manifest);
    const target = `${this.url.replace(/^redis:/, "falkordb:")}/${encodeURIComponent(graph)}`;
    const options = { target: { kind: "into", target }, force: false } as const;
    const plan = await store.planRestore(source, options);
    await using restoration = await store.stage(plan, source, options);
    await restoration.switch();
    await restoration.keep();
  }

  async query(graph: string, query: string): Promise<void> {
    await this.session.command("GRAPH.QUERY", graph, query);
  }

  /** All keys of the server. */
  async keys(): Promise<string[]> {
    return ((await this.session.command("KEYS", "*")) as Buffer[]).map(String).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session[Symbol.asyncDispose]();
    await this.#stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Sends queries to one graph. */
export async function fill(session: Session, graph: string, queries: readonly string[]): Promise<void> {
  for (const query of queries) await session.command("GRAPH.QUERY", graph, query);
}

const hostile = "a'b\"c\\d $x :`".replace("`", "") + "\u{1f600}\n\t";

/** One expression a value. The numbers in the names are those of the trap list. */
export const awkwardValues: readonly (readonly [name: string, expression: string])[] = [
  ["9 int64 max", "9223372036854775807"],
  ["9 int64 min", "-9223372036854775808"],
  ["9 above 2^53", "9007199254740993"],
  ["10 one", "1"],
  ["10 one as double", "1.0"],
  ["11 NaN", "0.0/0.0"],
  ["11 infinity", "1.0/0.0"],
  ["11 minus infinity", "-1.0/0.0"],
  ["11 minus zero", "-0.0"],
  ["11 zero", "0.0"],
  ["11 smallest subnormal", "pow(2.0,-1074)"],
  ["11 subnormal", "3.0*pow(2.0,-1070)"],
  ["11 smallest normal", "pow(2.0,-1022)"],
  ["11 near the tiny limit", "1.2345678901234567e-280"],
  ["11 largest", "1.7976931348623157e308"],
  ["12 fifteen digits are too few", "0.1+0.2"],
  ["12 negative", "-(0.1+0.2)"],
  ["12 third", "1.0/3"],
  ["12 just below a power of two", "1.0-pow(2.0,-53)"],
  ["12 just above a power of two", "1.0+pow(2.0,-52)"],
  ["12 large", "1.2345678901234567e300"],
  ["12 in a list", "[0.1+0.2, 1, 'x', 1.0/3]"],
  ["12 in a list in a list", "[[0.1+0.2, [1.0/3]], 'y', [true]]"],
  ["11 NaN in a list", "[0.0/0.0, 1.5]"],
  ["13 vector", "vecf32([0.1, 1.0, -0.0])"],
  ["13 vector of extremes", "vecf32([1e-45, 3.4028235e38, 1e39, -1e39])"],
  ["13 vector of NaN", "vecf32([0.0/0.0, 2.0])"],
  ["13 vector of no columns", "vecf32([])"],
  ["15 list like a vector", "[0.1, 1.0]"],
  ["15 vector in a list", "[vecf32([0.5, 0.25]), 1]"],
  ["22 empty text", "''"],
  ["22 empty list", "[]"],
  ["22 mixed list", "[1, 2.0, 'a', true, [], ['']]"],
  ["23 hostile text", writeString(hostile)],
  ["23 tags", "'$bytes'"],
  ["24 date", "date('2026-11-21')"],
  ["24 date before Christ", "date({year:-5})"],
  ["24 date far away", "date({year:12026})"],
  ["24 time", "localtime('10:11:12')"],
  ["24 time past midnight", "localtime('10:00:00')+duration('PT20H')"],
  ["24 date and time", "localdatetime('1850-03-04T05:06:07')"],
  ["24 duration", "duration('P1Y2M3DT4H5M6S')"],
  ["24 negative duration", "duration({days:-3,seconds:-5})"],
  ["25 point", "point({latitude:1.23456789, longitude:-170.5})"],
  [
    "25 points and dates in a list",
    "[point({latitude:1, longitude:2}), date('2026-01-01'), duration('P1D')]",
  ],
];

export const hostileNames = [
  "a b",
  "with-dash",
  hostile,
  "$vector",
  "$$",
  "__proto__",
  "",
  "Ünï",
  "1",
  "(n)",
  "id",
];

/** All of it in one graph. */
export const awkwardGraph: readonly string[] = [
  ...awkwardValues.map(
    ([name, expression]) => `CREATE (:Value {id:${writeString(name)}, v:${expression}, w:0.5})`,
  ),
  `CREATE (:Value {id:'all', ${awkwardValues.map(([, expression], index) => `p${index}:${expression}`).join()}})`,
  ...hostileNames.map((name) => `CREATE (:${quoteName(name)} {${quoteName(name)}:${writeString(name)}})`),
  ...hostileNames.map(
    (name) => `MATCH (n:Value {id:'all'}) CREATE (n)-[:${quoteName(name)} {w:0.1+0.2}]->(n)`,
  ),
  // 17: no label, many labels, no properties; several that are alike, told apart only by their edges.
  "CREATE (), (), (:A:B:C {x:1}), (:C:A:B {x:2})",
  "CREATE (a:Twin {x:1}), (b:Twin {x:1}), (c:Twin {x:1}), (d:Other {id:'end'}), (b)-[:OF]->(d), (c)-[:OF {n:1}]->(a)",
  // 18: one key on several nodes.
  "CREATE (a:Same {id:'s', x:1}), (b:Same {id:'s', x:2}), (c:Different {id:'s'}), (a)-[:E]->(b), (b)-[:E]->(c)",
  "CREATE (:Number {id:7}), (:Text {id:'7'})",
  // 16: parallel edges, alike and not; loops.
  "MATCH (a:Other) CREATE (a)-[:P {w:1}]->(a), (a)-[:P {w:1}]->(a), (a)-[:P {w:1.0}]->(a), (a)-[:P]->(a)",
  "MATCH (a:Other), (b:Number) CREATE (a)-[:P {v:vecf32([1.5,2.5])}]->(b), (a)-[:P {v:vecf32([1.5,2.5])}]->(b)",
  // 19: holes in the ids.
  "UNWIND range(0, 50) AS i CREATE (:Hole {id:'h'+toString(i)})",
  "MATCH (n:Hole) WHERE n.id <> 'h7' AND n.id <> 'h49' DELETE n",
  "UNWIND range(0, 300) AS i CREATE (:Memory {id:'m'+toString(i), importance:i/7.0, embedding:vecf32([i, i/3.0, -i])})",
  "MATCH (a:Memory), (b:Memory {id:'m0'}) CREATE (a)-[:RELATES_TO {strength:0.1+0.2}]->(b)",
  // Names without users, and a type without edges.
  "CREATE (n:Unused {unused:1}) DELETE n",
  "MATCH (n:Other) CREATE (n)-[e:UNUSED]->(n) DELETE e",
  // 4, 26: indexes with all options.
  "CREATE INDEX FOR (n:Memory) ON (n.id, n.importance)",
  "CREATE INDEX FOR ()-[e:RELATES_TO]-() ON (e.strength)",
  "CREATE FULLTEXT INDEX FOR (n:Memory) ON (n.text) OPTIONS {language:'german', stopwords:['der','die'], weight:2.5, nostem:true, phonetic:'dm:en'}",
  "CREATE FULLTEXT INDEX FOR (n:Memory) ON (n.title) OPTIONS {weight:0.5}",
  "CREATE VECTOR INDEX FOR (n:Memory) ON (n.embedding) OPTIONS {dimension:3, similarityFunction:'cosine', M:32, efConstruction:100, efRuntime:20}",
  `CREATE INDEX FOR (n:${quoteName("a b")}) ON (n.${quoteName("a b")})`,
];

/** Constraints are no queries. */
export const awkwardConstraints: readonly (readonly string[])[] = [
  ["UNIQUE", "NODE", "Memory", "PROPERTIES", "1", "id"],
  ["MANDATORY", "RELATIONSHIP", "RELATES_TO", "PROPERTIES", "1", "strength"],
];

export async function fillAwkward(session: Session, graph: string): Promise<void> {
  await fill(session, graph, awkwardGraph);
  for (const constraint of awkwardConstraints)
    await session.command("GRAPH.CONSTRAINT", "CREATE", graph, ...constraint);
}
