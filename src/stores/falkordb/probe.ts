/** Health of a FalkorDB store. Each measurement that fails is `unknown`; a graph that is gone is `critical`. */
import { isMemkeepError, reasonOf } from "../../domain/errors.ts";
import type { Probe } from "../store.ts";
import type { Session } from "./client.ts";
import { graphNames } from "./config.ts";
import type { FalkorDBConfig } from "./config.ts";
import { ServerError } from "./resp.ts";

export async function probeStore(session: Session, config: FalkorDBConfig): Promise<readonly Probe[]> {
  const probes: Probe[] = [];
  for (const name of graphNames(config)) {
    probes.push(await measure(`graph ${name}`, () => probeGraph(session, name)));
  }
  probes.push(await measure("memory", () => probeMemory(session)));
  probes.push(await measure("persistence", () => probePersistence(session)));
  return probes;
}

async function measure(name: string, ask: () => Promise<Omit<Probe, "name">>): Promise<Probe> {
  try {
    return { name, ...(await ask()) };
  } catch (error) {
    const isGone = isMemkeepError(error, "STORE_UNREACHABLE", "STORE_DENIED");
    const words = error instanceof ServerError ? "the server refused to tell" : reasonOf(error);
    return { name, status: isGone ? "critical" : "unknown", text: words };
  }
}

async function probeGraph(session: Session, name: string): Promise<Omit<Probe, "name">> {
  if (String(await session.ask("TYPE", name)) !== "graphdata") {
    return {
      status: "critical",
      text: "the server has no graph of that name; `memkeep restore latest` brings it back",
    };
  }
  const nodes = await session.count(Buffer.from(name), "MATCH (n) RETURN count(n)");
  return { status: "ok", text: `it has ${nodes} nodes`, value: { amount: nodes, unit: "nodes" } };
}

async function probeMemory(session: Session): Promise<Omit<Probe, "name">> {
  const info = await session.info();
  const used = Number(info.get("used_memory"));
  const most = Number(info.get("maxmemory"));
  if (!Number.isFinite(used)) return { status: "unknown", text: "the server does not tell its memory" };
  const value = { amount: used, unit: "bytes" };
  if (!(most > 0)) return { status: "ok", text: "the server has no memory limit of its own", value };
  const share = used / most;
  const status = share > 0.95 ? "critical" : share > 0.8 ? "warning" : "ok";
  return { status, text: `${Math.round(share * 100)} % of the server's memory limit is in use`, value };
}

async function probePersistence(session: Session): Promise<Omit<Probe, "name">> {
  const info = await session.info();
  const failed = [info.get("rdb_last_bgsave_status"), info.get("aof_last_write_status")].includes("err");
  if (failed) return { status: "critical", text: "the server could not write its data to disk" };
  const known = info.has("rdb_last_bgsave_status");
  return known
    ? { status: "ok", text: "the server's last save succeeded, or it saves nothing" }
    : { status: "unknown", text: "the server does not tell" };
}
