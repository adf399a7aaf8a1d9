/**
 * Qdrant, backup and restore with everything that belongs to them (parsing, digests, a restic repository, the read-back),
 * against the plainest HTTP client there is: `npm run build && node bench/qdrant.ts [POINTS] [ROUNDS]`.
 * The server is a replay in a process of its own: pages of 384 floats and a payload, rendered beforehand, of which only
 * the ids are set anew; for the restore a sink that answers as the server does. Prints ratios.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Measured, measure, median } from "./measure.ts";

const points = Number(process.argv[2] ?? 200_000);
const rounds = Number(process.argv[3] ?? 3);
const columns = 384;
const pagePoints = 1000;
const connections = 4;
/** Ids of one width, so that they can be set in a rendered page. */
const firstId = 1_000_000_000;

/** One page as the server prints it, and where each point begins. */
function render(): { bytes: Buffer; starts: number[] } {
  const parts: string[] = [];
  const starts: number[] = [];
  let length = 0;
  for (let n = 0; n < pagePoints; n++) {
    const floats = Array.from({ length: columns }, (_, m) =>
      Math.fround(Math.sin(n * columns + m) / 20).toPrecision(8),
    );
    const payload = `{"content":"Memory ${n}: ${"she prefers tea to coffee, and walks before breakfast. ".repeat(4)}","importance":0.${n + 1000},"tags":["alpha","t${n % 50}"],"timestamp":"2026-11-21T10:00:00.123456+00:00","n":${n}}`;
    const text = `{"id":${firstId + n},"payload":${payload},"vector":[${floats.join(",")}]},`;
    starts.push(length);
    length += text.length;
    parts.push(text);
  }
  return { bytes: Buffer.from(parts.join("")), starts: [...starts, length] };
}

const info = `{"result":{"status":"green","optimizer_status":"ok","points_count":0,"segments_count":2,"config":{"params":{"vectors":{"size":${columns},"distance":"Cosine"},"shard_number":1},"hnsw_config":{"m":16,"ef_construct":100,"full_scan_threshold":10000},"optimizer_config":{"default_segment_number":0,"flush_interval_sec":5,"indexing_threshold":10000},"wal_config":{"wal_capacity_mb":32,"wal_segments_ahead":0},"quantization_config":null},"payload_schema":{},"update_queue":{"length":0}},"status":"ok"}`;

function replay(): void {
  const { bytes, starts } = render();
  const end = firstId + points;
  const idAt = '{"id":'.length;
  function page(body: string): (string | Buffer)[] {
    const {
      limit,
      offset = 0,
      with_vector,
    } = JSON.parse(body) as { limit: number; offset?: number | string; with_vector: boolean };
    const from = typeof offset === "string" ? end : Math.max(firstId, offset);
    const count = Math.max(0, Math.min(limit, end - from, with_vector ? pagePoints : limit));
    const next = from + count < end ? String(from + count) : "null";
    const tail = `],"next_page_offset":${next}},"status":"ok","time":0.001}`;
    if (!with_vector) {
      const ids = Array.from({ length: count }, (_, n) => `{"id":${from + n}}`);
      return ['{"result":{"points":[', ids.join(","), tail];
    }
    if (count === 0) return ['{"result":{"points":[', tail];
    const copy = Buffer.from(bytes.subarray(0, starts[count]! - 1));
    for (let n = 0; n < count; n++) copy.write(String(from + n), starts[n]! + idAt, "latin1");
    return ['{"result":{"points":[', copy, tail];
  }
  function answer(method: string, path: string, body: () => string): (string | Buffer)[] {
    if (path === "/") return ['{"title":"replay","version":"1.18.3"}'];
    if (path === "/aliases") return ['{"result":{"aliases":[]},"status":"ok"}'];
    if (path === "/collections") return ['{"result":{"collections":[{"name":"c"}]},"status":"ok"}'];
    if (path.endsWith("/count")) return [`{"result":{"count":${points}},"status":"ok"}`];
    if (path.endsWith("/scroll")) return page(body());
    if (method === "GET") return [info];
    return ['{"result":{"operation_id":1,"status":"completed"},"status":"ok"}'];
  }
  const server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = [];
    const keeps = incoming.url!.endsWith("/scroll");
    incoming.on("data", (part: Buffer) => (keeps ? parts.push(part) : undefined));
    incoming.on("end", () => {
      const given = answer(incoming.method!, incoming.url!, () => Buffer.concat(parts).toString());
      outgoing.setHeader(
        "content-length",
        given.reduce((sum, part) => sum + Buffer.byteLength(part), 0),
      );
      for (const part of given) outgoing.write(part);
      outgoing.end();
    });
  });
  server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
}

async function startReplay(): Promise<{ url: string } & Disposable> {
  const child = spawn(process.execPath, [import.meta.filename, String(points), "replay"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [port] = (await once(child.stdout, "data")) as [Buffer];
  return { url: `http://127.0.0.1:${port.toString().trim()}`, [Symbol.dispose]: () => void child.kill() };
}

const agent = new Agent({ keepAlive: true, maxSockets: connections });

/** Sends a body and passes over the answer. */
function ask(url: string, method: string, body: string | Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { method, agent, headers: { "content-length": Buffer.byteLength(body) } },
      (incoming) => {
        let length = 0;
        incoming.on("data", (part: Buffer) => (length += part.length));
        incoming.on("end", () => resolve(length));
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

async function inParallel(count: number, work: (n: number) => Promise<number>): Promise<number> {
  let next = 0;
  let sum = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const length = await work(next++);
      sum += length;
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  return sum;
}

/** Wall and processor time of something done here. */
async function timed(work: () => Promise<unknown>): Promise<Omit<Measured, "peakMb">> {
  const start = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { wallS: (performance.now() - start) / 1000, cpuS: (user + system) / 1e6 };
}

async function compare(): Promise<void> {
  using server = await startReplay();
  const folder = await mkdtemp(join(tmpdir(), "memkeep-bench-"));
  process.env["MEMKEEP_PASSWORD"] = "bench";
  const memkeep = [process.execPath, join(import.meta.dirname, "../dist/cli/main.js"), "-q"];
  const place = server.url.replace("http", "qdrant");
  const pages = Math.ceil(points / pagePoints);
  const series = {
    reading: [] as Omit<Measured, "peakMb">[],
    backup: [] as Measured[],
    sending: [] as Omit<Measured, "peakMb">[],
    restore: [] as Measured[],
  };
  let bytes = 0;
  const rows = render();
  const upsert = Buffer.concat([Buffer.from('{"points":['), rows.bytes.subarray(0, -1), Buffer.from("]}")]);
  try {
    for (let round = 0; round < rounds; round++) {
      const repository = join(folder, `r${round}`);
      const to = ["-s", `memory=${place}`, "-r", repository];
      await measure([...memkeep, "init", "-r", repository]);
      series.reading.push(
        await timed(async () => {
          bytes = await inParallel(pages, (n) =>
            ask(
              `${server.url}/collections/c/points/scroll`,
              "POST",
              `{"limit":${pagePoints},"offset":${firstId + n * pagePoints},"with_payload":true,"with_vector":true}`,
            ),
          );
        }),
      );
      series.backup.push(await measure([...memkeep, "backup", "--force", ...to]));
      series.sending.push(
        await timed(() =>
          inParallel(pages, () => ask(`${server.url}/collections/c/points?wait=true`, "PUT", upsert)),
        ),
      );
      series.restore.push(
        await measure([...memkeep, "restore", "latest", ...to, "--into", `${place}/?prefix=new-`, "--apply"]),
      );
      await rm(repository, { recursive: true });
    }
  } finally {
    agent.destroy();
    await rm(folder, { recursive: true, force: true });
  }
  const of = (list: readonly Omit<Measured, "peakMb">[], what: "wallS" | "cpuS"): number =>
    median(list.map((one) => one[what]));
  const row = (name: string, raw: "reading" | "sending", own: "backup" | "restore"): void => {
    const speed = (list: readonly Omit<Measured, "peakMb">[]): string =>
      `${(points / of(list, "wallS") / 1000).toFixed(1)}k points/s, ${((of(list, "cpuS") / points) * 1e6).toFixed(0)} µs of processor a point`;
    console.log(
      `${name}: ${(of(series[raw], "wallS") / of(series[own], "wallS")).toFixed(2)}× (${speed(series[own])}; raw ${speed(series[raw])}), ${median(series[own].map(({ peakMb }) => peakMb)).toFixed(0)} MB at most`,
    );
  };
  console.log(
    `${points} points, ${(bytes / 1e6).toFixed(0)} MB of JSON, ${connections} connections, median of ${rounds}`,
  );
  row("backup against reading and discarding", "reading", "backup");
  row("restore and read-back against sending ready-made bodies", "sending", "restore");
}

if (process.argv[3] === "replay") replay();
else await compare();
