/**
 * Prune, check and the opening of a large index, each against stock restic 0.18 on the same repository.
 * `node bench/care.ts prune|check|index [SIZE]`; SIZE in MB of stored bytes, or in thousands of blobs for `index`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beginSnapshot } from "../src/repository/restic/begin-snapshot.ts";
import { encodeIndex } from "../src/repository/restic/index/index-file.ts";
import {
  createRepository,
  openRepository,
  type RepositoryAccess,
} from "../src/repository/restic/open-repository.ts";
import type { ResticRepository } from "../src/repository/restic/restic-repository.ts";
import { local } from "../src/storages/local/index.ts";
import { systemClock } from "../src/util/clock/clock.ts";
import { resticBinary } from "../test/engines/restic/index.ts";

const password = "bench";
const blockBytes = 16 * 1024;
const everything = { maxUnused: 0, maxRepackBytes: undefined };

async function access(path: string): Promise<RepositoryAccess> {
  return {
    storage: await local.create({ path }),
    password,
    clock: systemClock,
    program: "memkeep bench",
    retryLockMs: 0,
    signal: new AbortController().signal,
  };
}

async function save(repository: ResticRepository, blocks: AsyncIterable<Uint8Array>): Promise<string> {
  const writer = await beginSnapshot([repository], { stack: "bench", run: "bench", tags: [] });
  await writer.save("store/pages.db", "pages", blocks);
  const [outcome] = await writer.commit(Date.now(), ["store"]);
  if (!outcome!.ok) throw outcome!.error;
  return outcome!.snapshot.id;
}

/** Blocks of random bytes that are the same in the second pass, which gives every other one only. */
async function makeHalfUsed(path: string, sizeMb: number): Promise<void> {
  const repository = await createRepository(await access(path));
  const seed = randomBytes(blockBytes);
  async function* blocks(step: number): AsyncGenerator<Uint8Array> {
    const block = Buffer.from(seed);
    const count = (sizeMb * 1e6) / blockBytes;
    for (let number = 0; number < count; number += step) {
      // Each word depends on the number, so that no block is like another and none compresses.
      for (let at = 0; at < blockBytes; at += 4) {
        block.writeUInt32LE((seed.readUInt32LE(at) ^ Math.imul(number + 1, 2_654_435_761 + at)) >>> 0, at);
      }
      yield block;
    }
  }
  const all = await save(repository, blocks(1));
  await save(repository, blocks(2));
  await repository.forget([all]);
  await repository.close();
}

async function makeLargeIndex(path: string, thousands: number): Promise<void> {
  const { objects, close } = bound(await createRepository(await access(path)));
  const blobsPerPack = 500;
  for (let file = 0; file < thousands / 50; file++) {
    const packs = Array.from({ length: 50_000 / blobsPerPack }, () => ({
      id: randomBytes(32).toString("hex"),
      entries: Array.from({ length: blobsPerPack }, (_, n) => ({
        id: randomBytes(32),
        type: "data" as const,
        offset: n * 9000,
        length: 9000,
        uncompressedLength: blockBytes,
      })),
    }));
    await objects.save("index", encodeIndex(packs));
  }
  await close();
}

function bound(repository: ResticRepository): {
  objects: ResticRepository["objects"];
  close: () => Promise<void>;
} {
  return { objects: repository.objects, close: () => repository.close() };
}

/** What a process of its own does, so that its memory is its own. */
const works: Readonly<Record<string, (repository: ResticRepository) => Promise<unknown>>> = {
  prune: (repository) => repository.prune(everything),
  check: async (repository) => {
    const { findings } = await repository.check({ data: true, signal: new AbortController().signal });
    if (findings.length > 0) throw new Error(JSON.stringify(findings));
  },
  index: (repository) => repository.index(),
};

const stockArgs: Readonly<Record<string, readonly string[]>> = {
  prune: ["prune", "--max-unused", "0"],
  check: ["check", "--read-data"],
  index: ["stats", "--mode", "raw-data"],
};

interface Measured {
  readonly seconds: number;
  readonly residentMb: number;
}

async function measure(command: string, args: readonly string[]): Promise<Measured> {
  const started = performance.now();
  const child = spawn("/usr/bin/env", ["time", "-f", "resident %M", command, ...args], {
    env: { ...process.env, RESTIC_PASSWORD: password },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said = await ended(child);
  const seconds = (performance.now() - started) / 1000;
  return { seconds, residentMb: Number(/resident (\d+)/.exec(said)?.[1] ?? 0) / 1024 };
}

function ended(child: ChildProcess): Promise<string> {
  let said = "";
  child.stderr!.on("data", (data: Buffer) => (said += data.toString()));
  return new Promise((resolve, reject) => {
    child.once("close", (code) => (code === 0 ? resolve(said) : reject(new Error(said))));
  });
}

async function compare(work: string, size: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "memkeep-bench-"));
  const path = join(folder, "repository");
  if (work === "index") await makeLargeIndex(path, size);
  else await makeHalfUsed(path, size);
  const stock = await resticBinary("0.18.0");
  const rounds: string[] = [];
  for (let round = 1; round <= 2; round++) {
    const [ours, theirs] = [join(folder, "ours"), join(folder, "theirs")];
    await cp(path, ours, { recursive: true });
    await cp(path, theirs, { recursive: true });
    const memkeep = await measure(process.execPath, [fileURLToPath(import.meta.url), "run", work, ours]);
    const restic = await measure(stock, ["--no-cache", "--repo", theirs, ...stockArgs[work]!]);
    rounds.push(
      `${work} ${size}: memkeep ${memkeep.seconds.toFixed(2)} s, ${memkeep.residentMb.toFixed(0)} MB; restic ${restic.seconds.toFixed(2)} s, ${restic.residentMb.toFixed(0)} MB; speed ${(restic.seconds / memkeep.seconds).toFixed(2)}x`,
    );
    await rm(ours, { recursive: true });
    await rm(theirs, { recursive: true });
  }
  await rm(folder, { recursive: true });
  for (const line of rounds) console.log(line);
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === "run") {
  const repository = await openRepository(await access(rest[1]!));
  const started = performance.now();
  await works[rest[0]!]!(repository);
  process.stderr.write(`inside: ${((performance.now() - started) / 1000).toFixed(2)} s\n`);
  await repository.close();
} else if (mode && mode in works) {
  await compare(mode, Number(rest[0] ?? (mode === "index" ? 1000 : 2000)));
} else {
  throw new Error("usage: care.ts prune|check|index [SIZE]");
}
