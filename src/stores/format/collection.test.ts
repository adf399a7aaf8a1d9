import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { StoreManifest } from "../../domain/manifest.ts";
import { writeValue } from "./json-write.ts";
import { readLayout, schemaFile, writeLayout } from "./layout.ts";
import type { CollectionFiles } from "./layout.ts";
import { anyValue, memoryDump } from "./testing.ts";
import type { MemoryDump } from "./testing.ts";
import { collectionFacts, keyValue, readCollection } from "./read-collection.ts";
import { RecordSorter } from "./sort.ts";
import { DenseVector } from "./value.ts";
import type { PlacedVector, Value } from "./value.ts";
import { writeCollection } from "./write-collection.ts";

const manifest: StoreManifest = {
  kind: "test",
  engine: { name: "test", version: "1" },
  source: "memory",
  dumpVersion: 1,
  view: { instant: "2026-11-21T00:00:00Z", consistency: "snapshot", moved: 0 },
  files: [],
  collections: [],
  settings: {},
  omitted: [],
  warnings: [],
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "memkeep-format-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface TestRecord {
  readonly key: Uint8Array;
  readonly value: Value;
}

async function dump(
  records: readonly TestRecord[],
  memoryBytes: number,
  readBytes?: number,
): Promise<Dumped> {
  const memory = memoryDump(manifest, readBytes);
  await using sorter = new RecordSorter({ folder, stem: `s${stems++}`, memoryBytes });
  for (const { key, value } of records) {
    const vectors: PlacedVector[] = [];
    const name = writeValue(keyValue(key));
    const line = `{"key":${name},"value":${writeValue(value, vectors, "value")}}`;
    await sorter.add({ key, line, vectors });
  }
  const files = await writeCollection(memory.sink, sorter, "things", "things");
  return { memory, files, facts: sorter.facts("things") };
}
let stems = 0;

interface Dumped {
  readonly memory: MemoryDump;
  readonly files: CollectionFiles;
  readonly facts: Awaited<ReturnType<typeof collectionFacts>>;
}

const anyRecords = fc.uniqueArray(
  fc.record({ key: fc.uint8Array({ minLength: 1, maxLength: 6 }), value: anyValue }),
  { maxLength: 60, selector: ({ key }) => Buffer.from(key).toString("hex") },
);

describe("a dumped collection", () => {
  test("does not depend on the order of arrival, nor on the memory given", async () => {
    await fc.assert(
      fc.asyncProperty(anyRecords, fc.integer({ min: 1, max: 97 }), async (records, readBytes) => {
        const one = await dump(records, 1e9, readBytes);
        const other = await dump(records.toReversed(), 2000, readBytes);
        expect(other.memory.files).toEqual(one.memory.files);
        expect(other.facts).toEqual(one.facts);
        expect(await collectionFacts(one.memory.source, one.files)).toEqual(one.facts);
        const values = new Map(records.map(({ key, value }) => [Buffer.from(key).toString("hex"), value]));
        for await (const batch of readCollection(one.memory.source, one.files)) {
          for (const { key, value } of batch) {
            expect(writeValue(value["value"]!)).toBe(writeValue(values.get(key.toString("hex"))!));
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  test("leaves a run in the spool folder only when memory is full", async () => {
    for (const memoryBytes of [1e9, 5000]) {
      await using sorter = new RecordSorter({ folder, stem: "s", memoryBytes });
      for (let n = 0; n < 100; n++) {
        await sorter.add({ key: Buffer.from(`k${n}`), line: "x".repeat(100), vectors: [] });
      }
      const runs = (await readdir(folder)).length;
      expect(runs > 2).toBe(memoryBytes === 5000);
    }
    expect(await readdir(folder)).toEqual([]);
  });

  test("gives every record once when runs are read on into the memory of what was read before", async () => {
    const records = Array.from({ length: 6000 }, (_, n) => {
      // In no order, so that each batch of the merge comes from several runs.
      const key = String((n * 7919) % 6000).padStart(4, "0");
      return { key: Buffer.from(key), value: key.repeat(100 + (n % 7)) };
    });
    const { memory } = await dump(records, 2 * 1024 * 1024);
    const sorted = records.toSorted((a, b) => Buffer.compare(a.key, b.key));
    const lines = sorted.map(({ key, value }) => `{"key":"${key.toString()}","value":"${value}"}\n`);
    expect(memory.files.get("things.jsonl")!.equals(Buffer.from(lines.join("")))).toBe(true);
  });

  test.each([
    ["a line is lost", (text: string) => text.replace(/^.*\n/, ""), /records/],
    ["two lines are swapped", (text: string) => text.replace(/^(.*\n)(.*\n)/, "$2$1"), /ascend/],
    ["the last newline is lost", (text: string) => text.slice(0, -1), /no end/],
    ["a line is empty", (text: string) => `\n${text}`, /empty line/],
    ["a vector lost its marker", (text: string) => text.replace(/\{"\$vector":"f4\[3\]"\}/, "null"), /rows/],
    ["a key is missing", (text: string) => text.replace('"key"', '"kei"'), /no key/],
  ])("is refused when %s", async (_, change, message) => {
    const { memory, files } = await dump(vectorRecords(), 1e9);
    memory.files.set(files.file, Buffer.from(change(memory.files.get(files.file)!.toString())));
    await expect(collectionFacts(memory.source, files)).rejects.toThrow(message);
  });

  test.each([
    ["cut", (bytes: Buffer) => bytes.subarray(0, -1)],
    ["longer", (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(1)])],
    [
      "of another shape",
      (bytes: Buffer) => Buffer.from(bytes.toString("latin1").replace(", 3)", ", 4)"), "latin1"),
    ],
    ["no such file", (bytes: Buffer) => bytes.subarray(1)],
  ])("is refused when a vectors' file is %s", async (_, change) => {
    const { memory, files } = await dump(vectorRecords(), 1e9);
    const file = files.vectors[0]!.file;
    memory.files.set(file, change(memory.files.get(file)!));
    await expect(collectionFacts(memory.source, files)).rejects.toThrow(/could not read the dump file/);
  });

  test("is read by a reader that knows only docs/dump-format.md", async () => {
    const { memory, files } = await dump([...vectorRecords(), ...awkward], 1e9);
    memory.files.set(schemaFile, writeLayout({ store: "test", collections: [files], schema: {} }));
    expect((await readLayout(memory.source, "test")).collections).toEqual([files]);
    for (const [name, bytes] of memory.files) await writeFile(join(folder, name), bytes);
    const reader = join(import.meta.dirname, "../../../test/read-dump.py");
    const { stdout } = await promisify(execFile)("python3", [reader, folder]);
    const read = JSON.parse(stdout) as Record<
      string,
      { records: number; contentDigest: string; sample: unknown[] }
    >;
    expect(read["things"]).toMatchObject({
      records: awkward.length + 3,
      contentDigest: (await collectionFacts(memory.source, files)).contentDigest,
    });
    expect(read["things"]!.sample).toContain(
      "{'big': 9223372036854775807, 'double': 1.0, 'nan': nan, 'zero': -0.0}",
    );
    const hostile = read["things"]!.sample.find((text) => String(text).includes("half"));
    expect(hostile).toContain("'$$': '\\ud800 half \\udc00'");
    expect(hostile).toContain("'\\udfff': {'$vector': 'f4[2]', '__proto__0': -0.0}");
    expect(read["things"]!.sample).toContain("{'$bytes': b'memory', 'image': [[0.5, 1.5], [2.5, 3.5]]}");
  });
});

function vectorRecords(): TestRecord[] {
  return [1, 2, 3].map((n) => ({
    key: Buffer.from(`v${n}`),
    value: { embedding: new DenseVector({ type: "f4", columns: 3, bytes: floats(n, -0, n / 3) }) },
  }));
}

const awkward: TestRecord[] = [
  { key: Buffer.from("numbers"), value: { big: 2n ** 63n - 1n, double: 1, nan: NaN, zero: -0 } },
  {
    key: Buffer.from("escaped"),
    value: {
      $bytes: Buffer.from("memory"),
      image: new DenseVector({ type: "f4", rows: 2, columns: 2, bytes: floats(0.5, 1.5, 2.5, 3.5) }),
    },
  },
  {
    key: Buffer.from("hostile"),
    value: {
      $$: "\ud800 half \udc00",
      "\udfff": { $vector: "f4[2]", __proto__0: -0 },
      line: "\u2028\u0085\n\r",
      deep: nested(500),
    },
  },
  { key: Buffer.from([0xff, 0x00]), value: { none: [], empty: {}, text: "\u0000\u{1f600}" } },
];

function nested(depth: number): Value {
  let value: Value = 1n;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { $: value };
  return value;
}

function floats(...numbers: number[]): Buffer {
  return Buffer.from(new Float32Array(numbers).buffer);
}
