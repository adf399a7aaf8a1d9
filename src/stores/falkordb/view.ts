/** A graph, or several, seen at one instant: copies on the server where that is allowed, otherwise the living graphs. */
import { MemkeepError } from "../../domain/errors.ts";
import type { Consistency } from "../../domain/manifest.ts";
import type { DumpFacts, DumpSink, KeyStream, StoreContext, StoreRecord, View } from "../store.ts";
import { isDenied, refused } from "./client.ts";
import type { ServerLimits, Session } from "./client.ts";
import { graphNames } from "./config.ts";
import type { FalkorDBConfig } from "./config.ts";
import { writeDump } from "./dump.ts";
import type { SeenGraph } from "./dump.ts";
import { keyStream, recordsOf } from "./keys.ts";
import { readGraph } from "./read-graph.ts";
import type { GraphRead, ReadParts } from "./read-graph.ts";
import { requireGraph } from "./require-graph.ts";
import { ServerError } from "./resp.ts";
import { awaitSettled } from "./schema.ts";
import { banScratch, endForgotten, keepAlive, keepingAlive, removeScratch, scratchName } from "./scratch.ts";
import { serverFacts } from "./server.ts";

/** How often a living graph is read anew because it changed meanwhile. */
const maxRereads = 3;

export async function openView(
  session: Session,
  config: FalkorDBConfig,
  context: StoreContext,
): Promise<View> {
  const limits = await session.limits();
  const server = await serverFacts(session);
  const names = graphNames(config);
  for (const name of names) {
    await requireGraph(session, name, config);
    await awaitSettled(session, Buffer.from(name), context);
  }
  const instant = new Date(context.clock.now()).toISOString();
  const places =
    config.view === "live" || server.isReplica ? undefined : await copyGraphs(session, names, config);
  if (!places && config.view === "copy") {
    throw new MemkeepError("STORE_DENIED", {
      tried: "copy the graph on the server",
      happened: server.isReplica
        ? "this server is a replica and takes no writes"
        : "it has no memory for that, or the user no right",
      next: "Allow GRAPH.COPY, PEXPIRE and UNLINK, connect to the primary, or set `view: auto`.",
    });
  }
  if (!places)
    context.observer.warn(
      context.name,
      "no copy could be made on the server: the graph is read while others may write",
    );
  const graphs = names.map((name, index) => ({
    name,
    prefix: names.length > 1 ? name : "",
    place: places?.[index] ?? Buffer.from(name),
    stem: names.length > 1 ? `g${index + 1}.` : "",
  }));
  return new FalkorDBView({
    session,
    config,
    context,
    limits,
    graphs,
    instant,
    copies: places ?? [],
    version: server.version,
  });
}

/** Copies of all graphs, or undefined where the server does not allow them; then none is left. */
async function copyGraphs(
  session: Session,
  names: readonly string[],
  config: FalkorDBConfig,
): Promise<Uint8Array[] | undefined> {
  const copies: Uint8Array[] = [];
  try {
    await endForgotten(session);
    for (const name of names) {
      const copy = scratchName();
      // Asked first, while there is nothing: a user who may copy but not remove would leave every copy behind.
      await session.command("PEXPIRE", copy, "1");
      await session.command("UNLINK", copy);
      copies.push(copy);
      await session.command("GRAPH.COPY", name, copy);
      await keepAlive(session, copy);
    }
    return copies;
  } catch (error) {
    for (const copy of copies) await banScratch(session, copy);
    const cannot =
      isDenied(error) || (error instanceof ServerError && /^(OOM|MISCONF)|copy/i.test(error.message));
    if (cannot && config.view === "auto") return undefined;
    throw refused("copy the graph on the server", error);
  }
}

interface ViewParts {
  readonly session: Session;
  readonly config: FalkorDBConfig;
  readonly context: StoreContext;
  readonly limits: ServerLimits;
  readonly graphs: readonly SeenGraph[];
  readonly instant: string;
  readonly copies: readonly Uint8Array[];
  readonly version: string;
}

class FalkorDBView implements View {
  readonly instant: string;
  readonly consistency: Consistency;
  readonly #parts: ViewParts;
  readonly #beat: Disposable;

  constructor(parts: ViewParts) {
    this.#parts = parts;
    this.instant = parts.instant;
    this.consistency = parts.copies.length > 0 ? "snapshot" : "fuzzy";
    this.#beat = keepingAlive(parts.session, parts.copies);
  }

  async dump(sink: DumpSink): Promise<DumpFacts> {
    const { session, config, context, graphs, version } = this.#parts;
    const read = (graph: SeenGraph): Promise<GraphRead> => this.#read(graph, "records");
    try {
      return await writeDump({ session, rule: config, context, graphs, version, read }, sink);
    } catch (error) {
      throw refused("read the graph", error);
    }
  }

  async collections(): Promise<readonly { name: string; records: number }[]> {
    const found: { name: string; records: number }[] = [];
    for (const graph of this.#parts.graphs) {
      await using read = await this.#read(graph, "facts");
      found.push(...read.facts.map(({ name, records }) => ({ name: graph.prefix + name, records })));
    }
    return found;
  }

  keys(collection: string): KeyStream {
    return keyStream(collection, this.#parts.graphs, (graph) => this.#readParts(graph, "facts"));
  }

  records(collection: string, keys: readonly Uint8Array[]): AsyncIterable<StoreRecord> {
    return recordsOf(collection, keys, this.#parts.graphs, (graph) => this.#readParts(graph, "facts"));
  }

  /** A copy is read once. A living graph is read again while its counts do not hold, and then taken as it is. */
  async #read(graph: SeenGraph, keep: ReadParts["keep"]): Promise<GraphRead> {
    for (let attempt = 1; ; attempt++) {
      const read = await readGraph(this.#readParts(graph, keep));
      if (read.moved === 0 || attempt > maxRereads) return read;
      await read[Symbol.asyncDispose]();
    }
  }

  #readParts(graph: SeenGraph, keep: ReadParts["keep"]): ReadParts {
    const { session, config, context, limits, copies } = this.#parts;
    let records = 0;
    return {
      session,
      graph: graph.place,
      limits,
      connections: config.connections,
      signal: context.signal,
      isStill: copies.length > 0,
      rule: config,
      folder: context.spoolFolder,
      stem: `falkordb-${process.pid}-${spoolNumber++}`,
      keep,
      onProgress: (count) => {
        records += count;
        context.observer.progress(context.name, records, undefined, "records");
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#beat[Symbol.dispose]();
    const { session, context, copies } = this.#parts;
    for (const copy of copies) {
      await removeScratch(session, copy, (text) => context.observer.warn(context.name, text));
    }
  }
}

/** Several views may share a spool folder. */
let spoolNumber = 0;
