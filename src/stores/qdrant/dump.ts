/** Writes the dump files of a store: `c1.jsonl`, `c1.v1.npy`, … for each collection, and `schema.json`. */
import { MemkeepError } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { schemaFile, writeLayout, dumpFormatVersion } from "../format/layout.ts";
import type { CollectionFiles } from "../format/layout.ts";
import { RecordSorter } from "../format/sort.ts";
import { setMember } from "../format/value.ts";
import type { ValueMap } from "../format/value.ts";
import { writeCollection } from "../format/write-collection.ts";
import type { DumpFacts, DumpSink } from "../store.ts";
import { schemaMember, schemaValue } from "./schema.ts";
import type { CollectionSchema } from "./schema.ts";
import { Infinite } from "./infinite.ts";
import { recordOf } from "./page.ts";
import { shardsOf } from "./read-points.ts";
import { readSteadily } from "./recheck.ts";
import type { Server } from "./server.ts";
import type { Unit } from "./units.ts";

export const engineName = "Qdrant";
/** Held twice while a run is written, beside several pages of JSON and what the collector has not got to yet (law 11). */
const sortBytes = 12 * 1024 * 1024;

interface DumpedCollection {
  readonly files: CollectionFiles;
  readonly facts: CollectionFacts;
  readonly schema: CollectionSchema;
  readonly moved: number;
  readonly infinite: Infinite;
  /** Points under each shard key; under `""` where there are none. */
  readonly shards: Readonly<Record<string, number>>;
}

export async function dumpUnits(
  server: Server,
  units: readonly Unit[],
  version: string,
  sink: DumpSink,
): Promise<DumpFacts> {
  const dumped: DumpedCollection[] = [];
  for (const [index, unit] of units.entries()) {
    dumped.push(await dumpUnit(server, unit, `c${index + 1}`, sink));
  }
  const schema: ValueMap = {};
  for (const { files, schema: of } of dumped) setMember(schema, files.name, schemaValue(of));
  const layout = writeLayout({
    store: "qdrant",
    collections: dumped.map(({ files }) => files),
    schema: schemaMember(schema),
  });
  await sink.file(schemaFile, "document", once(layout));
  return {
    engine: { name: engineName, version },
    dumpVersion: dumpFormatVersion,
    view: { moved: dumped.reduce((sum, { moved }) => sum + moved, 0) },
    collections: dumped.map(({ facts }) => facts),
    settings: { shards: Object.fromEntries(dumped.map(({ facts, shards }) => [facts.name, shards])) },
    omitted: [...alwaysOmitted, ...dumped.flatMap(({ facts, infinite }) => infinite.omitted(facts.name))],
    warnings: units
      .filter(({ isMixed }) => isMixed)
      .map(
        ({ name }) =>
          `${name} may hold a mixture: a restore in place was interrupted, or is under way. Run that restore again.`,
      ),
  };
}

const alwaysOmitted = [
  {
    what: "the last bit of payload numbers below 1e-6 that have 16 or 17 digits",
    why: "the server's own storage rounds them whenever it reads them (readme.md, Numbers)",
  },
  { what: "versions of points", why: "the REST interface does not give them; a restored point begins anew" },
  {
    what: "the order of members in payloads",
    why: "dumps sort them by name, so that equal payloads give equal bytes",
  },
  { what: "HNSW graphs and quantised vectors", why: "the server builds them again from the vectors" },
  {
    what: "snapshots, API keys and server settings",
    why: "they belong to the server, not to its collections",
  },
];

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function dumpUnit(server: Server, unit: Unit, stem: string, sink: DumpSink): Promise<DumpedCollection> {
  const { observer, name: scope, spoolFolder } = server.context;
  observer.step(scope, `reading ${unit.name}`);
  await server.waitUntil(unit.address, "undeferred");
  const schema = await server.schema(unit.address, unit.aliases, unit.isAlias);
  await using sorter = new RecordSorter({
    folder: spoolFolder,
    stem: `${scope}-${stem}`,
    memoryBytes: sortBytes,
  });
  const infinite = new Infinite();
  const shards: Record<string, number> = {};
  let moved = 0;
  for (const [index, shard] of shardsOf(unit.address, schema).entries()) {
    const outcome = await readSteadily(server, shard, `${scope}-${stem}-${index}`, async (points) => {
      infinite.note(points);
      for (const point of points) {
        const wait = sorter.add({ key: Buffer.from(point.key), ...recordOf(point) });
        if (wait) await wait;
      }
      observer.progress(scope, sorter.count, undefined, "records");
    });
    moved += outcome.moved;
    shards[shard.reading.shardKey ?? ""] = outcome.taken;
  }
  if (!server.config.acceptInfinite) infinite.refuse(unit.name);
  if (schemaChanged(schema, await server.schema(unit.address, unit.aliases, unit.isAlias))) {
    throw new MemkeepError("STORE_CHANGED", {
      tried: `dump ${unit.name}`,
      happened: "its settings, indexes or shard keys were changed while it was read",
      next: "Run the backup again.",
    });
  }
  const files = await writeCollection(sink, sorter, unit.name, stem);
  return { files, facts: sorter.facts(unit.name), schema, moved, infinite, shards };
}

function schemaChanged(before: CollectionSchema, after: CollectionSchema): boolean {
  const text = (schema: CollectionSchema): string => JSON.stringify(schemaMember(schemaValue(schema)));
  return text(before) !== text(after);
}
