/**
 * Reads all nodes and edges of a graph by ranges of ids, over several connections. Ranges, never SKIP: a graph that
 * changes then shifts nothing. The queries are as plain as can be; FalkorDB's planner is only trusted with those.
 */
import { MemkeepError } from "../../domain/errors.ts";
import { isTooMuch } from "./client.ts";
import type { ServerLimits, Session } from "./client.ts";
import { RowDecoder } from "./decode.ts";
import type { GraphEdge, GraphNode, KeyRule } from "../graph/records.ts";
import type { Value } from "../format/value.ts";
import { exactExpression } from "./exact.ts";
import type { ExactColumn } from "./exact.ts";
import { NameUnknown, readNames } from "./graph-names.ts";
import type { Names } from "./graph-names.ts";
import { quoteName } from "./names.ts";
import { ServerError } from "./resp.ts";
import type { RespReader } from "./resp.ts";

export interface ScanParts {
  readonly session: Session;
  readonly graph: Uint8Array;
  readonly limits: ServerLimits;
  readonly connections: number;
  readonly signal: AbortSignal;
  /** True for a copy that nobody else writes: then any difference in counts is an error. */
  readonly isStill: boolean;
  /** Which properties name a node. */
  readonly rule: KeyRule;
}

/** What the server prints for one page, roughly: enough that asking costs nothing, little enough to hold. */
const pageBytes = 2 * 1024 * 1024;
const firstWidth = 128;
const widestPage = 1_000_000;
const nodesPerPage = 1_500;
const edgesPerPage = 2_000;

interface Range {
  readonly low: number;
  readonly high: number;
}

type EndTest = (id: number, keys: readonly Value[]) => boolean;
type EdgeTaker = (edges: readonly GraphEdge[]) => Promise<void> | undefined;

export class GraphScan {
  readonly #parts: ScanParts;
  readonly #nodeColumns = new Map<string, ExactColumn>();
  readonly #edgeColumns = new Map<string, ExactColumn>();
  #names: Names;
  #isEnd: EndTest | undefined;
  /** Edges that came or went between being counted and being read. */
  moved = 0;

  private constructor(parts: ScanParts, names: Names) {
    this.#parts = parts;
    this.#names = names;
  }

  static async open(parts: ScanParts): Promise<GraphScan> {
    return new GraphScan(parts, await readNames(parts.session, parts.graph));
  }

  get names(): Names {
    return this.#names;
  }

  /** Every node, page by page, in no order. Pages come one at a time for each connection. */
  async nodes(
    onPage: (nodes: readonly GraphNode[]) => Promise<void> | undefined,
    /** A condition on `n`, to read fewer: text of our own, made by `names.ts`. */
    condition?: string,
  ): Promise<void> {
    let width = Math.min(firstWidth, this.#parts.limits.resultRows);
    const more = condition === undefined ? "" : ` AND ${condition}`;
    const query = `MATCH (n) WHERE id(n) >= $a AND id(n) < $b${more} RETURN n`;
    const read = async ({ low, high }: Range): Promise<void> => {
      const page = await unlessTooMuch(() =>
        this.#page("n", query, { a: low, b: high }, (decoder, reader) => decoder.node(reader)),
      );
      if ("tooMuch" in page) {
        if (high - low < 2) throw page.tooMuch;
        for (const half of halves({ low, high })) await read(half);
        return;
      }
      const fits = Math.floor((width * pageBytes) / Math.max(1, page.printedBytes));
      width = Math.max(1, Math.min(fits, width * 2, this.#parts.limits.resultRows, nodesPerPage));
      await onPage(page.rows);
    };
    await this.#eachRange(() => width, read);
  }

  /**
   * Every edge, once, by the id of the node where it begins. In a living graph the id of a node may have gone to another one
   * since the nodes were read: `isEnd` is asked for both ends whether the values that their key properties have now fit,
   * and an edge of which it denies one is left out, as one that came later.
   */
  async edges(onPage: EdgeTaker, isEnd?: EndTest): Promise<void> {
    this.#isEnd = this.#parts.isStill ? undefined : isEnd;
    let width = 1024;
    await this.#eachRange(
      () => width,
      async (range) => {
        const found = await this.#edgesOf(range, onPage);
        if (found < this.#mostEdges / 2) width = Math.min(width * 2, widestPage);
        if (found > this.#mostEdges) width = Math.max(1, Math.floor(width / 2));
      },
    );
  }

  get #mostEdges(): number {
    return Math.min(edgesPerPage, this.#parts.limits.resultRows);
  }

  /** How many there were; infinitely many where the server gave up. */
  async #edgesOf({ low, high }: Range, onPage: EdgeTaker): Promise<number> {
    const page = await this.#edgePage(edgesFrom, { a: low, b: high });
    // Outside of what is tried in halves: a page that was given is not given again.
    if (page.rows) {
      if (page.rows.length > 0) await onPage(page.rows);
      return page.count;
    }
    if (high - low === 1) await this.#edgesOfHub(low, { low: 0, high: (await this.#maxId()) + 1 }, onPage);
    else for (const half of halves({ low, high })) await this.#edgesOf(half, onPage);
    return page.count;
  }

  /** A node with more edges than an answer may have: by ranges of where they end. */
  async #edgesOfHub(source: number, { low, high }: Range, onPage: EdgeTaker): Promise<void> {
    const page = await this.#edgePage(edgesBetween, { a: source, b: low, c: high });
    if (page.rows) {
      if (page.rows.length > 0) await onPage(page.rows);
      return;
    }
    if (high - low <= 1) {
      if (page.tooMuch) throw page.tooMuch;
      throw new MemkeepError("STORE_UNSUPPORTED", {
        tried: "read a graph",
        happened: `two nodes have ${page.count} edges between them, and an answer may have ${this.#mostEdges}`,
        next: "Raise RESULTSET_SIZE on the server.",
      });
    }
    for (const half of halves({ low, high })) await this.#edgesOfHub(source, half, onPage);
  }

  /** No rows where an answer may not have so many, or the server gives up. */
  async #edgePage(
    match: string,
    values: Readonly<Record<string, number>>,
  ): Promise<{ rows?: readonly GraphEdge[]; count: number; tooMuch?: ServerError }> {
    const page = await unlessTooMuch(async () => {
      const count = await this.#countEdges(match, values);
      if (count === 0) return { rows: [], count };
      if (count > this.#mostEdges) return { count };
      return { rows: await this.#edgeRows(match, values), count };
    });
    if ("tooMuch" in page) return { count: Infinity, tooMuch: page.tooMuch };
    if (page.rows && page.rows.length !== page.count) {
      if (this.#parts.isStill) {
        throw new MemkeepError("DUMP_INCOMPLETE", {
          tried: "read the edges of a graph",
          happened: `the server counted ${page.count} and gave ${page.rows.length}`,
        });
      }
      this.moved += Math.abs(page.rows.length - page.count);
    }
    return page;
  }

  async #edgeRows(match: string, values: Readonly<Record<string, number>>): Promise<readonly GraphEdge[]> {
    const { rule } = this.#parts;
    const isEnd = this.#isEnd;
    const properties = isEnd ? [...new Set([rule.key, ...Object.values(rule.keys)])].map(quoteName) : [];
    const columns = ["s", "t"].flatMap((end) => properties.map((property) => `, ${end}.${property}`));
    const decode = (decoder: RowDecoder, reader: RespReader): { edge: GraphEdge; isWhole: boolean } => {
      const edge = decoder.edge(reader);
      const found = columns.map(() => decoder.more(reader));
      const [from, to] = [found.slice(0, properties.length), found.slice(properties.length)];
      return { edge, isWhole: !isEnd || (isEnd(edge.source, from) && isEnd(edge.target, to)) };
    };
    const { rows } = await this.#page("e", `${match} RETURN e`, values, decode, columns.join(""));
    return rows.filter(({ isWhole }) => isWhole).map(({ edge }) => edge);
  }

  #countEdges(match: string, values: Readonly<Record<string, number>>): Promise<number> {
    return this.#parts.session.count(this.#parts.graph, `${parameters(values)}${match} RETURN count(e)`);
  }

  #maxId(): Promise<number> {
    return this.#parts.session.count(this.#parts.graph, "MATCH (n) RETURN max(id(n))");
  }

  /** The rows of one query with all doubles exact: asked again while it holds doubles in new places. */
  async #page<Row>(
    variable: "n" | "e",
    query: string,
    values: Readonly<Record<string, number>>,
    decode: (decoder: RowDecoder, reader: RespReader) => Row,
    /** More columns, which `decode` reads: text of our own. */
    more = "",
  ): Promise<{ rows: readonly Row[]; printedBytes: number }> {
    const known = variable === "n" ? this.#nodeColumns : this.#edgeColumns;
    const { session, graph } = this.#parts;
    for (;;) {
      const columns = [...known.values()];
      const expressions = columns.map(
        (column) => `, ${exactExpression(`${variable}.${quoteName(column.property)}`, column)}`,
      );
      let decoder = new RowDecoder(this.#names, columns);
      try {
        const rows = await session.rows(
          graph,
          `${parameters(values)}${query}${expressions.join("")}${more}`,
          () => {
            decoder = new RowDecoder(this.#names, columns);
            const own = decoder;
            return (reader) => decode(own, reader);
          },
        );
        if (decoder.missing.size === 0) return { rows, printedBytes: decoder.printedBytes };
        for (const [name, column] of decoder.missing) known.set(name, column);
      } catch (error) {
        if (!(error instanceof NameUnknown)) throw error;
        this.#names = await readNames(session, graph);
      }
    }
  }

  /** Calls `read` for ranges that cover all ids. */
  async #eachRange(width: () => number, read: (range: Range) => Promise<void>): Promise<void> {
    const end =
      (await this.#parts.session.count(this.#parts.graph, "MATCH (n) RETURN count(n)")) === 0
        ? 0
        : (await this.#maxId()) + 1;
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < end) {
        this.#parts.signal.throwIfAborted();
        const low = next;
        next = Math.min(end, low + width());
        await read({ low, high: next });
      }
    };
    const workers = Array.from({ length: this.#parts.connections }, worker);
    const outcomes = await Promise.allSettled(workers);
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
  }
}

const edgesFrom = "MATCH (s)-[e]->(t) WHERE id(s) >= $a AND id(s) < $b";
const edgesBetween = "MATCH (s)-[e]->(t) WHERE id(s) = $a AND id(t) >= $b AND id(t) < $c";

function parameters(values: Readonly<Record<string, number>>): string {
  return `CYPHER ${Object.entries(values)
    .map(([name, value]) => `${name}=${value} `)
    .join("")}`;
}

async function unlessTooMuch<Page extends object>(
  ask: () => Promise<Page>,
): Promise<Page | { readonly tooMuch: ServerError }> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ServerError && isTooMuch(error)) return { tooMuch: error };
    throw error;
  }
}

function halves({ low, high }: Range): readonly [Range, Range] {
  const middle = low + Math.floor((high - low) / 2);
  return [
    { low, high: middle },
    { low: middle, high },
  ];
}
