/**
 * Holds what was read against what is there. Qdrant has no view that stands still, so the ids are read a second time: a
 * point that is there and was not read is fetched, until nothing is missing or the limit of rounds is reached.
 */
import { createReadStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { MemkeepError } from "../../domain/errors.ts";
import { readLines } from "../format/lines.ts";
import { compareIds } from "./point-id.ts";
import type { Point } from "./page.ts";
import type { IdRange } from "./ranges.ts";
import { eachAtOnce, fetchPoints, readRange, readShard } from "./read-points.ts";
import type { Shard } from "./read-points.ts";
import type { Server } from "./server.ts";

/** The ids that were read of each range, in their order, in spool files: a store may have more than fit into memory. */
class ReadIds implements AsyncDisposable {
  readonly #folder: string;
  readonly #stem: string;
  readonly #files = new Map<number, { path: string; handle: FileHandle }>();
  count = 0;

  constructor(folder: string, stem: string) {
    this.#folder = folder;
    this.#stem = stem;
  }

  async add(range: number, points: readonly Point[]): Promise<void> {
    if (points.length === 0) return;
    this.count += points.length;
    let file = this.#files.get(range);
    if (!file) {
      const path = join(this.#folder, `${this.#stem}.ids-${range}`);
      file = { path, handle: await open(path, "wx", 0o600) };
      this.#files.set(range, file);
    }
    await file.handle.appendFile(`${points.map(({ id }) => id).join("\n")}\n`);
  }

  read(range: number): IdCursor {
    const file = this.#files.get(range);
    return new IdCursor(file && readLines(createReadStream(file.path), file.path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { path, handle } of this.#files.values()) {
      await handle.close();
      await rm(path, { force: true });
    }
  }
}

/** Goes through the ids of a range once. A promise for each of them would cost more than the comparison. */
class IdCursor {
  readonly #batches: AsyncIterator<readonly string[]> | undefined;
  #batch: readonly string[] = [];
  #at = 0;

  constructor(batches: AsyncGenerator<readonly string[]> | undefined) {
    this.#batches = batches;
  }

  /** The id that is next; undefined where more must be read first (`more`). */
  get id(): string | undefined {
    return this.#batch[this.#at];
  }

  next(): void {
    this.#at++;
  }

  /** Reads on when all that was read is used up. False at the end. */
  async more(): Promise<boolean> {
    while (this.#at >= this.#batch.length) {
      const next = await this.#batches?.next();
      if (next === undefined || next.done === true) return false;
      this.#batch = next.value;
      this.#at = 0;
    }
    return true;
  }
}

export interface ShardOutcome {
  /** Points that were taken. */
  readonly taken: number;
  /** Points that came or went while they were read. */
  readonly moved: number;
}

interface Round {
  /** There now, and neither read nor fetched so far. */
  readonly missing: string[];
  readonly listed: number;
  /** Read, and not there any more. */
  readonly gone: number;
}

/** Takes every point of a shard, and says how many moved. `DUMP_INCOMPLETE` when what was read is not what the server counts. */
export async function readSteadily(
  server: Server,
  shard: Shard,
  stem: string,
  take: (points: readonly Point[]) => Promise<void>,
): Promise<ShardOutcome> {
  const { name, reading } = shard;
  await using ids = new ReadIds(server.context.spoolFolder, stem);
  let countBefore = await server.count(name, reading.shardKey);
  const ranges = await readShard(server, shard, countBefore, async (points, range) => {
    await ids.add(range, points);
    await take(points);
  });
  const added = new Set<string>();
  let goneBefore = 0;
  for (let rounds = 1; ; rounds++) {
    const round = await listAgain(server, shard, ranges, ids, added);
    await fetchMissing(server, shard, round.missing, added, take);
    const count = await server.count(name, reading.shardKey);
    const moves = round.missing.length + Math.abs(round.gone - goneBefore);
    const holds = moves === 0 && count === round.listed;
    if (holds || rounds >= server.config.maxRechecks) {
      const drift = Math.abs(count - round.listed);
      // While others write, the count is of a later moment than the list: it may differ by what moves in a round.
      const allowed = 2 * moves + Math.abs(count - countBefore);
      if (drift > allowed) throw incomplete(server, shard, count, round.listed);
      return { taken: ids.count + added.size, moved: added.size + round.gone };
    }
    goneBefore = round.gone;
    countBefore = count;
  }
}

async function listAgain(
  server: Server,
  shard: Shard,
  ranges: readonly IdRange[],
  ids: ReadIds,
  added: ReadonlySet<string>,
): Promise<Round> {
  const missing: string[] = [];
  let listed = 0;
  let gone = 0;
  let addedSeen = 0;
  await eachAtOnce(server.config.connections, ranges.length, async (range) => {
    const known = ids.read(range);
    await readRange(server, shard, ranges[range]!, true, async (points) => {
      listed += points.length;
      for (const { id } of points) {
        while (known.id !== undefined || (await known.more())) {
          if (compareIds(known.id!, id) >= 0) break;
          gone++;
          known.next();
        }
        if (known.id === id) known.next();
        else if (added.has(id)) addedSeen++;
        else missing.push(id);
      }
    });
    for (; known.id !== undefined || (await known.more()); known.next()) gone++;
  });
  return { missing, listed, gone: gone + added.size - addedSeen };
}

async function fetchMissing(
  server: Server,
  shard: Shard,
  missing: readonly string[],
  added: Set<string>,
  take: (points: readonly Point[]) => Promise<void>,
): Promise<void> {
  for await (const points of fetchPoints(server, shard, missing)) {
    for (const { id } of points) added.add(id);
    await take(points);
  }
}

function incomplete(server: Server, shard: Shard, count: number, listed: number): MemkeepError {
  const of = shard.reading.shardKey === undefined ? "" : ` under the shard key ${shard.reading.shardKey}`;
  return new MemkeepError("DUMP_INCOMPLETE", {
    tried: `read all points of ${shard.name}${of} on ${server.client.source}`,
    happened: `the server counts ${count} and lists ${listed}`,
    next: "Try again when nothing writes; if it stays so, look at the collection's shards (`GET /collections/NAME/cluster`): one of them may be dead.",
  });
}
