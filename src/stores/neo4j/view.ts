/** A database as well as it can be seen: Neo4j is read-committed and has no snapshot, so every view is `fuzzy`. */
import type { Consistency } from "../../domain/manifest.ts";
import type { DumpFacts, DumpSink, KeyStream, StoreContext, StoreRecord, View } from "../store.ts";
import type { Client } from "./client.ts";
import type { Neo4jConfig } from "./config.ts";
import { dumpFacts, writeDump } from "./dump.ts";
import { keyStream, recordsOf } from "./keys.ts";
import { findMarker } from "./marker.ts";
import { readGraph } from "./read-graph.ts";
import type { ReadParts } from "./read-graph.ts";
import { readSchema } from "./schema.ts";
import { serverFacts } from "./server.ts";
import type { ServerFacts } from "./server.ts";

export async function openView(client: Client, config: Neo4jConfig, context: StoreContext): Promise<View> {
  const server = await serverFacts(client);
  const instant = new Date(context.clock.now()).toISOString();
  return new Neo4jView(client, config, context, { server, instant });
}

class Neo4jView implements View {
  readonly instant: string;
  readonly consistency: Consistency = "fuzzy";
  readonly #client: Client;
  readonly #config: Neo4jConfig;
  readonly #context: StoreContext;
  readonly #server: ServerFacts;

  constructor(
    client: Client,
    config: Neo4jConfig,
    context: StoreContext,
    { server, instant }: { readonly server: ServerFacts; readonly instant: string },
  ) {
    this.#client = client;
    this.#config = config;
    this.#context = context;
    this.#server = server;
    this.instant = instant;
  }

  async dump(sink: DumpSink): Promise<DumpFacts> {
    const marker = await findMarker(this.#client);
    const { schema, failed } = await readSchema(this.#client);
    const warnings = failed.map(
      (name) => `The index ${JSON.stringify(name)} has failed on the server; it is not part of the snapshot.`,
    );
    if (marker) {
      warnings.push(
        `A restore that began at ${marker.since} was interrupted: this may be neither the old data nor the new.`,
      );
    }
    await using read = await readGraph(readParts(this.#client, this.#config, this.#context, "records"));
    await writeDump(read, { rule: this.#config, schema }, sink);
    return dumpFacts(read, this.#server, warnings);
  }

  async collections(): Promise<readonly { name: string; records: number }[]> {
    await using read = await readGraph(this.#parts());
    return read.facts.map(({ name, records }) => ({ name, records }));
  }

  keys(collection: string): KeyStream {
    return keyStream(collection, () => this.#parts());
  }

  records(collection: string, keys: readonly Uint8Array[]): AsyncIterable<StoreRecord> {
    return recordsOf(collection, keys, this.#parts());
  }

  #parts(): ReadParts {
    return readParts(this.#client, this.#config, this.#context, "facts");
  }

  [Symbol.asyncDispose](): Promise<void> {
    // It holds nothing open between its methods.
    return Promise.resolve();
  }
}

/** Several reads may share a spool folder. */
let spoolNumber = 0;

export function readParts(
  client: Client,
  config: Pick<Neo4jConfig, "key" | "keys" | "connections">,
  context: StoreContext,
  keep: ReadParts["keep"],
): ReadParts {
  let records = 0;
  return {
    client,
    connections: config.connections,
    signal: context.signal,
    rule: { key: config.key, keys: config.keys },
    folder: context.spoolFolder,
    stem: `neo4j-${process.pid}-${spoolNumber++}`,
    keep,
    onProgress: (count) => {
      records += count;
      context.observer.progress(context.name, records, undefined, "records");
    },
  };
}
