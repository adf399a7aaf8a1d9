/**
 * FalkorDB: the most memory that a backup and a restore of many nodes and edges take, each in a process of its own.
 * Usage: node bench/falkordb-memory.ts [nodes] (as many edges)
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import type { StoreManifest } from "../src/domain/manifest.ts";
import { silentObserver } from "../src/domain/observer.ts";
import { takeDump } from "../src/stores/contract/dump-folder.ts";
import { Session } from "../src/stores/falkordb/client.ts";
import { schema } from "../src/stores/falkordb/config.ts";
import { falkordb as adaptor } from "../src/stores/falkordb/index.ts";
import type { DumpSource } from "../src/stores/store.ts";
import { systemClock } from "../src/util/clock/clock.ts";
import { falkordb } from "../test/engines/falkordb/index.ts";

// As `src/cli/main.ts` does.
setFlagsFromString("--semi-space-growth-factor=1");

const graph = "bench";
const [first = "1000000", url = "", folder = ""] = process.argv.slice(2);

if (first === "backup" || first === "restore") await child(first);
else await parent(Number(first));

async function parent(nodes: number): Promise<void> {
  const place = await mkdtemp(join(tmpdir(), "memkeep-bench-"));
  const server = await falkordb.start();
  const context = surroundings(place);
  const session = new Session(schema.parse({ url: server.url, graph }), context);
  try {
    const step = 100_000;
    for (let low = 0; low < nodes; low += step) {
      const range = `range(${low}, ${Math.min(low + step, nodes) - 1})`;
      const text = "'what was said, and when, and why'";
      await session.command(
        "GRAPH.QUERY",
        graph,
        `UNWIND ${range} AS i CREATE (n:Memory {id:'memory-' + toString(i), content:${text}, score:i/7.0})`,
      );
    }
    for (let low = 0; low < nodes; low += step) {
      const range = `range(${low}, ${Math.min(low + step, nodes) - 1})`;
      await session.command(
        "GRAPH.QUERY",
        graph,
        `UNWIND ${range} AS i WITH i, (i * 7919) % ${nodes} AS j MATCH (a) WHERE id(a) = i MATCH (b) WHERE id(b) = j CREATE (a)-[:RELATES_TO {strength:i/3.0}]->(b)`,
      );
    }
    for (const work of ["backup", "restore"]) {
      const own = [fileURLToPath(import.meta.url), work, server.url, place];
      const run = spawn(process.execPath, own, { stdio: "inherit" });
      const [code] = (await once(run, "exit")) as [number | null];
      if (code !== 0) throw new Error(`${work} ended with ${code}`);
    }
  } finally {
    await session[Symbol.asyncDispose]();
    await server.stop();
    await rm(place, { recursive: true });
  }
}

function surroundings(spoolFolder: string): Parameters<typeof adaptor.connect>[1] {
  const { signal } = new AbortController();
  return { name: "bench", clock: systemClock, observer: silentObserver, spoolFolder, signal };
}

async function child(work: string): Promise<void> {
  const store = adaptor.connect(schema.parse({ url, graph }), surroundings(folder));
  const start = performance.now();
  const [dump, record] = [join(folder, "dump"), join(folder, "manifest.json")];
  if (work === "backup") {
    const { manifest } = await takeDump(store, dump);
    await writeFile(record, JSON.stringify(manifest));
  } else {
    const manifest = JSON.parse(await readFile(record, "utf8")) as StoreManifest;
    const streaming: DumpSource = {
      manifest,
      read: (name, range) =>
        createReadStream(join(dump, name), {
          highWaterMark: 1024 * 1024,
          ...(range ? { start: range.offset, end: range.offset + range.length - 1 } : {}),
        }) as AsyncIterable<Buffer>,
    };
    const options = { target: { kind: "scratch" }, force: false } as const;
    const plan = await store.planRestore(streaming, options);
    await using restoration = await store.stage(plan, streaming, options);
    await restoration.facts();
  }
  const seconds = Math.round((performance.now() - start) / 1000);
  const status = await readFile("/proc/self/status", "utf8");
  const most = Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)![1]) / 1024);
  const { user, system } = process.cpuUsage();
  const processor = ((user + system) / 1e6).toFixed(1);
  console.log(`${work}: ${seconds} s, ${processor} s of the processor, at most ${most} MiB resident`);
  await store[Symbol.asyncDispose]();
}
