/** Reads all points of a collection, page after page, in several ranges at once. */
import { MemkeepError } from "../../domain/errors.ts";
import { estimatedPointBytes, strictLimit, vectorTypes } from "./schema.ts";
import type { CollectionSchema } from "./schema.ts";
import { refusalOf } from "./failure.ts";
import type { Page, Point, Reading } from "./page.ts";
import { compareIds } from "./point-id.ts";
import { splitIds } from "./ranges.ts";
import type { IdRange } from "./ranges.ts";
import type { Server } from "./server.ts";

const pageBytes = 2 * 1024 * 1024;
const mostPoints = 1000;
/** Ids alone are small. */
const mostIds = 10_000;

/** How many points are asked for at once: by bytes, since a small server holds a page several times in memory. */
export class PageSize {
  #cap: number;
  #idLimit: number;
  #limit: number;
  readonly #readTokens: number;

  constructor(schema: CollectionSchema) {
    const strict = strictLimit(schema, "max_query_limit");
    this.#cap = Math.min(mostPoints, strict ?? mostPoints);
    this.#idLimit = Math.min(mostIds, strict ?? mostIds);
    this.#readTokens = strictLimit(schema, "read_rate_limit") ?? mostPoints;
    this.#limit = this.#bounded(pageBytes / estimatedPointBytes(schema));
  }

  get limit(): number {
    return this.#limit;
  }

  /** For pages of ids alone. */
  get idLimit(): number {
    return this.#idLimit;
  }

  /** For points by their ids: each of them costs a token where reads are limited, and no request may cost more than there are. */
  get fetchLimit(): number {
    return Math.max(1, Math.min(this.#limit, this.#readTokens));
  }

  /** A page was more than the server has memory for. False when there is no smaller one. */
  shrink(): boolean {
    if (this.#limit === 1) return false;
    this.#cap = this.#limit >> 1;
    this.#idLimit = Math.max(1, this.#idLimit >> 1);
    this.#limit = this.#bounded(this.#limit);
    return true;
  }

  /** Learns from a page how large points are. */
  note(sizeBytes: number, points: number): void {
    if (points > 0) this.#limit = this.#bounded(pageBytes / (sizeBytes / points));
  }

  #bounded(points: number): number {
    return Math.max(1, Math.min(this.#cap, Math.floor(points)));
  }
}

/** One shard key's points of a collection, or all points where there are no shard keys. */
export interface Shard {
  readonly name: string;
  readonly reading: Reading;
  readonly size: PageSize;
}

/** What is read one after the other: under custom sharding a scroll of everything would hide points of equal id. */
export function shardsOf(name: string, schema: CollectionSchema): readonly Shard[] {
  const types = vectorTypes(schema);
  const size = new PageSize(schema);
  const keys = schema.shardKeys?.map(({ key }) => key) ?? [undefined];
  return keys.map((shardKey) => ({ name, reading: { types, shardKey }, size }));
}

/** Takes the points of one page, in the order of ids. A promise is waited for. */
export type TakePoints = (points: readonly Point[], range: number) => Promise<void> | void;

/** Reads every range of a shard; ranges are numbered as `splitIds` gives them. */
export async function readShard(
  server: Server,
  shard: Shard,
  count: number,
  take: TakePoints,
): Promise<readonly IdRange[]> {
  const ranges = await splitIds(server, shard.name, shard.reading, count);
  await eachAtOnce(server.config.connections, ranges.length, (range) =>
    readRange(server, shard, ranges[range]!, false, (points) => take(points, range)),
  );
  return ranges;
}

/** Reads one range from its first id to its last. */
export async function readRange(
  server: Server,
  shard: Shard,
  range: IdRange,
  idsOnly: boolean,
  take: (points: readonly Point[]) => Promise<void> | void,
): Promise<void> {
  for (let offset = range.from; ;) {
    server.context.signal.throwIfAborted();
    const { page, sizeBytes } = await scroll(server, shard, offset, idsOnly);
    if (!idsOnly) shard.size.note(sizeBytes, page.points.length);
    const { to } = range;
    const isLast = page.next === undefined || (to !== undefined && compareIds(page.next, to) >= 0);
    checkOrder(server, shard, page.points, offset, page.next);
    await take(
      isLast && to !== undefined ? page.points.filter(({ id }) => compareIds(id, to) < 0) : page.points,
    );
    if (isLast) return;
    offset = page.next;
  }
}

/** One page, of as many points as the server has memory for. */
async function scroll(
  server: Server,
  { name, reading, size }: Shard,
  offset: string | undefined,
  idsOnly: boolean,
): Promise<{ page: Page; sizeBytes: number }> {
  for (;;) {
    try {
      return await server.scroll(name, offset, idsOnly ? size.idLimit : size.limit, reading, idsOnly);
    } catch (error) {
      if (refusalOf(error)?.isShortOfMemory !== true || !size.shrink()) throw error;
    }
  }
}

/** The points with these ids that are there, in parts that the server can give. */
export async function* fetchPoints(
  server: Server,
  { name, reading, size }: Shard,
  ids: readonly string[],
): AsyncGenerator<readonly Point[]> {
  for (let at = 0; at < ids.length;) {
    server.context.signal.throwIfAborted();
    const batch = ids.slice(at, at + size.fetchLimit);
    at += batch.length;
    yield await server.retrieve(name, batch, reading);
  }
}

/** A page that does not ascend would be read for ever, or twice. */
function checkOrder(
  server: Server,
  shard: Shard,
  points: readonly Point[],
  offset: string | undefined,
  next: string | undefined,
): void {
  let before = offset;
  for (const [index, { id }] of points.entries()) {
    const order = before === undefined ? 1 : compareIds(id, before);
    if (order < 0 || (order === 0 && index > 0)) throw unordered(server, shard);
    before = id;
  }
  if (next !== undefined && before !== undefined && compareIds(next, before) <= 0)
    throw unordered(server, shard);
}

function unordered(server: Server, { name }: Shard): MemkeepError {
  return new MemkeepError("STORE_UNREADABLE", {
    tried: `read the points of ${name} on ${server.client.source}`,
    happened: "a page is not in the order of ids",
    next: "Something between here and the server may give answers out of a cache.",
  });
}

/** Calls `work` with 0 to `count` − 1, several at once; the first failure ends all. */
export async function eachAtOnce(
  atOnce: number,
  count: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let hasFailed = false;
  async function worker(): Promise<void> {
    while (!hasFailed && next < count) {
      try {
        await work(next++);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  }
  const workers = await Promise.allSettled(Array.from({ length: Math.min(atOnce, count) }, worker));
  for (const outcome of workers) if (outcome.status === "rejected") throw outcome.reason;
}
