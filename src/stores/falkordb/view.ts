/**
 * A graph, or several: the living ones, watched while they are read (nobody wrote: then it is one instant), or copies on the
 * server. A copy is made only where it is asked for: GRAPH.COPY (seen in 4.16.3) holds the graph's lock while it waits for the
 * server's, and a query that commits in that moment holds the server's while it waits for the graph's. Both then wait for ever,
 * and the whole server with them.
 */
import { MemkeepError, isMemkeepError } from "../../domain/errors.ts";
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
import { Watch } from "./watch.ts";

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
  if (config.view === "copy" && server.isReplica)
    throw cannotCopy("this server is a replica and takes no writes");
  const places = config.view === "copy" ? await copyGraphs(session, names) : undefined;
  const watch = places ? undefined : await watchGraphs(session, names);
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
    watch,
    version: server.version,
  });
}

/** Undefined where the user may not watch, or the connection broke: then nobody can say that the graph stood still. */
async function watchGraphs(session: Session, names: readonly string[]): Promise<Watch | undefined> {
  try {
    return await Watch.begin(session, names);
  } catch (error) {
    if (isDenied(error) || isMemkeepError(error, "STORE_UNREACHABLE")) return undefined;
    throw error;
  }
}

function cannotCopy(happened: string): MemkeepError {
  return new MemkeepError("STORE_DENIED", {
    tried: "copy the graph on the server",
    happened,
    next: "Allow GRAPH.COPY, PEXPIRE and UNLINK, connect to the primary, or leave out `view: copy`.",
  });
}

/** Copies of all graphs; where the server does not allow them none is left. */
async function copyGraphs(session: Session, names: readonly string[]): Promise<Uint8Array[]> {
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
    if (cannot) throw cannotCopy("it has no memory for that, or the user no right");
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
  readonly watch: Watch | undefined;
  readonly version: string;
}

class FalkorDBView implements View {
  readonly instant: string;
  /** Of a living graph `fuzzy`, until it was read and nobody had written to it since the view was opened. */
  consistency: Consistency;
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
      const facts = await writeDump({ session, rule: config, context, graphs, version, read }, sink);
      await this.#judge();
      return facts;
    } catch (error) {
      throw refused("read the graph", error);
    }
  }

  /** The watch ends with the answer: whether anybody wrote since the view was opened. */
  async #judge(): Promise<void> {
    const { context, copies, watch } = this.#parts;
    if (copies.length > 0) return;
    const stood = await watch?.execute([["PING"]]).catch(() => undefined);
    if (stood) this.consistency = "snapshot";
    else
      context.observer.warn(
        context.name,
        "others wrote while the graph was read, or it could not be watched: the dump holds everything that existed throughout",
      );
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
    const { session, context, copies, watch } = this.#parts;
    await watch?.[Symbol.asyncDispose]();
    for (const copy of copies) {
      await removeScratch(session, copy, (text) => context.observer.warn(context.name, text));
    }
  }
}

/** Several views may share a spool folder. */
let spoolNumber = 0;
