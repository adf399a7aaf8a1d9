/**
 * What a second backup of Qdrant adds to the repository, by the command line: `npm run build && node bench/qdrant-again.ts [POINTS]`.
 * Points of 384 random floats with a memory's payload, under random UUIDs; then every score changed, 1 % of the payloads
 * changed, 1 % new points, each beside a first backup of its own. Prints shares of the first backup's bytes.
 */
import { createHash } from "node:crypto";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { folderBytes, measure } from "./measure.ts";

const count = Number(process.argv[2] ?? 20_000);
const columns = 384;
const words =
  "she prefers tea to coffee and walks before breakfast while the garden by the river was planted in spring with roses that her mother had brought from the coast".split(
    " ",
  );

interface Memory {
  readonly id: string;
  readonly seed: number;
  readonly score: number;
  readonly edition: number;
}

/** A small generator of its own: the same seed gives the same memory in every run. */
function random(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function idOf(seed: number): string {
  const hex = createHash("sha256").update(`point ${seed}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function memory(seed: number): Memory {
  return { id: idOf(seed), seed, score: random(seed * 7)(), edition: 0 };
}

function printed({ id, seed, score, edition }: Memory): string {
  const next = random(seed);
  const floats = Array.from({ length: columns }, () => Math.fround((next() - 0.5) / 10).toPrecision(8));
  const said = random(seed * 31 + edition * 104_729);
  const text = Array.from({ length: 45 }, () => words[Math.floor(said() * words.length)]).join(" ");
  const payload = `{"content":"${text}","importance":${score.toFixed(6)},"tags":["t${seed % 50}"],"timestamp":"2026-11-21T10:${10 + (seed % 49)}:00.123456+00:00","user":"u${seed % 97}"}`;
  return `{"id":"${id}","payload":${payload},"vector":[${floats.join(",")}]}`;
}

const info = `{"result":{"status":"green","optimizer_status":"ok","points_count":0,"segments_count":2,"config":{"params":{"vectors":{"size":${columns},"distance":"Dot"},"shard_number":1},"hnsw_config":{"m":16,"ef_construct":100,"full_scan_threshold":10000},"optimizer_config":{"default_segment_number":0,"flush_interval_sec":5},"quantization_config":null},"payload_schema":{},"update_queue":{"length":0}},"status":"ok"}`;

let memories: Memory[] = [];
function hold(list: readonly Memory[]): void {
  memories = list.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function page(body: string): string {
  const { limit, offset, with_vector } = JSON.parse(body) as {
    limit: number;
    offset?: number | string;
    with_vector: boolean;
  };
  // Numbers come before all UUIDs.
  let from = 0;
  if (typeof offset === "string") {
    let end = memories.length;
    while (from < end) {
      const middle = (from + end) >> 1;
      if (memories[middle]!.id < offset) from = middle + 1;
      else end = middle;
    }
  }
  const points = memories.slice(from, from + limit);
  const next = memories[from + limit]?.id;
  const texts = points.map((point) => (with_vector ? printed(point) : `{"id":"${point.id}"}`));
  return `{"result":{"points":[${texts.join(",")}],"next_page_offset":${next === undefined ? "null" : `"${next}"`}},"status":"ok"}`;
}

const server = createServer((incoming, outgoing) => {
  const parts: Buffer[] = [];
  incoming.on("data", (part: Buffer) => parts.push(part));
  incoming.on("end", () => {
    const path = incoming.url!;
    const answer =
      path === "/"
        ? '{"title":"replay","version":"1.18.3"}'
        : path === "/aliases"
          ? '{"result":{"aliases":[]},"status":"ok"}'
          : path === "/collections"
            ? '{"result":{"collections":[{"name":"c"}]},"status":"ok"}'
            : path.endsWith("/count")
              ? `{"result":{"count":${memories.length}},"status":"ok"}`
              : path.endsWith("/scroll")
                ? page(Buffer.concat(parts).toString())
                : path.endsWith("/cluster")
                  ? '{"result":{"peer_id":1,"shard_count":1,"local_shards":[],"remote_shards":[]},"status":"ok"}'
                  : info;
    outgoing.end(answer);
  });
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `qdrant://127.0.0.1:${(server.address() as AddressInfo).port}`;
const folder = await mkdtemp(join(tmpdir(), "memkeep-bench-"));
process.env["MEMKEEP_PASSWORD"] = "bench";
const memkeep = [process.execPath, join(import.meta.dirname, "../dist/cli/main.js"), "-q"];

async function backup(repository: string): Promise<number> {
  const { peakMb } = await measure([
    ...memkeep,
    "backup",
    "--force",
    "-s",
    `memory=${url}`,
    "-r",
    repository,
  ]);
  return peakMb;
}

try {
  const first = Array.from({ length: count }, (_, n) => memory(n + 1));
  hold(first);
  const base = join(folder, "base");
  await measure([...memkeep, "init", "-r", base]);
  const peakMb = await backup(base);
  const bytes = await folderBytes(base);
  console.log(
    `${count} points, first backup ${(bytes / 1e6).toFixed(1)} MB, peak memory ${peakMb.toFixed(0)} MB`,
  );
  const isChosen = (seed: number): boolean => random(seed * 13)() < 0.01;
  const changes: [string, Memory[], number][] = [
    ["nothing changed", first, 0],
    ["every score changed", first.map((one) => ({ ...one, score: random(one.seed * 11)() })), 0.2],
    [
      "1 % of payloads changed",
      first.map((one) => (isChosen(one.seed) ? { ...one, edition: 1 } : one)),
      0.08,
    ],
    [
      "1 % new points",
      [...first, ...Array.from({ length: count / 100 }, (_, n) => memory(count + n + 1))],
      0.2,
    ],
  ];
  for (const [name, changed, goal] of changes) {
    const copy = join(folder, "copy");
    await cp(base, copy, { recursive: true });
    hold(changed);
    await backup(copy);
    const share = ((await folderBytes(copy)) - bytes) / bytes;
    console.log(
      `${name}: ${share.toFixed(3)}× of the first backup's bytes${goal > 0 ? ` (goal ${goal})` : ""}`,
    );
    await rm(copy, { recursive: true });
  }
} finally {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
}
