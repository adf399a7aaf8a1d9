/**
 * Speed of the dump format: serialiser, parser (own and JSON.parse with a reviver that sees the source text), sorting with
 * and without spool files, and decoding. Usage: node bench/format.ts [points]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryDump } from "../src/stores/format/testing.ts";
import { readValue } from "../src/stores/format/json-read.ts";
import { writeValue } from "../src/stores/format/json-write.ts";
import { collectionFacts } from "../src/stores/format/read-collection.ts";
import { RecordSorter } from "../src/stores/format/sort.ts";
import { DenseVector } from "../src/stores/format/value.ts";
import type { PlacedVector, Value } from "../src/stores/format/value.ts";
import { writeCollection } from "../src/stores/format/write-collection.ts";

const points = Number(process.argv[2] ?? 100_000);
const columns = 384;
const values: Value[] = Array.from({ length: 20_000 }, (_, n) => ({
  content: `A memory number ${n}: "she prefers tea to coffee". `.repeat(1 + (n % 8)),
  count: BigInt(n),
  importance: Math.sin(n),
  meta: { source: "bench", none: null, flag: n % 2 === 0 },
  tags: ["alpha", "beta", `t${n % 100}`],
  timestamp: "2026-11-21T10:00:00.123456+00:00",
}));
const texts = values.map((value) => writeValue(value));
const textBytes = texts.reduce((sum, text) => sum + text.length, 0);

function measure(name: string, work: () => void): number {
  work();
  const start = performance.now();
  for (let round = 0; round < 5; round++) work();
  const seconds = (performance.now() - start) / 5000;
  const rate = textBytes / seconds / 1e6;
  console.log(
    `${name.padEnd(44)} ${rate.toFixed(0).padStart(5)} MB/s ${(texts.length / seconds / 1000).toFixed(0).padStart(6)}k records/s`,
  );
  return rate;
}

measure("write", () => values.forEach((value) => writeValue(value)));
const own = measure("read", () => texts.forEach((text) => readValue(text)));
const reviver = measure("read by JSON.parse and reviver", () =>
  texts.forEach((text) =>
    JSON.parse(text, (_: string, value: unknown, source?: { source?: string }) =>
      typeof value === "number" && !/[.eE]/.test(source!.source!) ? BigInt(source!.source!) : value,
    ),
  ),
);
console.log(`read: ${(own / reviver).toFixed(2)} times the reviver's speed`);

const folder = await mkdtemp(join(tmpdir(), "memkeep-bench-"));
try {
  for (const memoryBytes of [2 ** 40, 48 * 1024 * 1024]) {
    const start = performance.now();
    const memory = memoryDump({
      kind: "bench",
      engine: { name: "", version: "" },
      source: "",
      dumpVersion: 1,
      view: { instant: "", consistency: "snapshot", moved: 0 },
      files: [],
      collections: [],
      settings: {},
      omitted: [],
      warnings: [],
    });
    await using sorter = new RecordSorter({ folder, stem: `m${memoryBytes}`, memoryBytes });
    for (let n = 0; n < points; n++) {
      const key = ((n * 2654435761) >>> 0).toString(16).padStart(8, "0");
      const floats = Buffer.from(new Float32Array(columns).fill(n / points).buffer);
      const vectors: PlacedVector[] = [
        { field: "vector", vector: new DenseVector({ type: "f4", columns, bytes: floats }) },
      ];
      const line = `{"key":"${key}","payload":${writeValue(values[n % values.length]!)},"vector":{"$vector":"f4[${columns}]"}}`;
      const wait = sorter.add({ key: Buffer.from(key), line, vectors });
      if (wait) await wait;
    }
    const files = await writeCollection(memory.sink, sorter, "points", "points");
    const written = performance.now();
    await collectionFacts(memory.source, files);
    const decoded = performance.now();
    const rate = (ms: number): string => `${(points / ms).toFixed(0)}k points/s`;
    const where = memoryBytes > 1e12 ? "in memory" : "through spool files";
    console.log(
      `write, digest and sort ${where}: ${rate(written - start)}; decode: ${rate(decoded - written)}`,
    );
  }
} finally {
  await rm(folder, { recursive: true });
}
