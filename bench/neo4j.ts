/**
 * Neo4j: backup and restore against the raw driver, which reads and writes the same and computes nothing; the memory of the
 * whole program, and what a second backup adds. Usage: node bench/neo4j.ts [nodes] [rounds]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import neo4jDriver from "neo4j-driver";
import { silentObserver } from "../src/domain/observer.ts";
import { takeDump } from "../src/stores/contract/dump-folder.ts";
import type { TakenDump } from "../src/stores/contract/dump-folder.ts";
import { accessFromUrl, schema } from "../src/stores/neo4j/config.ts";
import { neo4j as adaptor } from "../src/stores/neo4j/index.ts";
import { systemClock } from "../src/util/clock/clock.ts";
import { engine } from "../test/engines/require.ts";
import { folderBytes, measure, median } from "./measure.ts";

const nodes = Number(process.argv[2] ?? 200_000);
const rounds = Number(process.argv[3] ?? 3);
const batch = 5000;
const folder = await mkdtemp(join(tmpdir(), "memkeep-bench-"));
const engineOf = await engine("neo4j");
const server = await engineOf.start({ password: "bench-password", atFullSpeed: true });
const { url, username, password } = accessFromUrl(server.url);
const source = neo4jDriver.driver(url, neo4jDriver.auth.basic(username!, password!));

async function run(query: string, parameters: object = {}): Promise<void> {
  const session = source.session();
  await session.run(query, parameters);
  await session.close();
}

interface Cost {
  readonly wallMs: number;
  readonly processorMs: number;
}

async function timed(work: () => Promise<unknown>): Promise<Cost> {
  const before = process.cpuUsage();
  const start = performance.now();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { wallMs: performance.now() - start, processorMs: (user + system) / 1000 };
}

function report(what: string, ours: readonly Cost[], raw: readonly Cost[]): void {
  const [wall, rawWall] = [ours, raw].map((costs) => median(costs.map(({ wallMs }) => wallMs)));
  const [processor, rawProcessor] = [ours, raw].map((costs) =>
    median(costs.map(({ processorMs }) => processorMs)),
  );
  console.log(
    `${what.padEnd(28)} memkeep ${(wall! / 1000).toFixed(1)} s, raw driver ${(rawWall! / 1000).toFixed(1)} s: ${(rawWall! / wall!).toFixed(2)}x ` +
      `(processor of this program ${(processor! / 1000).toFixed(1)} s against ${(rawProcessor! / 1000).toFixed(1)} s)`,
  );
}

async function fill(): Promise<void> {
  await run("CREATE INDEX fill FOR (n:Memory) ON (n.id)");
  for (let low = 0; low < nodes; low += batch) {
    await run(
      "UNWIND range($low, $high) AS i CREATE (:Memory {id: 'memory-' + toString(i), content: 'what was said, and when, and why, number ' + toString(i), created: datetime(), importance: i / 7.0, count: i})",
      { low: neo4jDriver.int(low), high: neo4jDriver.int(low + batch - 1) },
    );
  }
  for (let low = 0; low < nodes * 2; low += batch) {
    await run(
      "UNWIND range($low, $high) AS i MATCH (a:Memory {id: 'memory-' + toString(i % $nodes)}) MATCH (b:Memory {id: 'memory-' + toString(i * 7919 % $nodes)}) CREATE (a)-[:RELATES_TO {strength: i / 3.0}]->(b)",
      { low: neo4jDriver.int(low), high: neo4jDriver.int(low + batch - 1), nodes: neo4jDriver.int(nodes) },
    );
  }
  await run("DROP INDEX fill");
}

async function readRaw(): Promise<void> {
  const session = source.session();
  for (const query of ["MATCH (n) RETURN n", "MATCH (s)-[r]->(t) RETURN r"]) {
    let count = 0;
    for await (const _ of session.run(query)) count++;
    if (count < nodes) throw new Error("the raw driver read too few");
  }
  await session.close();
}

async function backup(round: number): Promise<TakenDump> {
  const context = await newContext(`backup-${round}`);
  await using store = adaptor.connect(schema.parse(accessFromUrl(server.url)), context);
  return await takeDump(store, join(context.spoolFolder, "graph"));
}

async function newContext(name: string) {
  const spoolFolder = await mkdtemp(join(folder, `${name}-`));
  return {
    name: "graph",
    clock: systemClock,
    observer: silentObserver,
    spoolFolder,
    signal: new AbortController().signal,
  };
}

/** What the raw driver writes, ready beforehand. */
async function rowsOf(query: string): Promise<object[][]> {
  const session = source.session();
  const { records } = await session.run(query);
  await session.close();
  const rows = records.map((record) => record.toObject());
  return Array.from({ length: Math.ceil(rows.length / batch) }, (_, at) =>
    rows.slice(at * batch, (at + 1) * batch),
  );
}

/** As programs write: nodes, then relationships by an indexed property. */
async function writeRaw(newNodes: readonly object[][], newEdges: readonly object[][]): Promise<void> {
  await run("CREATE INDEX raw FOR (n:Memory) ON (n.id)");
  for (const rows of newNodes) await run("UNWIND $rows AS row CREATE (n:Memory) SET n = row.p", { rows });
  for (const rows of newEdges) {
    await run(
      "UNWIND $rows AS row MATCH (a:Memory {id: row.a}) MATCH (b:Memory {id: row.b}) CREATE (a)-[r:RELATES_TO]->(b) SET r = row.p",
      { rows },
    );
  }
}

async function empty(): Promise<void> {
  await run("DROP INDEX raw IF EXISTS");
  await run("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS");
}

async function restore({
  dump,
  manifest,
}: TakenDump): Promise<{ readonly write: Cost; readonly whole: Cost }> {
  const context = await newContext("restore");
  await using store = adaptor.connect(schema.parse(accessFromUrl(server.url)), context);
  const from = dump.source(manifest);
  const options = { target: { kind: "in-place" }, force: false } as const;
  let write: Cost | undefined;
  const whole = await timed(async () => {
    const plan = await store.planRestore(from, options);
    await using restoration = await store.stage(plan, from, options);
    write = await timed(() => restoration.switch());
    await restoration.facts();
    await restoration.keep();
  });
  return { write: write!, whole };
}

try {
  await fill();
  const [reads, rawReads, writes, wholes, rawWrites]: Cost[][] = [[], [], [], [], []];
  let taken: TakenDump | undefined;
  await readRaw();
  for (let round = 0; round < rounds; round++) {
    rawReads!.push(await timed(readRaw));
    reads!.push(await timed(async () => (taken = await backup(round))));
  }
  report("backup", reads!, rawReads!);
  const newNodes = await rowsOf("MATCH (n) RETURN properties(n) AS p");
  const newEdges = await rowsOf("MATCH (a)-[r]->(b) RETURN a.id AS a, b.id AS b, properties(r) AS p");
  for (let round = 0; round < rounds; round++) {
    await empty();
    rawWrites!.push(await timed(() => writeRaw(newNodes, newEdges)));
    await empty();
    const { write, whole } = await restore(taken!);
    writes!.push(write);
    wholes!.push(whole);
  }
  report("restore, writing", writes!, rawWrites!);
  report("restore, checked and compared", wholes!, rawWrites!);
  process.env["MEMKEEP_PASSWORD"] = "bench";
  const repository = join(folder, "repository");
  const memkeep = [process.execPath, join(import.meta.dirname, "../src/cli/main.ts")];
  const [store, place] = [
    ["--store", `graph=${server.url}`],
    ["--repository", repository],
  ];
  await measure([...memkeep, "init", ...place]);
  const first = await measure([...memkeep, "backup", ...store, ...place]);
  const firstBytes = await folderBytes(repository);
  await run("MATCH (n:Memory) WHERE n.count % 100 = 7 SET n.importance = n.importance + 1");
  await measure([...memkeep, "backup", ...store, ...place]);
  const added = (await folderBytes(repository)) - firstBytes;
  console.log(`whole backup: ${JSON.stringify(first)}`);
  console.log(
    `second backup, 1 % of the nodes changed: ${(added / firstBytes).toFixed(3)}x of the first's bytes`,
  );
} finally {
  await source.close();
  await server.stop();
  await rm(folder, { recursive: true });
}
