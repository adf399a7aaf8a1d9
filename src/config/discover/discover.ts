/** Looks for everything that could be part of a memory, and puts together what several signs say of one store. */
import type { Environment } from "../environment.ts";
import { findInComposeFiles } from "./compose-files.ts";
import { type EnginePorts, findRunningEngines, usualPorts } from "./engines/running.ts";
import { isListening } from "./engines/greeting.ts";
import { readEnvFile } from "./env-file.ts";
import type { Discovery, Entry, FoundStore } from "./found.ts";
import { findSqliteFiles } from "./sqlite-files.ts";
import { findByVariables } from "./variables.ts";

/**
 * Writes nothing, and reaches no machine but this one. What the variables say comes first, then compose files, running engines
 * and files. Names are different from each other.
 *
 * @param folder a whole path: what lies in it and below.
 * @param skip whole paths of folders in it that are not looked into.
 */
export async function discover(
  folder: string,
  environment: Environment,
  skip: readonly string[] = [],
  ports: EnginePorts = usualPorts,
): Promise<Discovery> {
  const fromFile = await readEnvFile(folder, environment);
  const [inCompose, running, files] = await Promise.all([
    findInComposeFiles(folder, environment),
    findRunningEngines(environment, ports),
    findSqliteFiles(folder, skip),
  ]);
  const set = findByVariables(environment, folder);
  const all = findByVariables({ ...fromFile, ...environment }, folder);
  const unset = all.stores.filter(({ where }) => !set.stores.some((store) => store.where === where));
  const engines = running.filter((each) => typeof each !== "string");
  const together = merged([...set.stores, ...unset.map(inEnvFile), ...inCompose, ...engines, ...files]);
  const stores = await Promise.all(together.map(thatAnswers));
  const remarks = [...all.remarks, ...running.filter((each) => typeof each === "string")];
  if (Object.keys(fromFile).length > 0 && stores.some(({ lacking }) => lacking !== undefined)) {
    remarks.push(
      "Variables that stand in ./.env are not set here. To have them, run `set -a; . ./.env; set +a`, then this command again.",
    );
  }
  return { stores: withNames(stores), storages: set.storages, remarks };
}

/** A server of this machine that is not started is not ready. Others are not asked. */
async function thatAnswers(store: FoundStore): Promise<FoundStore> {
  const port = /^127\.0\.0\.1:(\d+)/.exec(store.address ?? "")?.[1];
  if (port === undefined || store.lacking !== undefined || (await isListening(Number(port)))) return store;
  return { ...store, lacking: `nothing answers on port ${port}; start it first` };
}

function inEnvFile(store: FoundStore): FoundStore {
  return {
    ...store,
    where: `${store.where} in ./.env`,
    lacking: store.lacking ?? "its variables stand in ./.env and are not set here",
  };
}

/** Of two finds of one store the first stays; keys that it only guesses are taken from the second. */
function merged(stores: readonly FoundStore[]): FoundStore[] {
  const kept: FoundStore[] = [];
  for (const store of stores) {
    const index = kept.findIndex(
      ({ kind, address }) => kind === store.kind && address !== undefined && address === store.address,
    );
    if (index < 0) kept.push(store);
    else kept[index] = { ...kept[index]!, entry: better(kept[index]!, store) };
  }
  return kept;
}

function better(first: FoundStore, second: FoundStore): Entry {
  const { graphs } = second.entry;
  if (graphs === undefined || graphs.includes("memories") || !first.guessed.includes("graph"))
    return first.entry;
  const { graph: _guess, ...rest } = first.entry;
  return { ...rest, graphs };
}

function withNames(stores: readonly FoundStore[]): FoundStore[] {
  const taken = new Set<string>();
  return stores.map((store) => {
    let name = store.name;
    for (let number = 2; taken.has(name); number++) name = `${store.name.slice(0, 60)}-${number}`;
    taken.add(name);
    return { ...store, name };
  });
}
