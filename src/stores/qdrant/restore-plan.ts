/** What a restore would do with each collection. Nothing is changed to find out. */
import { createHash } from "node:crypto";
import { MemkeepError, isMemkeepError } from "../../domain/errors.ts";
import type { ErrorCode } from "../../domain/errors.ts";
import { dumpFormatVersion } from "../format/layout.ts";
import type { DumpSource, RestoreOptions, RestorePlan, StoreContext } from "../store.ts";
import { fixedPart } from "./schema.ts";
import { fromUrl } from "./config.ts";
import type { QdrantConfig } from "./config.ts";
import { readContents, tooNew } from "./dump-contents.ts";
import type { DumpedCollection } from "./dump-contents.ts";
import { readFacts } from "./load.ts";
import { Server } from "./server.ts";
import { namesOn, scratchMark, unfinished, unitsOf } from "./units.ts";
import type { Names, Unit } from "./units.ts";
import { distanceOf } from "./walk.ts";
import type { Distance } from "./walk.ts";

/**
 * What happens to one collection:
 *
 * - `create`: there is none of its name; a new one is made. Where the application uses an alias, under a name of its own.
 * - `switch`: the application uses an alias; a new collection is made beside, and the alias moved to it.
 * - `difference`: the name is a collection's own, which no other can take; points are inserted, updated and deleted.
 */
export interface Step {
  readonly kind: "create" | "switch" | "difference";
  readonly dumped: DumpedCollection;
  /** The name by which it is reached on the target. */
  readonly address: string;
  readonly now: Unit | undefined;
}

export interface Obstacle {
  readonly code: ErrorCode;
  readonly text: string;
  readonly overridable: boolean;
}

export interface Prepared {
  readonly steps: readonly Step[];
  readonly obstacles: Obstacle[];
  readonly names: Names;
}

/** The configuration of the server that the restore writes to. The key goes to no other server than its own. */
export function targetConfig(config: QdrantConfig, options: RestoreOptions): QdrantConfig {
  if (options.target.kind !== "into") return config;
  const target = fromUrl(options.target.target);
  const isSame = new URL(target.url).origin === new URL(config.url).origin;
  return {
    ...config,
    url: target.url,
    prefix: target.prefix,
    collections: target.collections,
    apiKey: isSame ? config.apiKey : undefined,
  };
}

export async function prepare(
  server: Server,
  source: DumpSource,
  options: RestoreOptions,
): Promise<Prepared> {
  const { dumpVersion } = source.manifest;
  if (dumpVersion > dumpFormatVersion) throw tooNew(dumpVersion, dumpFormatVersion);
  const contents = await readContents(source);
  const names = await namesOn(server);
  const obstacles: Obstacle[] = [];
  if (options.target.kind === "scratch") {
    return {
      steps: contents.map((dumped) => ({ kind: "create", dumped, address: dumped.name, now: undefined })),
      obstacles,
      names,
    };
  }
  const asked = options.target.kind === "into" ? server.config.collections?.[0] : undefined;
  if (asked !== undefined && contents.length !== 1) {
    throw new MemkeepError("CONFIG_INVALID", {
      tried: `restore into the collection ${JSON.stringify(asked)}`,
      happened: `the snapshot has ${contents.length} collections`,
      next: "Leave the collection's name out of the URL; `?prefix=…` gives all of them other names.",
    });
  }
  const steps: Step[] = [];
  for (const dumped of contents) {
    const name = asked ?? dumped.name;
    const { units } = unitsOf({ prefix: server.config.prefix, collections: [name] }, names);
    const now = units[0];
    const address = server.config.prefix + name;
    const kind = now === undefined ? "create" : now.isAlias ? "switch" : "difference";
    const step: Step = { kind, dumped, address, now };
    steps.push(step);
    obstacles.push(...(await obstaclesTo(server, step, names, options)));
  }
  return { steps, obstacles, names };
}

async function obstaclesTo(
  server: Server,
  { kind, dumped, address, now }: Step,
  names: Names,
  { target, mode }: RestoreOptions,
): Promise<Obstacle[]> {
  const obstacles: Obstacle[] = [];
  if (target.kind === "into" && now !== undefined) {
    const text = `${address} exists on ${server.client.source} and is not overwritten: name another place, or another \`?prefix=\``;
    return [{ code: "TARGET_EXISTS", text, overridable: false }];
  }
  if (now === undefined && names.collections.includes(address)) {
    const text = `${address} is what an interrupted restore left: \`memkeep maintain cleanup\` removes it`;
    obstacles.push({ code: "TARGET_EXISTS", text, overridable: false });
  }
  if (now !== undefined && (kind === "difference" || mode === "merge")) {
    const live = await server.schema(now.address, now.aliases, now.isAlias);
    if (fixedPart(live) !== fixedPart(dumped.schema)) {
      const text = `the collection ${address} has other vectors or another sharding than the snapshot's, which cannot be changed: restore into another one with \`--into\`, or let the application use an alias`;
      obstacles.push({ code: "STORE_UNSUPPORTED", text, overridable: false });
    }
  }
  for (const alias of dumped.schema.aliases) {
    const full = server.config.prefix + alias;
    const of = names.aliases.get(full);
    const isTaken = names.collections.includes(full) || (of !== undefined && of !== now?.collection);
    if (isTaken) {
      const text = `the alias ${full} of the snapshot's ${dumped.name} is in use for something else`;
      obstacles.push({ code: "TARGET_EXISTS", text, overridable: false });
    }
  }
  return obstacles;
}

export async function planRestore(
  source: DumpSource,
  options: RestoreOptions,
  config: QdrantConfig,
  context: StoreContext,
): Promise<RestorePlan> {
  using server = new Server(targetConfig(config, options), context);
  const prepared = await prepare(server, source, options).catch((error: unknown) => damagedDump(error));
  const seen = await readTargets(server, prepared, options, source).catch((error: unknown) => {
    prepared.obstacles.push(...damagedDump(error).obstacles);
    return new Map<string, Target>();
  });
  return {
    destination:
      server.client.source + (server.config.prefix ? ` (names begin with ${server.config.prefix})` : ""),
    actions: actionsOf(prepared, options, seen),
    obstacles: prepared.obstacles.map(({ text, overridable }) => ({ text, overridable })),
    changes: prepared.steps.map(({ dumped }) => {
      const recordsThen = source.manifest.collections.find(({ name }) => name === dumped.name)?.records;
      const target = seen.get(dumped.name);
      const isMerged = options.mode === "merge" && target !== undefined;
      return {
        collection: dumped.name,
        recordsNow: target?.records,
        // A merge keeps what the snapshot does not have.
        recordsThen: isMerged ? target.distance && target.records + target.distance.missing : recordsThen,
      };
    }),
    replacesData: [...seen.values()].some(({ records }) => records > 0),
    basis: basisOf(prepared, seen, source, options),
  };
}

/** A dump that cannot be read stands in the way of its restore; the plan says so. */
function damagedDump(error: unknown): Prepared {
  if (!isMemkeepError(error, "DUMP_DAMAGED")) throw error;
  const obstacle: Obstacle = { code: error.code, text: error.message, overridable: false };
  return { steps: [], obstacles: [obstacle], names: { collections: [], aliases: new Map() } };
}

/** What a collection that a restore would touch holds now. */
export interface Target {
  readonly records: number;
  /** Of its records with settled numbers; undefined where it was not read. */
  readonly digest: string | undefined;
  /** From the dump; only of collections that are changed in place, and where it was asked for. */
  readonly distance: Distance | undefined;
}

/**
 * What the targets hold now. The server keeps no mark of the last change, so all of it is read: a plan must notice a
 * change that keeps the counts. With `force` a plan holds whatever is written meanwhile, and only counts are asked.
 * With `source` a collection that is changed in place is held against the dump, record by record.
 */
export async function readTargets(
  server: Server,
  { steps }: Prepared,
  { force, mode }: RestoreOptions,
  source?: DumpSource,
): Promise<Map<string, Target>> {
  const seen = new Map<string, Target>();
  for (const [index, { kind, now, dumped }] of steps.entries()) {
    if (now === undefined) continue;
    const { address } = now;
    const schema = await server.schema(address, now.aliases, now.isAlias);
    if (force) {
      const records = await server.count(address, undefined);
      seen.set(dumped.name, { records, digest: undefined, distance: undefined });
      continue;
    }
    const stem = `${server.context.name}-plan-${index}`;
    const isInPlace = kind === "difference" || mode === "merge";
    const distance =
      source && isInPlace ? await distanceOf({ server, address, schema, source, dumped, stem }) : undefined;
    const live = distance?.live ?? (await readFacts(server, address, schema));
    seen.set(dumped.name, { records: live.count, digest: live.settled, distance });
  }
  return seen;
}

export function basisOf(
  { steps, names }: Prepared,
  seen: ReadonlyMap<string, Target>,
  source: DumpSource,
  { target, mode, force }: RestoreOptions,
): string {
  const places = steps.map(({ kind, address, now, dumped }) => {
    const digest = force ? undefined : seen.get(dumped.name)?.digest;
    return [kind, address, now?.collection ?? null, digest ?? null];
  });
  const files = source.manifest.files.map(({ path, sha256 }) => [path, sha256]);
  const left = [...unfinished(names).keys()].sort();
  return createHash("sha256")
    .update(JSON.stringify([target, mode ?? "replace", places, files, left]))
    .digest("hex");
}

function actionsOf(
  { steps, names }: Prepared,
  { target, mode }: RestoreOptions,
  seen: ReadonlyMap<string, Target>,
): string[] {
  const actions = steps.flatMap(({ kind, dumped: { name, schema }, address, now }) => {
    const distance = seen.get(name)?.distance;
    if (target.kind === "scratch")
      return [`write ${name} to a scratch collection (${scratchMark}…), compare it, drop it`];
    if (mode === "merge" && now !== undefined) {
      const what = distance
        ? `insert ${amount(distance.missing, distance.examples.missing)} into ${address} and update ${amount(distance.other, distance.examples.other)}; ${distance.equal} are the same`
        : `insert into ${address} the points that it lacks and update those that differ`;
      const kept = distance
        ? `nothing is deleted: ${amount(distance.extra, [])} that the snapshot does not have ${distance.extra === 1 ? "stays" : "stay"}`
        : "nothing is deleted";
      return [what, `${kept}; settings, indexes and aliases stay as they are`];
    }
    if (kind === "switch") {
      return [
        `write ${name} to a new collection beside ${now!.collection}, build its indexes, compare it`,
        `move the alias ${address} to it in one step; ${now!.collection} stays for the way back, until you drop it`,
      ];
    }
    if (kind === "difference") {
      return [
        ...(distance
          ? [
              `insert ${amount(distance.missing, distance.examples.missing)} into ${address}, update ${amount(distance.other, distance.examples.other)}, delete ${amount(distance.extra, distance.examples.extra)}; ${distance.equal} are the same`,
            ]
          : []),
        `insert, update and delete points of ${address} until they are those of the snapshot: no alias is in use, and a collection cannot take another's name`,
        `give ${address} the settings, indexes and aliases of the snapshot`,
      ];
    }
    return [
      `create ${address}${schema.isAlias ? " as an alias of a new collection" : ""}, fill it, build its indexes, compare it`,
    ];
  });
  const steady = steps.some(({ now }) => now !== undefined)
    ? [
        "compare all points with the snapshot; when they differ, everything is brought back: stop programs that write",
      ]
    : [];
  const remains = [...unfinished(names).values()].map(
    (collection) =>
      `leave alone ${collection}, which an interrupted restore left (\`memkeep maintain cleanup\` removes it)`,
  );
  return [...actions, ...steady, ...remains];
}

/** `3 points (1, 7, 9)`. */
function amount(count: number, examples: readonly string[]): string {
  const named =
    examples.length === 0 ? "" : ` (${examples.join(", ")}${count > examples.length ? ", …" : ""})`;
  return `${count} ${count === 1 ? "point" : "points"}${named}`;
}
