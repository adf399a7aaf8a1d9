/** Which collections belong to the store, under which names, and which names are memkeep's own marks. */
import { MemkeepError } from "../../domain/errors.ts";
import { compareUtf8 } from "../format/value.ts";
import { segment } from "./client.ts";
import type { QdrantConfig } from "./config.ts";
import type { Server } from "./server.ts";

/**
 * Collections of this name are scratch: only memkeep makes them, for drills, and drops them. Nothing else is ever dropped,
 * except a collection that carries a `restoringMark`.
 */
export const scratchMark = "memkeep-scratch-";

/**
 * An alias of this name says that the collection behind it is being filled by a restore. It is taken away in the same
 * atomic step that puts the collection into use, so that a killed restore is found by it.
 */
export const restoringMark = "memkeep-restoring-";

/**
 * An alias of this name says that the points of a collection in use are being changed in place. It goes when the change
 * is kept or undone: where it stays, a restore was killed half-way, and the collection holds a mixture.
 */
export const changingMark = "memkeep-changing-";

/** One collection of the store. */
export interface Unit {
  /** In dumps, manifests and messages: as configured, without the prefix. */
  readonly name: string;
  /** For requests: a collection's own name or an alias. */
  readonly address: string;
  readonly isAlias: boolean;
  /** The collection's own name. */
  readonly collection: string;
  /** Its other aliases, without the prefix. */
  readonly aliases: readonly string[];
  /** A restore in place was cut, or is under way. */
  readonly isMixed: boolean;
}

export interface Names {
  readonly collections: readonly string[];
  readonly aliases: ReadonlyMap<string, string>;
}

export async function namesOn(server: Server): Promise<Names> {
  return { collections: await server.collectionNames(), aliases: await server.aliases() };
}

/** Collections that a restore left unfinished. */
export function unfinished({ aliases }: Names): ReadonlyMap<string, string> {
  return new Map([...aliases].filter(([alias]) => alias.startsWith(restoringMark)));
}

/** Collections whose points a restore in place has changed and neither kept nor undone. */
export function mixed({ aliases }: Names): ReadonlyMap<string, string> {
  return new Map([...aliases].filter(([alias]) => alias.startsWith(changingMark)));
}

/** The units that are there; names that the configuration asks for and that are not are given apart. */
export function unitsOf(
  { prefix, collections: wanted }: Pick<QdrantConfig, "prefix" | "collections">,
  names: Names,
): { units: Unit[]; missing: string[] } {
  const half = new Set(unfinished(names).values());
  const mixtures = new Set(mixed(names).values());
  const own = names.collections.filter(
    (name) => name.startsWith(prefix) && !name.startsWith(scratchMark) && !half.has(name),
  );
  const chosen = wanted?.toSorted(compareUtf8) ?? own.map((name) => name.slice(prefix.length));
  const units: Unit[] = [];
  const missing: string[] = [];
  for (const name of new Set(chosen)) {
    const address = prefix + name;
    const aliased = names.aliases.get(address);
    const collection = aliased ?? (names.collections.includes(address) ? address : undefined);
    if (collection === undefined || half.has(collection)) missing.push(name);
    else {
      units.push({
        name,
        address,
        isAlias: aliased !== undefined,
        collection,
        aliases: aliasesOf(collection, address, prefix, names),
        isMixed: mixtures.has(collection),
      });
    }
  }
  return { units, missing };
}

function aliasesOf(collection: string, address: string, prefix: string, { aliases }: Names): string[] {
  return [...aliases]
    .filter(([alias, of]) => of === collection && alias !== address && alias.startsWith(prefix))
    .map(([alias]) => alias)
    .filter((alias) => !alias.startsWith(restoringMark) && !alias.startsWith(changingMark))
    .map((alias) => alias.slice(prefix.length))
    .sort(compareUtf8);
}

/** The unit of this name, whatever else is missing. `STORE_MISSING` when it is not there. */
export async function unitNamed(server: Server, name: string): Promise<Unit> {
  const { collections } = server.config;
  const isOwn = collections === undefined || collections.includes(name);
  const { units } = unitsOf({ ...server.config, collections: [name] }, await namesOn(server));
  if (units[0] && isOwn) return units[0];
  throw new MemkeepError("STORE_MISSING", {
    tried: `find the collection ${JSON.stringify(server.config.prefix + name)} of ${server.client.source}`,
    happened: isOwn ? "there is none" : "it does not belong to this store (`collections`)",
  });
}

/** All units, or `STORE_MISSING`, `STORE_EMPTY`. */
export async function presentUnits(server: Server): Promise<Unit[]> {
  const { units, missing } = unitsOf(server.config, await namesOn(server));
  if (missing.length > 0) {
    throw new MemkeepError("STORE_MISSING", {
      tried: `find the collections of ${server.client.source}`,
      happened: `there is no collection or alias ${missing.map((name) => JSON.stringify(server.config.prefix + name)).join(", ")}`,
      next: "Check `collections` in the configuration. `memkeep restore` brings a lost one back.",
      details: { missing },
    });
  }
  if (units.length === 0 && !server.config.allowEmpty) {
    throw new MemkeepError("STORE_EMPTY", {
      tried: `find the collections of ${server.client.source}`,
      happened: "there is none, which is what a wrong address or a lost disk looks like",
      next: "Check the address. If the server is meant to be empty, set `allowEmpty: true`.",
    });
  }
  return units;
}

/** Drops a collection that carries one of memkeep's marks; any other is left alone. One that is gone is fine. */
export async function dropMarked(
  server: Server,
  collection: string,
  mark: string | undefined,
): Promise<void> {
  const isMarked =
    collection.startsWith(scratchMark) ||
    (mark !== undefined &&
      mark.startsWith(restoringMark) &&
      (await server.aliases()).get(mark) === collection);
  if (!isMarked) return;
  // The server forgets a dropped collection's aliases itself.
  await server.ask("DELETE", `/collections/${segment(collection)}`);
}
