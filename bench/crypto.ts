/**
 * `node bench/crypto.ts`: MB/s on one core of each step between a chunk and a pack, for three blob sizes. Data:
 * JSON lines of text, JSON lines with decimal vectors, SQLite pages, float32 rows, all made here from a fixed seed.
 */
import { hash } from "node:crypto";
import { readFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { zstdCompressSync } from "node:zlib";
import {
  compressBound,
  createCompressor,
  createDecompressor,
} from "../src/repository/restic/crypto/compression.ts";
import { generateMasterKey } from "../src/repository/restic/crypto/master-key.ts";
import { createSealer, type Pieces, sealOverheadBytes } from "../src/repository/restic/crypto/seal.ts";

const sampleBytes = 8 * 1024 * 1024;
const slabBytes = 2 * 1024 * 1024;

/** The best of five runs: the machine may be doing other things, and they only ever slow a run down. */
function speed(sizeBytes: number, run: () => void): string {
  run();
  let best = Infinity;
  for (let turn = 0; turn < 5; turn++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return (sizeBytes / 1e3 / best).toFixed(0).padStart(7);
}

function line(name: string, figures: readonly string[]): void {
  console.log(name.padEnd(44) + figures.join(""));
}

function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = numbers(7);
const letters = "etaoinshrdlucmfwypvbgkjqxz";
const words = Array.from({ length: 6000 }, () => {
  const length = 2 + Math.floor(random() * 8);
  return Array.from({ length }, () => letters[Math.floor(random() ** 2 * letters.length)]).join("");
});

/** A memory as many stores hold it: 400 characters of text, tags, a score, a time. */
function record(index: number): Record<string, string | number | string[]> {
  const text = Array.from({ length: 65 }, () => words[Math.floor(random() ** 3 * words.length)]).join(" ");
  const created = new Date(1_700_000_000_000 + index * 1_000_000 * random()).toISOString();
  return {
    id: hash("md5", `memory ${index}`),
    text,
    tags: words.slice(index % 50, (index % 50) + 2),
    score: random(),
    created,
  };
}

function vector(): Float32Array {
  return Float32Array.from({ length: 384 }, () => {
    return (Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random())) / 19.6;
  });
}

function jsonLines(make: (index: number) => object): Buffer {
  const lines: string[] = [];
  for (let size = 0; size < sampleBytes;) {
    const next = `${JSON.stringify(make(lines.length))}\n`;
    lines.push(next);
    size += next.length;
  }
  return Buffer.from(lines.join("")).subarray(0, sampleBytes);
}

async function sqlitePages(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), "memkeep-bench-"));
  const path = join(folder, "memory.db");
  const database = new DatabaseSync(path);
  database.exec(
    "PRAGMA journal_mode=OFF; CREATE TABLE m(id TEXT PRIMARY KEY, doc TEXT, score REAL, vector BLOB); BEGIN",
  );
  const insert = database.prepare("INSERT INTO m VALUES(?,?,?,?)");
  for (let index = 0; index < sampleBytes / 1900; index++) {
    const { id, text, score } = record(index);
    insert.run(String(id), String(text), Number(score), new Uint8Array(vector().buffer));
  }
  database.exec("COMMIT");
  database.close();
  const bytes = await readFile(path);
  await rm(folder, { recursive: true });
  return bytes.subarray(0, sampleBytes);
}

function floatRows(): Buffer {
  const rows = Array.from({ length: Math.ceil(sampleBytes / 1536) }, () => Buffer.from(vector().buffer));
  return Buffer.concat(rows).subarray(0, sampleBytes);
}

const samples: Record<string, Buffer> = {
  "JSON text": jsonLines(record),
  "JSON decimal vectors": jsonLines((index) => ({
    ...record(index),
    vector: [...vector()].map((x) => Number(x.toPrecision(8))),
  })),
  "SQLite pages": await sqlitePages(),
  "float32 rows": floatRows(),
};

const sizes = [16 * 1024, 64 * 1024, 1024 * 1024];
const largest = Math.max(...sizes);

function piecesOf(data: Buffer, size: number): Buffer[] {
  const count = Math.floor(data.length / size);
  return Array.from({ length: count }, (_, index) => data.subarray(index * size, (index + 1) * size));
}

/** One figure for each size: the speed of `run` over all pieces of the data. */
function overPieces(data: Buffer, run: (piece: Buffer) => unknown): string[] {
  return sizes.map((size) => {
    const pieces = piecesOf(data, size);
    return speed(pieces.length * size, () => {
      for (const piece of pieces) run(piece);
    });
  });
}

/** A slab in shared memory, as worker threads have it. */
function slab(size: number, overhead: number): Pieces {
  const count = slabBytes / size;
  const offsets = Uint32Array.from({ length: count }, (_, index) => index * (size + overhead));
  const lengths = new Uint32Array(count).fill(size + overhead);
  return {
    buffer: new Uint8Array(new SharedArrayBuffer(count * (size + overhead))),
    offsets,
    lengths,
    count,
  };
}

function benchSeals(noise: Buffer): void {
  const sealer = createSealer(generateMasterKey());
  line(
    "sha256, crypto.hash",
    overPieces(noise, (piece) => hash("sha256", piece, "buffer")),
  );
  const rounds = 16;
  const sealed: string[] = [];
  const opened: string[] = [];
  for (const size of sizes) {
    const plain = slab(size, 0);
    const target = slab(size, sealOverheadBytes);
    const sealSlab = (): unknown => sealer.sealBatch(plain, target.buffer, 0);
    const openSlab = (): unknown => sealer.openBatch(target, plain.buffer, 0);
    for (const [figures, run] of [[sealed, sealSlab] as const, [opened, openSlab] as const]) {
      figures.push(
        speed(slabBytes * rounds, () => {
          for (let round = 0; round < rounds; round++) run();
        }),
      );
    }
  }
  line("sealBatch of 2 MiB", sealed);
  line("openBatch of 2 MiB", opened);
  line(
    "seal, one by one",
    overPieces(noise, (piece) => sealer.seal(piece)),
  );
}

function benchCompression(name: string, data: Buffer): void {
  const out = new Uint8Array(new SharedArrayBuffer(compressBound(largest)));
  for (const level of [1, 3]) {
    const compressor = createCompressor(level);
    const oneShot = createCompressor(level, () => undefined);
    const ratios = sizes.map((size) => {
      const pieces = piecesOf(data, size);
      let stored = 0;
      for (const piece of pieces) stored += compressor.compressInto(piece, out, 0) || size;
      return (stored / (pieces.length * size)).toFixed(3).padStart(7);
    });
    line(`${name}, level ${level}: stored`, ratios);
    line(
      "  compress",
      overPieces(data, (piece) => compressor.compressInto(piece, out, 0)),
    );
    line(
      "  compress, documented calls only",
      overPieces(data, (piece) => oneShot.compressInto(piece, out, 0)),
    );
  }
  const ways = {
    decompress: createDecompressor(),
    "decompress, documented calls only": createDecompressor(() => undefined),
  };
  for (const [way, decompressor] of Object.entries(ways)) {
    const figures = sizes.map((size) => {
      const frames = piecesOf(data, size).map((piece) => zstdCompressSync(piece, { pledgedSrcSize: size }));
      return speed(frames.length * size, () => {
        for (const frame of frames) decompressor.decompressInto(frame, size, out, 0);
      });
    });
    line(`  ${way}`, figures);
  }
}

line(`MB/s, Node ${process.versions.node}`, [" 16 KiB", " 64 KiB", "  1 MiB"]);
benchSeals(samples["float32 rows"]!);
for (const [name, data] of Object.entries(samples)) benchCompression(name, data);
