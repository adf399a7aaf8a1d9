/** Gathers points into upserts by bytes, and sends several at once. */
import { refusalOf } from "./failure.ts";
import { strictLimit } from "./schema.ts";
import type { CollectionSchema } from "./schema.ts";
import type { Server } from "./server.ts";
import { UpsertBody } from "./wire.ts";
import type { WritablePoint } from "./wire.ts";

export interface BatchLimits {
  readonly points: number;
  readonly sizeBytes: number;
}

/** The server refuses bodies above 32 MiB and holds one several times in memory. */
export const batchLimits: BatchLimits = { points: 1000, sizeBytes: 2 * 1024 * 1024 };

/** Strict mode limits writing, too; a write is charged by the collection and again by its shard. */
export function limitsOf(schema: CollectionSchema): BatchLimits {
  const perMinute = strictLimit(schema, "write_rate_limit");
  const points = Math.min(
    batchLimits.points,
    strictLimit(schema, "upsert_max_batchsize") ?? batchLimits.points,
    perMinute === undefined ? batchLimits.points : Math.floor(perMinute / 2),
  );
  return { ...batchLimits, points: Math.max(1, points) };
}

/** Sends a body; in halves where it is too much for the server, or for a proxy in front of it. */
export async function sendUpsert(
  server: Server,
  collection: string,
  body: UpsertBody,
  shardKey: string | undefined,
): Promise<void> {
  try {
    await server.upsert(collection, body.finish(shardKey));
  } catch (error) {
    const halves = refusalOf(error)?.isTooLarge === true ? body.halves() : undefined;
    if (!halves) throw error;
    for (const half of halves) await sendUpsert(server, collection, half, shardKey);
  }
}

/** Called with the ids of a batch before it is sent. */
export type BeforeBatch = (ids: readonly string[], shardKey: string | undefined) => Promise<void>;

export class Upserts {
  readonly #server: Server;
  readonly #collection: string;
  readonly #limits: BatchLimits;
  readonly #before: BeforeBatch | undefined;
  readonly #open = new Map<string | undefined, UpsertBody>();
  readonly #underWay = new Set<Promise<void>>();
  /** Memory of bodies that were sent: new memory for each would grow faster than it is collected. */
  readonly #spare: Buffer[] = [];
  #failure: { readonly error: unknown } | undefined;
  #sent = 0;

  constructor(server: Server, collection: string, limits: BatchLimits = batchLimits, before?: BeforeBatch) {
    this.#server = server;
    this.#collection = collection;
    this.#limits = limits;
    this.#before = before;
  }

  /** Points that the server has acknowledged as applied. */
  get sent(): number {
    return this.#sent;
  }

  /** Takes a point; a promise must be waited for. Rejects once a batch has failed. */
  add(point: WritablePoint, shardKey: string | undefined): Promise<void> | undefined {
    let body = this.#open.get(shardKey);
    if (!body) this.#open.set(shardKey, (body = new UpsertBody(this.#spare.pop())));
    body.add(point);
    if (body.count < this.#limits.points && body.sizeBytes < this.#limits.sizeBytes) return undefined;
    return this.#send(shardKey, body);
  }

  /** Sends the rest and waits for all. */
  async finish(): Promise<void> {
    for (const [shardKey, body] of this.#open) await this.#send(shardKey, body);
    await Promise.all(this.#underWay);
    this.#throwFailure();
  }

  async #send(shardKey: string | undefined, body: UpsertBody): Promise<void> {
    this.#open.delete(shardKey);
    while (this.#underWay.size >= this.#server.config.connections) await Promise.race(this.#underWay);
    this.#throwFailure();
    const sending = this.#deliver(shardKey, body)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#underWay.delete(sending));
    this.#underWay.add(sending);
  }

  async #deliver(shardKey: string | undefined, body: UpsertBody): Promise<void> {
    await this.#before?.(body.ids, shardKey);
    await sendUpsert(this.#server, this.#collection, body, shardKey);
    this.#sent += body.count;
    if (this.#spare.length < this.#server.config.connections) this.#spare.push(body.memory);
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Waits until nothing is under way any more, whatever came of it. */
  async settle(): Promise<void> {
    this.#open.clear();
    await Promise.all(this.#underWay);
  }
}
