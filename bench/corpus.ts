/**
 * Makes the files that the benchmarks read: deterministic, so that every run and every program sees the same bytes.
 * `node bench/corpus.ts KIND SIZE_MB FILE [CHANGED_PERCENT]`, KIND one of json, vectors, random, sqlite.
 * With CHANGED_PERCENT that share of the records, scattered, has another score and time (json; sqlite: in place in FILE,
 * always 1 %) or other floats (vectors).
 */
import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { DatabaseSync } from "node:sqlite";
import { addMemories, createMemory, recallMemories } from "../src/cli/demo/agent-memory.ts";
import { embeddingOf, memoryOf, randomSource } from "../src/cli/demo/memories.ts";

/** Scattered, and the same records each time. */
function isChanged(number: number, percent: number): boolean {
  return ((number * 2_654_435_761) >>> 0) / 2 ** 32 < percent / 100;
}

async function stream(file: string, sizeBytes: number, piece: (number: number) => Buffer): Promise<void> {
  const out = createWriteStream(file, { highWaterMark: 4 << 20 });
  for (let written = 0, number = 0; written < sizeBytes; number++) {
    const bytes = piece(number);
    written += bytes.length;
    if (!out.write(bytes)) await once(out, "drain");
  }
  out.end();
  await once(out, "close");
}

/** About 3.7 KB a memory with its indexes. */
function sqlite(file: string, sizeBytes: number, percent: number): void {
  const count = Math.ceil(sizeBytes / 3700);
  using db = percent > 0 ? new DatabaseSync(file) : createMemory(file, 0);
  if (percent > 0) recallMemories(db, count);
  else for (let from = 0; from < count; from += 10_000) addMemories(db, from, Math.min(count, from + 10_000));
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
}

/** One memory a line with its embedding in decimals, as an export of a vector store has it. */
function line(number: number, changed: boolean): Buffer {
  const embedding = [...embeddingOf(number, false)].map((value) => Math.fround(value));
  return Buffer.from(`${JSON.stringify({ ...memoryOf(number, changed), embedding })}\n`);
}

const [kind, sizeMb, file, changed = "0"] = process.argv.slice(2);
if (!kind || !sizeMb || !file)
  throw new Error("usage: corpus.ts json|vectors|random|sqlite SIZE_MB FILE [CHANGED_PERCENT]");
const sizeBytes = Number(sizeMb) * 1e6;
const percent = Number(changed);
if (kind === "sqlite") sqlite(file, sizeBytes, percent);
else {
  const next = randomSource(1);
  const block = Buffer.alloc(1 << 16);
  await stream(file, sizeBytes, (n) => {
    if (kind === "json") return line(n, isChanged(n, percent));
    if (kind === "vectors") return Buffer.from(embeddingOf(n, isChanged(n, percent)).buffer);
    for (let at = 0; at < block.length; at += 4) block.writeUInt32LE(Math.floor(next() * 2 ** 32), at);
    return Buffer.from(block);
  });
}
