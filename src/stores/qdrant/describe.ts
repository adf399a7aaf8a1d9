/** What the store is, for people and for telling one store from another. */
import type { StoreDescription } from "../store.ts";
import { segment } from "./client.ts";
import { isMap } from "./schema.ts";
import { engineName } from "./dump.ts";
import { isRefusal } from "./failure.ts";
import { estimatedPointBytes } from "./schema.ts";
import type { Server } from "./server.ts";
import { presentUnits } from "./units.ts";
import type { Unit } from "./units.ts";

export async function describeServer(server: Server): Promise<StoreDescription> {
  const version = await server.version();
  const units = await presentUnits(server);
  const { prefix, collections } = server.config;
  const peer = await peerOf(server, units[0]);
  let estimatedBytes = 0;
  for (const { address } of units) {
    // A vector's four bytes take three times as much as JSON.
    const pointBytes = estimatedPointBytes(await server.state(address)) / 3;
    estimatedBytes += Math.round(pointBytes * (await server.count(address, undefined)));
  }
  return {
    engine: { name: engineName, version },
    source: server.client.source + (collections ? ` (${collections.join(", ")})` : ""),
    estimatedBytes,
    identity: `qdrant:${peer ?? server.client.source}:${JSON.stringify([prefix, collections?.toSorted() ?? null])}`,
    localPaths: [],
  };
}

/** The number that a server gives itself once and for all; undefined where the key may not see it. */
async function peerOf(server: Server, unit: Unit | undefined): Promise<string | undefined> {
  if (!unit) return undefined;
  try {
    const cluster = await server.ask("GET", `/collections/${segment(unit.address)}/cluster`);
    const peer = isMap(cluster) ? cluster["peer_id"] : undefined;
    return typeof peer === "bigint" ? peer.toString() : undefined;
  } catch (error) {
    if (isRefusal(error, 403)) return undefined;
    throw error;
  }
}
