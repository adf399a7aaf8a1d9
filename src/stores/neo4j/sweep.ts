/**
 * Reads all nodes, or all relationships, by ranges of ids. Neo4j has no snapshot to read from, and a scan under writes may
 * skip what was there all the time; looking an id up does not. So whatever was there throughout is read, exactly once.
 */
import type { Record as Row } from "neo4j-driver";
import { instantText } from "./temporal-values.ts";
import { Tagged, setMember } from "../format/value.ts";
import type { Value, ValueMap } from "../format/value.ts";
import type { Client, Parameters } from "./client.ts";
import { isTooMuch } from "./failure.ts";
import { IdSet, pageIds } from "./id-set.ts";

export interface SweepParts {
  readonly client: Client;
  readonly connections: number;
  readonly signal: AbortSignal;
}

interface Read {
  readonly id: number;
  readonly properties: ValueMap;
}

/** What is read: `n` is the node or relationship in `pattern`. */
export interface SweepKind<Record extends Read> {
  readonly pattern: string;
  readonly columns: string;
  /** `broken` takes names of properties that must be asked for by parts. */
  decode(row: Row, broken: string[]): Record;
}

/** Takes a page and says how many bytes it made of it. */
export type TakePage<Record> = (page: readonly Record[]) => Promise<number>;

const firstWidth = 256;
const widest = 5000;
/** What one page may become, roughly: little enough to hold several, enough that asking costs nothing. */
const pageBytes = 1024 * 1024;

type Ids = { readonly low: number; readonly high: number } | { readonly ids: readonly number[] };

export class Sweep<Record extends Read> {
  readonly #parts: SweepParts;
  readonly #kind: SweepKind<Record>;
  readonly #take: TakePage<Record>;
  readonly #seen = new IdSet();
  #width = firstWidth;
  #isDense = true;

  constructor(parts: SweepParts, kind: SweepKind<Record>, take: TakePage<Record>) {
    this.#parts = parts;
    this.#kind = kind;
    this.#take = take;
  }

  /** Everything with an id that was given out before now. */
  async all(): Promise<void> {
    const { client } = this.#parts;
    const { pattern } = this.#kind;
    const most = await client.value<bigint | null>(`MATCH ${pattern} RETURN max(id(n))`);
    if (most === null) return;
    const end = Number(most) + 1;
    // Stores of the block format give relationships ids far apart; then ids are listed first.
    this.#isDense = end < 16 * (await client.count(`MATCH ${pattern} RETURN count(n)`)) + 1_000_000;
    await (this.#isDense ? this.#range(0, end) : this.#list(await this.#unseen()));
  }

  /** Counts again, and reads what came meanwhile. The number of records that did. */
  async again(): Promise<number> {
    const before = this.#seen.size;
    if (!this.#isDense) {
      await this.#list(await this.#unseen());
      return this.#seen.size - before;
    }
    const pages = await this.#parts.client.rows(
      `MATCH ${this.#kind.pattern} RETURN id(n) / $pageIds, count(n)`,
      { pageIds: BigInt(pageIds) },
      (row) => ({ page: Number(row.get(0)), count: Number(row.get(1)) }),
    );
    for (const { page, count } of pages) {
      if (count !== this.#seen.countOf(page)) await this.#range(page * pageIds, (page + 1) * pageIds);
    }
    return this.#seen.size - before;
  }

  async #unseen(): Promise<number[]> {
    const found = await this.#parts.client.rows(`MATCH ${this.#kind.pattern} RETURN id(n)`, {}, (row) =>
      Number(row.get(0)),
    );
    return found.filter((id) => !this.#seen.has(id));
  }

  async #range(low: number, high: number): Promise<void> {
    let next = low;
    await this.#atOnce(() => {
      if (next >= high) return undefined;
      const start = next;
      next = Math.min(high, start + this.#width);
      return { low: start, high: next - 1 };
    });
  }

  async #list(ids: readonly number[]): Promise<void> {
    let next = 0;
    await this.#atOnce(() => {
      if (next >= ids.length) return undefined;
      const start = next;
      next += this.#width;
      return { ids: ids.slice(start, next) };
    });
  }

  async #atOnce(nextIds: () => Ids | undefined): Promise<void> {
    const worker = async (): Promise<void> => {
      for (let ids = nextIds(); ids; ids = nextIds()) {
        this.#parts.signal.throwIfAborted();
        await this.#read(ids);
      }
    };
    const outcomes = await Promise.allSettled(Array.from({ length: this.#parts.connections }, worker));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
  }

  /** One page. What is too much for the server's memory or time is halved. */
  async #read(ids: Ids): Promise<void> {
    let rows: Record[];
    try {
      rows = await this.#ask(ids);
    } catch (error) {
      const halves = isTooMuch(error) ? halved(ids) : undefined;
      if (!halves) throw error;
      this.#width = Math.max(1, Math.floor(this.#width / 2));
      for (const half of halves) await this.#read(half);
      return;
    }
    const fresh = rows.filter(({ id }) => this.#seen.add(id));
    const bytes = await this.#take(fresh);
    const fits = Math.floor((this.#width * pageBytes) / Math.max(1, bytes));
    this.#width = Math.max(1, Math.min(fits, this.#width * 2, widest));
  }

  async #ask(ids: Ids): Promise<Record[]> {
    const { pattern, columns } = this.#kind;
    const [set, parameters]: [string, Parameters] =
      "ids" in ids
        ? ["$ids", { ids: ids.ids.map(BigInt) }]
        : ["range($low, $high)", { low: BigInt(ids.low), high: BigInt(ids.high) }];
    const broken: { readonly record: Record; readonly names: readonly string[] }[] = [];
    const rows = await this.#parts.client.rows(
      `MATCH ${pattern} WHERE id(n) IN ${set} RETURN ${columns}`,
      parameters,
      (row) => {
        const names: string[] = [];
        const record = this.#kind.decode(row, names);
        if (names.length > 0) broken.push({ record, names });
        return record;
      },
    );
    for (const { record, names } of broken) await this.#mend(record, names);
    return rows;
  }

  /** Asks for the parts of dates and times that the driver could not make. */
  async #mend({ id, properties }: Record, names: readonly string[]): Promise<void> {
    const parts = "[x.epochSeconds, x.nanosecond, x.timezone, toString(x)]";
    await this.#parts.client.rows(
      `MATCH ${this.#kind.pattern} WHERE id(n) = $id UNWIND $names AS name WITH name, n[name] AS v ` +
        `RETURN name, v IS :: LIST<ANY>, [x IN CASE WHEN v IS :: LIST<ANY> THEN v ELSE [v] END | ${parts}]`,
      { id: BigInt(id), names },
      (row) => {
        const items = (row.get(2) as (readonly [bigint, bigint, string, string])[]).map(zonedFromParts);
        setMember(properties, row.get(0) as string, row.get(1) === true ? items : items[0]!);
      },
    );
  }
}

function zonedFromParts([seconds, nanos, zone, text]: readonly [bigint, bigint, string, string]): Value {
  const isNamed = /[A-Za-z]{2}/.test(zone);
  return new Tagged("dateTime", isNamed ? instantText(seconds, nanos, zone) : text.replace(/Z$/, "+00:00"));
}

function halved(ids: Ids): readonly Ids[] | undefined {
  if ("ids" in ids) {
    const middle = ids.ids.length >> 1;
    return middle === 0 ? undefined : [{ ids: ids.ids.slice(0, middle) }, { ids: ids.ids.slice(middle) }];
  }
  const middle = ids.low + ((ids.high - ids.low) >> 1);
  if (ids.high === ids.low) return undefined;
  return [
    { low: ids.low, high: middle },
    { low: middle + 1, high: ids.high },
  ];
}
