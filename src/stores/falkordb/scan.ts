/**
 * Reads all nodes and edges of a graph by ranges of ids, over several connections. Ranges, never SKIP: a graph that
 * changes then shifts nothing. The queries are as plain as can be; FalkorDB's planner is only trusted with those.
 */
import { MemkeepError } from "../../domain/errors.ts";
import type { ServerLimits, Session } from "./client.ts";
import { RowDecoder } from "./decode.ts";
import type { GraphEdge, GraphNode } from "../graph/records.ts";
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
}

/** What the server prints for one page, roughly: enough that asking costs nothing, little enough to hold. */
const pageBytes = 2 * 1024 * 1024;
const firstWidth = 128;
const widestPage = 1_000_000;
const edgesPerPage = 20_000;

interface Range {
  readonly low: number;
  readonly high: number;
}

export class GraphScan {
  readonly #parts: ScanParts;
  readonly #nodeColumns = new Map<string, ExactColumn>();
  readonly #edgeColumns = new Map<string, ExactColumn>();
  #names: Names;
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
    await this.#eachRange(
      () => width,
      async ({ low, high }) => {
        const more = condition === undefined ? "" : ` AND ${condition}`;
        const query = `MATCH (n) WHERE id(n) >= $a AND id(n) < $b${more} RETURN n`;
        const page = await this.#page("n", query, { a: low, b: high }, (decoder, reader) =>
          decoder.node(reader),
        );
        const fits = Math.floor((width * pageBytes) / Math.max(1, page.printedBytes));
        width = Math.max(1, Math.min(fits, width * 2, this.#parts.limits.resultRows, widestPage));
        await onPage(page.rows);
      },
    );
  }

  /** Every edge, by the id of the node where it begins. */
  async edges(onPage: (edges: readonly GraphEdge[]) => Promise<void> | undefined): Promise<void> {
    let width = 1024;
    const most = Math.min(edgesPerPage, this.#parts.limits.resultRows);
    await this.#eachRange(
      () => width,
      async (range) => {
        const found = await this.#countEdges(edgesFrom, { a: range.low, b: range.high });
        if (found < most / 2) width = Math.min(width * 2, widestPage);
        await this.#edgesOf(range, found, most, onPage);
        if (found > most) width = Math.max(1, Math.floor(width / 2));
      },
    );
  }

  async #edgesOf(
    { low, high }: Range,
    count: number,
    most: number,
    onPage: (edges: readonly GraphEdge[]) => Promise<void> | undefined,
  ): Promise<void> {
    if (count === 0) return;
    if (count <= most) return this.#edgePage(edgesFrom, { a: low, b: high }, count, onPage);
    if (high - low === 1)
      return this.#edgesOfHub(low, { low: 0, high: (await this.#maxId()) + 1 }, most, onPage);
    const middle = low + Math.floor((high - low) / 2);
    for (const half of [
      { low, high: middle },
      { low: middle, high },
    ]) {
      const halfCount = await this.#countEdges(edgesFrom, { a: half.low, b: half.high });
      await this.#edgesOf(half, halfCount, most, onPage);
    }
  }

  /** A node with more edges than an answer may have: by ranges of where they end. */
  async #edgesOfHub(
    source: number,
    { low, high }: Range,
    most: number,
    onPage: (edges: readonly GraphEdge[]) => Promise<void> | undefined,
  ): Promise<void> {
    const values = { a: source, b: low, c: high };
    const count = await this.#countEdges(edgesBetween, values);
    if (count === 0) return;
    if (count <= most) return this.#edgePage(edgesBetween, values, count, onPage);
    if (high - low <= 1) {
      throw new MemkeepError("STORE_UNSUPPORTED", {
        tried: "read a graph",
        happened: `two nodes have ${count} edges between them, and an answer may have ${most}`,
        next: "Raise RESULTSET_SIZE on the server.",
      });
    }
    const middle = low + Math.floor((high - low) / 2);
    await this.#edgesOfHub(source, { low, high: middle }, most, onPage);
    await this.#edgesOfHub(source, { low: middle, high }, most, onPage);
  }

  async #edgePage(
    match: string,
    values: Readonly<Record<string, number>>,
    count: number,
    onPage: (edges: readonly GraphEdge[]) => Promise<void> | undefined,
  ): Promise<void> {
    const { rows } = await this.#page("e", `${match} RETURN e`, values, (decoder, reader) =>
      decoder.edge(reader),
    );
    if (rows.length !== count) {
      if (this.#parts.isStill) {
        throw new MemkeepError("DUMP_INCOMPLETE", {
          tried: "read the edges of a graph",
          happened: `the server counted ${count} and gave ${rows.length}`,
        });
      }
      this.moved += Math.abs(rows.length - count);
    }
    await onPage(rows);
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
        const rows = await session.rows(graph, `${parameters(values)}${query}${expressions.join("")}`, () => {
          decoder = new RowDecoder(this.#names, columns);
          const own = decoder;
          return (reader) => decode(own, reader);
        });
        if (decoder.missing.size === 0) return { rows, printedBytes: decoder.printedBytes };
        for (const [name, column] of decoder.missing) known.set(name, column);
      } catch (error) {
        if (!(error instanceof NameUnknown)) throw error;
        this.#names = await readNames(session, graph);
      }
    }
  }

  /** Calls `read` for ranges that cover all ids. A range that the server gives up on is halved. */
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
        await this.#readOrHalve({ low, high: next }, read);
      }
    };
    const workers = Array.from({ length: this.#parts.connections }, worker);
    const outcomes = await Promise.allSettled(workers);
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
  }

  async #readOrHalve({ low, high }: Range, read: (range: Range) => Promise<void>): Promise<void> {
    try {
      await read({ low, high });
    } catch (error) {
      if (!isTooMuch(error) || high - low < 2) throw error;
      const middle = low + Math.floor((high - low) / 2);
      await this.#readOrHalve({ low, high: middle }, read);
      await this.#readOrHalve({ low: middle, high }, read);
    }
  }
}

const edgesFrom = "MATCH (s)-[e]->() WHERE id(s) >= $a AND id(s) < $b";
const edgesBetween = "MATCH (s)-[e]->(t) WHERE id(s) = $a AND id(t) >= $b AND id(t) < $c";

function parameters(values: Readonly<Record<string, number>>): string {
  return `CYPHER ${Object.entries(values)
    .map(([name, value]) => `${name}=${value} `)
    .join("")}`;
}

/** `TIMEOUT` and `QUERY_MEM_CAPACITY` end a query with an error. */
function isTooMuch(error: unknown): boolean {
  return error instanceof ServerError && /timed out|mem consumption/i.test(error.message);
}
