/**
 * FalkorDB: backup and restore against the official client, and against the bytes that four connections can read when
 * nothing is parsed. Usage: node bench/falkordb.ts [nodes]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FalkorDB } from "falkordb";
import { silentObserver } from "../src/domain/observer.ts";
import { DumpFolder } from "../src/stores/contract/dump-folder.ts";
import { Session } from "../src/stores/falkordb/client.ts";
import { schema } from "../src/stores/falkordb/config.ts";
import { falkordb as adaptor } from "../src/stores/falkordb/index.ts";
import { encodeCommand } from "../src/stores/falkordb/resp.ts";
import { systemClock } from "../src/util/clock/clock.ts";
import { falkordb } from "../test/engines/falkordb/index.ts";

const nodes = Number(process.argv[2] ?? 100_000);
const columns = 384;
const pageNodes = 1000;
const graph = "bench";
const folder = await mkdtemp(join(tmpdir(), "memkeep-bench-"));
const server = await falkordb.start();
const { port } = new URL(server.url);
const context = {
  name: "bench",
  clock: systemClock,
  observer: silentObserver,
  spoolFolder: folder,
  signal: new AbortController().signal,
};
const config = schema.parse({ url: server.url, graph });
const session = new Session(config, context);

/** Processor time of this program, which a busy machine changes less than the wall's. */
async function processorMs(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function report(name: string, ms: number, best: number | undefined): void {
  const ratio = best === undefined ? "" : ` ${(best / ms).toFixed(2)}x`;
  console.log(
    `${name.padEnd(58)} ${(ms / 1000).toFixed(2).padStart(7)} s ${Math.round((nodes / ms) * 1000)} nodes/s${ratio}`,
  );
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function fillGraph(): Promise<void> {
  let seed = 1;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647 - 0.5;
  await session.command("GRAPH.QUERY", graph, "CREATE INDEX FOR (n:Memory) ON (n.id)");
  for (let first = 0; first < nodes; first += 500) {
    const rows = Array.from({ length: 500 }, (_, n) => {
      const vector = Array.from({ length: columns }, () => Math.fround(random()));
      return `[{id:'memory-${first + n}',content:'${"what was said, and when, and why. ".repeat(6)}',importance:${random()},count:${n}},[${vector.join()}]]`;
    });
    await session.command(
      "GRAPH.QUERY",
      graph,
      `CYPHER rows=[${rows.join()}] UNWIND $rows AS r CREATE (n:Memory) SET n = r[0], n.embedding = vecf32(r[1])`,
    );
  }
  for (let first = 0; first < nodes * 2; first += 2000) {
    const rows = Array.from(
      { length: 2000 },
      (_, n) => `[${Math.floor((random() + 0.5) * nodes)},${(first + n) % nodes},${random()}]`,
    );
    await session.command(
      "GRAPH.QUERY",
      graph,
      `CYPHER rows=[${rows.join()}] UNWIND $rows AS r WITH r, r[0] AS a, r[1] AS b MATCH (s) WHERE id(s) = a MATCH (t) WHERE id(t) = b CREATE (s)-[:RELATES_TO {strength:r[2]}]->(t)`,
    );
  }
}

/** Four connections ask for pages and throw the bytes away. */
async function readRaw(): Promise<void> {
  const pages: string[] = [];
  for (let low = 0; low < nodes; low += pageNodes) {
    pages.push(`MATCH (n) WHERE id(n) >= ${low} AND id(n) < ${low + pageNodes} RETURN n`);
    pages.push(`MATCH (s)-[e]->() WHERE id(s) >= ${low} AND id(s) < ${low + pageNodes} RETURN e`);
  }
  await Promise.all(Array.from({ length: 4 }, () => readPages(pages)));
}

async function readPages(pages: string[]): Promise<void> {
  const socket = connect(Number(port), "127.0.0.1");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.on("error", reject);
  const next = (): void => {
    const page = pages.pop();
    if (page === undefined) {
      socket.end();
      resolve();
    } else {
      socket.write(encodeCommand(["GRAPH.RO_QUERY", graph, page, "--compact"]));
    }
  };
  socket.on("data", (chunk: Buffer) => {
    // The last line of an answer is the time it took.
    if (chunk.includes(" milliseconds\r\n", Math.max(0, chunk.length - 40), "latin1")) next();
  });
  next();
  await promise;
}

async function readOfficially(): Promise<void> {
  const client = await FalkorDB.connect({ url: server.url });
  const selected = client.selectGraph(graph);
  for (let low = 0; low < nodes; low += pageNodes) {
    await selected.roQuery(`MATCH (n) WHERE id(n) >= ${low} AND id(n) < ${low + pageNodes} RETURN n`);
    await selected.roQuery(`MATCH (s)-[e]->() WHERE id(s) >= ${low} AND id(s) < ${low + pageNodes} RETURN e`);
  }
  await client.close();
}

/** 2,000-row batches as programs write them: nodes, then edges by an indexed property. */
async function writeOfficially(): Promise<void> {
  const client = await FalkorDB.connect({ url: server.url });
  const source = client.selectGraph(graph);
  const target = client.selectGraph("official");
  let spentMs = 0;
  const write = async (query: string, rows: unknown[]): Promise<void> => {
    spentMs += await timed(() => target.query(query, { params: { rows: rows as never } }));
  };
  spentMs += await timed(() => target.query("CREATE INDEX FOR (n:Memory) ON (n.id)"));
  for (let low = 0; low < nodes; low += 2000) {
    const { data } = await source.roQuery<{ n: { properties: Record<string, unknown> } }>(
      `MATCH (n) WHERE id(n) >= ${low} AND id(n) < ${low + 2000} RETURN n`,
    );
    const rows = data!.map(({ n: { properties } }) => {
      const { embedding, ...rest } = properties;
      return { rest, embedding };
    });
    await write(
      "UNWIND $rows AS r CREATE (n:Memory) SET n = r.rest, n.embedding = vecf32(r.embedding)",
      rows,
    );
  }
  for (let low = 0; low < nodes; low += 1000) {
    const { data } = await source.roQuery<{ a: string; b: string; s: number }>(
      `MATCH (s)-[e]->(t) WHERE id(s) >= ${low} AND id(s) < ${low + 1000} RETURN s.id AS a, t.id AS b, e.strength AS s`,
    );
    await write(
      "UNWIND $rows AS r MATCH (a:Memory {id:r.a}), (b:Memory {id:r.b}) CREATE (a)-[:RELATES_TO {strength:r.s}]->(b)",
      data!,
    );
  }
  await client.close();
  report("restore, official client, 2,000-row UNWIND", spentMs, undefined);
  officialWriteMs = spentMs;
}
let officialWriteMs = 0;

try {
  await fillGraph();
  const rawMs = await timed(readRaw);
  report("backup, raw bytes of 4 connections", rawMs, undefined);
  const store = adaptor.connect(config, context);
  const dump = new DumpFolder(join(folder, "dump"), "bench");
  let facts: Awaited<ReturnType<Awaited<ReturnType<typeof store.open>>["dump"]>> | undefined;
  let [backupMs, officialMs] = [0, 0];
  const ownCpuMs = await processorMs(async () => {
    backupMs = await timed(async () => {
      await using view = await store.open();
      facts = await view.dump(dump);
    });
  });
  const resident = process.memoryUsage().rss;
  const officialCpuMs = await processorMs(async () => {
    officialMs = await timed(readOfficially);
  });
  report("backup, official client", officialMs, undefined);
  report("backup, memkeep: against the official client", backupMs, officialMs);
  report("backup, memkeep: against raw bytes", backupMs, rawMs);
  console.log(
    `processor time of the programs: memkeep ${(ownCpuMs / 1000).toFixed(1)} s, official client ${(officialCpuMs / 1000).toFixed(1)} s`,
  );
  console.log(`resident after the backup ${Math.round(resident / 1024 / 1024)} MiB`);
  await writeOfficially();
  const source = dump.source({
    ...facts!,
    kind: "falkordb",
    source: "",
    files: dump.files,
    view: { instant: "", consistency: "snapshot", moved: 0 },
  });
  const options = { target: { kind: "scratch" }, force: false } as const;
  const plan = await store.planRestore(source, options);
  const start = performance.now();
  await using restoration = await store.stage(plan, source, options);
  const stagedMs = performance.now() - start;
  report("restore, memkeep: against the official client", stagedMs, officialWriteMs);
  const compareMs = await timed(() => restoration.facts());
  report("comparison after the restore", compareMs, undefined);
} finally {
  await session[Symbol.asyncDispose]();
  await server.stop();
  await rm(folder, { recursive: true });
}
