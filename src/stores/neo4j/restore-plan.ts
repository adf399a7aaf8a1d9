/** What a restore would do, and what stands in its way. Nothing is changed to find out. */
import { createHash } from "node:crypto";
import { compareFacts } from "../../domain/compare-facts.ts";
import { isMemkeepError, reasonOf } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { damaged } from "../format/damaged.ts";
import { contentDigest } from "../format/digest.ts";
import { schemaFile } from "../format/layout.ts";
import { readCollection } from "../format/read-collection.ts";
import { CollectionDigests } from "../graph/collection-digests.ts";
import { edgeMembers, nodeMembers } from "../graph/dumped-records.ts";
import { KeyIndex } from "../graph/key-index.ts";
import { edgeCollection, nodeCollection, nodeReference } from "../graph/records.ts";
import type { KeyRule } from "../graph/records.ts";
import type { DumpSource, RestorePlan } from "../store.ts";
import { lookOnly } from "./become.ts";
import { Client } from "./client.ts";
import { readDump } from "./dump.ts";
import type { DumpedGraph } from "./dump.ts";
import { findMarker } from "./marker.ts";
import { readGraph } from "./read-graph.ts";
import { constraintName, enterpriseConstraints, readSchema } from "./schema.ts";
import type { GraphSchema } from "./schema.ts";
import { isFrom, serverFacts } from "./server.ts";
import type { ServerFacts } from "./server.ts";
import type { Target } from "./target.ts";
import { driverProperties } from "./values.ts";
import { readParts } from "./view.ts";

/** The plan, with what the restore itself needs of it. */
export interface Prepared {
  readonly plan: RestorePlan;
  readonly dump: DumpedGraph;
  /** The dump's indexes and constraints that the target can have. */
  readonly schema: GraphSchema;
  /** Sentences about what it cannot have. */
  readonly leftOut: readonly string[];
}

export async function planRestore(source: DumpSource, target: Target): Promise<RestorePlan> {
  try {
    return (await prepare(source, target)).plan;
  } catch (error) {
    if (!isMemkeepError(error, "DUMP_DAMAGED")) throw error;
    return {
      destination: target.client.where,
      actions: [],
      obstacles: [{ text: reasonOf(error), overridable: false }],
      changes: [],
      replacesData: false,
      basis: "damaged",
    };
  }
}

export async function prepare(source: DumpSource, target: Target): Promise<Prepared> {
  const { client, options } = target;
  const dump = await readDump(source);
  const server = await serverFacts(client);
  const marker = await findMarker(client);
  const facts = await currentFacts(target, dump.rule);
  const { schema: schemaNow } = await readSchema(client);
  const isCommunity = server.edition === "Community";
  const leaveOut = isCommunity ? enterpriseConstraints(dump.schema) : [];
  const leftOut = leaveOut.map(
    (constraint) =>
      `The constraint ${constraintName(constraint)} is left out: Community Edition has none of its kind.`,
  );
  const constraints = dump.schema.constraints.filter((constraint) => !leaveOut.includes(constraint));
  const isScratch = options.target.kind === "scratch";
  const isMerge = options.mode === "merge";
  const holdsData = facts.length > 0 && !(isScratch && marker?.purpose === "scratch");
  const obstacles = [
    ...leftOut.map((text) => ({ text, overridable: true })),
    ...(await standing(target, server, holdsData)),
    ...(dump.holdsVectorType && (isCommunity || !isFrom(server.version, 2025, 10))
      ? [{ text: `${client.where} cannot hold properties of the type VECTOR`, overridable: false }]
      : []),
  ];
  const [nodes, edges] = [dump.nodes.records, dump.edges.records];
  const interrupted =
    marker?.purpose === "restore" ? [`Put right what the restore of ${marker.since} left unfinished.`] : [];
  const verb = !holdsData
    ? `Write ${nodes} nodes and ${edges} relationships into the empty database.`
    : isMerge
      ? `Insert and update ${nodes} nodes and ${edges} relationships where they are missing or differ; delete nothing.`
      : `Change the database into the ${nodes} nodes and ${edges} relationships of the snapshot: insert, update, then delete what it lacks.`;
  const now = new Map(holdsData ? facts.map(({ name, records }) => [name, records]) : []);
  const then =
    isMerge && holdsData
      ? await mergedCounts(now, target, source, dump)
      : new Map(source.manifest.collections.map(({ name, records }) => [name, records]));
  const basis = createHash("sha256").update(
    JSON.stringify([options.target, options.mode, server.databaseId, facts, schemaNow, marker]),
  );
  return {
    dump,
    schema: { ...dump.schema, constraints },
    leftOut,
    plan: {
      destination: isScratch ? `scratch on ${client.where}` : client.where,
      actions: [
        ...interrupted,
        verb,
        ...(isMerge
          ? []
          : [`Leave ${dump.schema.indexes.length} indexes and ${constraints.length} constraints.`]),
        "Read everything back and compare it; bring back what was there when it differs.",
      ],
      obstacles,
      changes: [...new Set([...now.keys(), ...then.keys()])].map((collection) => ({
        collection,
        recordsNow: now.get(collection),
        recordsThen: then.get(collection),
      })),
      replacesData: holdsData && !isScratch,
      basis: basis.digest("hex"),
    },
  };
}

/** Counts after a merge: what is there, and what would be inserted. */
async function mergedCounts(
  now: ReadonlyMap<string, number>,
  target: Target,
  source: DumpSource,
  dump: DumpedGraph,
): Promise<ReadonlyMap<string, number>> {
  const { inserted } = await lookOnly(target, source, dump);
  const then = new Map(now);
  for (const [name, records] of inserted) then.set(name, (then.get(name) ?? 0) + records);
  return then;
}

/** Databases that a restore must not write over. */
async function standing(
  { client, config, context, options }: Target,
  server: ServerFacts,
  holdsData: boolean,
): Promise<RestorePlan["obstacles"]> {
  const { kind } = options.target;
  if (kind === "into" && holdsData && options.mode !== "merge") {
    const text = `${client.where} holds data; a restore into another place needs an empty database (or --mode merge)`;
    return [{ text, overridable: false }];
  }
  if (kind !== "scratch") return [];
  await using own = new Client(config, config, context);
  const { databaseId } = await serverFacts(own);
  if (databaseId !== undefined && databaseId === server.databaseId) {
    return [{ text: "the scratch database is the store itself", overridable: false }];
  }
  return holdsData
    ? [{ text: "the scratch database holds data that is not memkeep's", overridable: false }]
    : [];
}

/** Counts and digests of the target as it is now. */
export async function currentFacts(
  { client, config, context }: Target,
  rule: KeyRule,
): Promise<readonly CollectionFacts[]> {
  const settings = { ...rule, keys: { ...rule.keys }, connections: config.connections };
  await using read = await readGraph(readParts(client, settings, context, "facts"));
  return read.facts;
}

/**
 * Reads all of the dump, before anything is touched: every byte against the manifest's digests, every end of a relationship,
 * every value that Neo4j might not hold. `DUMP_DAMAGED`, `STORE_UNSUPPORTED`.
 */
export async function checkDump(source: DumpSource, { nodes, edges }: DumpedGraph): Promise<void> {
  const digests = new CollectionDigests();
  const index = new KeyIndex();
  let before: Buffer | undefined;
  let ordinal = 0;
  for await (const batch of readCollection(source, nodes)) {
    for (const record of batch) {
      const { labels, properties } = nodeMembers(record, nodes.file);
      ordinal = before?.equals(record.key) === true ? ordinal + 1 : 0;
      before = record.key;
      index.set(nodeReference(record.key, ordinal), 0);
      if (record.line.includes('{"$')) driverProperties(properties);
      const digest = contentDigest(record.line, record.vectors);
      digests.add({ collection: nodeCollection(labels), key: record.key, digest });
    }
  }
  for await (const batch of readCollection(source, edges)) {
    for (const record of batch) {
      const { type, from, to, properties } = edgeMembers(record, edges.file);
      if (index.get(from) === undefined || index.get(to) === undefined) {
        throw damaged(edges.file, "an edge names a node that is not in the dump");
      }
      if (record.line.includes('{"$')) driverProperties(properties);
      const digest = contentDigest(record.line, record.vectors);
      digests.add({ collection: edgeCollection(type), key: record.key, digest });
    }
  }
  const found = compareFacts(source.manifest.collections, digests.all());
  if (found.length > 0) throw damaged(schemaFile, `its records are not those of the manifest: ${found[0]!}`);
}
