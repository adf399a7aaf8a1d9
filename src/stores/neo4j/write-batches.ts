/** Writes nodes and relationships in batches of one shape: bounded by rows and bytes, so that a transaction fits into the server. */
import type { DumpedRecord } from "../format/read-collection.ts";
import type { ValueMap } from "../format/value.ts";
import type { Client } from "./client.ts";
import { MemkeepError } from "../../domain/errors.ts";
import { isTooMuch } from "./failure.ts";
import { quoteLabels, quoteName } from "./names.ts";
import { driverProperties } from "./values.ts";

export const batchRows = 5000;
const batchBytes = 2 * 1024 * 1024;

export interface NewNode {
  readonly labels: readonly string[];
  readonly properties: ValueMap;
}

export interface NewEdge {
  readonly type: string;
  readonly source: number;
  readonly target: number;
  readonly properties: ValueMap;
}

export interface ChangedNode extends NewNode {
  readonly id: number;
}

export interface ChangedEdge {
  readonly id: number;
  readonly properties: ValueMap;
}

/** Collects items by shape and sends a shape when there is enough of it. One batch is under way while the next is collected. */
export class Batches<Item> {
  readonly #send: (items: readonly Item[]) => Promise<void>;
  readonly #open = new Map<string, { readonly items: Item[]; bytes: number }>();
  #held = 0;
  #heldBytes = 0;
  #underWay: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  constructor(send: (items: readonly Item[]) => Promise<void>) {
    this.#send = send;
  }

  /** When a promise comes back, wait for it before the next one. */
  add(shape: string, item: Item, bytes: number): Promise<void> | undefined {
    let batch = this.#open.get(shape);
    if (!batch) {
      batch = { items: [], bytes: 0 };
      this.#open.set(shape, batch);
    }
    batch.items.push(item);
    batch.bytes += bytes;
    this.#held++;
    this.#heldBytes += bytes;
    if (batch.items.length >= batchRows || batch.bytes >= batchBytes) return this.#flush(shape);
    // Many shapes with few records each would pile up.
    if (this.#held >= batchRows * 2 || this.#heldBytes >= batchBytes * 4) return this.drain();
    return undefined;
  }

  /** Sends what is left and waits for it. Rejects with the first failure. */
  async drain(): Promise<void> {
    for (const shape of this.#open.keys()) await this.#flush(shape);
    await this.#underWay;
    if (this.#failure) throw this.#failure.error;
  }

  async #flush(shape: string): Promise<void> {
    const { items, bytes } = this.#open.get(shape)!;
    this.#open.delete(shape);
    this.#held -= items.length;
    this.#heldBytes -= bytes;
    await this.#underWay;
    if (this.#failure) throw this.#failure.error;
    this.#underWay = this.#send(items).catch((error: unknown) => {
      this.#failure ??= { error };
    });
  }
}

/** Bytes of a record on its way to the server, roughly. */
export function sizeOf({ line, vectors }: Pick<DumpedRecord, "line" | "vectors">): number {
  // A float takes nine bytes, whatever it took in the file.
  return vectors.reduce((sum, { vector }) => sum + vector.columns * 9, line.length);
}

/** Makes nodes of one set of labels; their new ids, in order. */
export async function createNodes(client: Client, nodes: readonly NewNode[]): Promise<number[]> {
  const query = `UNWIND $rows AS row CREATE (n${quoteLabels(nodes[0]!.labels)}) SET n = row RETURN collect(id(n))`;
  return sent(nodes, (part) =>
    client.write(query, { rows: part.map(({ properties }) => driverProperties(properties)) }, firstIds),
  );
}

/** Makes relationships of one type; their new ids, in order. Their ends are found by id, without any index. */
export async function createEdges(client: Client, edges: readonly NewEdge[]): Promise<number[]> {
  const query =
    "UNWIND $rows AS row MATCH (s) WHERE id(s) = row[0] MATCH (t) WHERE id(t) = row[1] " +
    `CREATE (s)-[n:${quoteName(edges[0]!.type)}]->(t) SET n = row[2] RETURN collect(id(n))`;
  return sent(edges, (part) =>
    client.write(
      query,
      {
        rows: part.map(({ source, target, properties }) => [
          BigInt(source),
          BigInt(target),
          driverProperties(properties),
        ]),
      },
      firstIds,
    ),
  );
}

function firstIds(row: { get(index: number): unknown }): readonly bigint[] {
  return row.get(0) as readonly bigint[];
}

/** What is too much for the server's memory or time is sent in halves. */
async function sent<Item>(
  items: readonly Item[],
  send: (part: readonly Item[]) => Promise<(readonly bigint[])[]>,
): Promise<number[]> {
  try {
    const [ids = []] = await send(items);
    if (ids.length !== items.length) {
      throw new MemkeepError("STORE_CHANGED", {
        tried: "write to the database",
        happened: `the server made ${ids.length} of ${items.length} records: somebody deletes nodes meanwhile`,
        next: "Stop what writes, and run it again.",
      });
    }
    return ids.map(Number);
  } catch (error) {
    if (!isTooMuch(error) || items.length < 2) throw error;
    const middle = items.length >> 1;
    return [...(await sent(items.slice(0, middle), send)), ...(await sent(items.slice(middle), send))];
  }
}

/** Gives nodes other labels and properties. All of `nodes` are to have the same labels. */
export async function changeNodes(client: Client, nodes: readonly ChangedNode[]): Promise<void> {
  const ids = nodes.map(({ id }) => BigInt(id));
  const had = await client.rows(
    "MATCH (n) WHERE id(n) IN $ids RETURN id(n), labels(n)",
    { ids },
    (row) => [Number(row.get(0)), row.get(1) as string[]] as const,
  );
  const labels = nodes[0]!.labels;
  const groups = new Map<string, { readonly superfluous: readonly string[]; readonly ids: Set<number> }>();
  for (const [id, old] of had) {
    const superfluous = old.filter((label) => !labels.includes(label)).sort();
    const name = JSON.stringify(superfluous);
    const group = groups.get(name) ?? { superfluous, ids: new Set<number>() };
    groups.set(name, group);
    group.ids.add(id);
  }
  for (const { superfluous, ids: own } of groups.values()) {
    const removal = superfluous.length === 0 ? "" : ` REMOVE n${quoteLabels(superfluous)}`;
    const addition = labels.length === 0 ? "" : ` SET n${quoteLabels(labels)}`;
    const rows = nodes
      .filter(({ id }) => own.has(id))
      .map(({ id, properties }) => [BigInt(id), driverProperties(properties)]);
    const query = `UNWIND $rows AS row MATCH (n) WHERE id(n) = row[0] SET n = row[1]${removal}${addition}`;
    await client.command(query, { rows });
  }
}

export async function changeEdges(client: Client, edges: readonly ChangedEdge[]): Promise<void> {
  await client.command("UNWIND $rows AS row MATCH ()-[n]->() WHERE id(n) = row[0] SET n = row[1]", {
    rows: edges.map(({ id, properties }) => [BigInt(id), driverProperties(properties)]),
  });
}

export async function deleteNodes(client: Client, ids: readonly number[]): Promise<void> {
  await inParts(ids, (part) =>
    client.command("MATCH (n) WHERE id(n) IN $ids DETACH DELETE n", { ids: part }),
  );
}

export async function deleteEdges(client: Client, ids: readonly number[]): Promise<void> {
  await inParts(ids, (part) =>
    client.command("MATCH ()-[n]->() WHERE id(n) IN $ids DELETE n", { ids: part }),
  );
}

async function inParts(
  ids: readonly number[],
  send: (part: readonly bigint[]) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < ids.length; at += 1000) await send(ids.slice(at, at + 1000).map(BigInt));
}
