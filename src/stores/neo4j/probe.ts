/** Measurements of a Neo4j store. One that fails is `unknown`; a server that does not answer is `critical`. */
import { isMemkeepError, reasonOf } from "../../domain/errors.ts";
import type { Probe } from "../store.ts";
import type { Client } from "./client.ts";
import { countMarkers, findMarker } from "./marker.ts";

export async function probeStore(client: Client): Promise<readonly Probe[]> {
  return [
    await measure("database", () => probeDatabase(client)),
    await measure("indexes", () => probeIndexes(client)),
    await measure("restore", () => probeMarker(client)),
  ];
}

async function measure(name: string, ask: () => Promise<Omit<Probe, "name">>): Promise<Probe> {
  try {
    return { name, ...(await ask()) };
  } catch (error) {
    const isGone = isMemkeepError(error, "STORE_UNREACHABLE", "STORE_DENIED", "STORE_MISSING");
    return { name, status: isGone ? "critical" : "unknown", text: reasonOf(error) };
  }
}

async function probeDatabase(client: Client): Promise<Omit<Probe, "name">> {
  const nodes = (await client.count("MATCH (n) RETURN count(n)")) - (await client.count(countMarkers));
  const value = { amount: nodes, unit: "nodes" };
  if (nodes > 0) return { status: "ok", text: `it has ${nodes} nodes`, value };
  return {
    status: "warning",
    text: "it is empty; if it should not be, `memkeep restore latest` brings it back",
    value,
  };
}

async function probeIndexes(client: Client): Promise<Omit<Probe, "name">> {
  const states = await client.rows("SHOW INDEXES YIELD name, state RETURN name, state", {}, (row) => ({
    name: row.get(0) as string,
    state: row.get(1) as string,
  }));
  const value = { amount: states.length, unit: "indexes" };
  const failed = states.filter(({ state }) => state === "FAILED").map(({ name }) => JSON.stringify(name));
  if (failed.length > 0) {
    const text = `failed: ${failed.join(", ")}; \`SHOW INDEXES YIELD name, failureMessage\` says why, then drop and create them anew`;
    return { status: "critical", text, value };
  }
  const building = states.filter(({ state }) => state !== "ONLINE").length;
  if (building > 0) return { status: "warning", text: `${building} are still being built`, value };
  return { status: "ok", text: "all work", value };
}

async function probeMarker(client: Client): Promise<Omit<Probe, "name">> {
  const marker = await findMarker(client);
  if (!marker) return { status: "ok", text: "none was interrupted" };
  if (marker.purpose === "scratch") {
    return {
      status: "warning",
      text: `a drill that began at ${marker.since} left its data here; the next one removes it`,
    };
  }
  return {
    status: "critical",
    text: `one that began at ${marker.since} was interrupted: run it again, or restore the safety snapshot that it made`,
  };
}
