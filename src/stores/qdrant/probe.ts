/** Health of a Qdrant store. Each measurement stands for itself: one that fails is `unknown` (law 7). */
import { isMemkeepError, reasonOf } from "../../domain/errors.ts";
import type { Probe } from "../store.ts";
import { isMap } from "./schema.ts";
import type { Server } from "./server.ts";
import { mixed, namesOn, presentUnits, scratchMark, unfinished } from "./units.ts";
import type { Unit } from "./units.ts";

export async function probeServer(server: Server): Promise<readonly Probe[]> {
  const probes: Probe[] = [];
  try {
    const version = await server.version();
    const units = await presentUnits(server);
    probes.push({ name: "reachable", status: "ok", text: `Qdrant ${version} answers` });
    for (const unit of units)
      probes.push(await measured(`collection ${unit.name}`, () => collection(server, unit)));
  } catch (error) {
    const status = isMemkeepError(error, "STORE_DENIED") ? "unknown" : "critical";
    const next = isMemkeepError(error) && error.next ? ` ${error.next}` : "";
    probes.push({ name: "reachable", status, text: `${reasonOf(error)}.${next}` });
  }
  probes.push(await measured("remains", () => remains(server)));
  return probes;
}

async function measured(name: string, measure: () => Promise<Omit<Probe, "name">>): Promise<Probe> {
  try {
    return { name, ...(await measure()) };
  } catch (error) {
    return { name, status: "unknown", text: `could not be measured: ${reasonOf(error)}` };
  }
}

async function collection(server: Server, { address }: Unit): Promise<Omit<Probe, "name">> {
  const { status, optimizerStatus, deferred } = await server.state(address);
  const value = { amount: await server.count(address, undefined), unit: "points" };
  if (status === "red" || isMap(optimizerStatus)) {
    return {
      status: "critical",
      text: "the server reports operations that failed: look into its log",
      value,
    };
  }
  if (deferred > 0) {
    const text = `${deferred} points are stored and hidden from readers until the server has optimised them (prevent_unoptimized)`;
    return { status: "warning", text, value };
  }
  return { status: "ok", text: `its status is ${status}`, value };
}

/** What killed restores and drills left on the server. */
async function remains(server: Server): Promise<Omit<Probe, "name">> {
  const names = await namesOn(server);
  const left = [
    ...unfinished(names).values(),
    ...names.collections.filter((name) => name.startsWith(scratchMark)),
  ];
  const mixtures = [...new Set(mixed(names).values())];
  const value = { amount: left.length + mixtures.length, unit: "collections" };
  if (mixtures.length > 0) {
    return {
      status: "critical",
      text: `a restore in place of ${mixtures.join(", ")} was interrupted (or is running now): it holds a mixture of old and new points. Run the restore again, of the same snapshot or of the safety snapshot taken before`,
      value,
    };
  }
  if (left.length === 0) return { status: "ok", text: "no interrupted restore left anything", value };
  return {
    status: "warning",
    text: `interrupted restores left ${left.join(", ")}; when none is running now, \`memkeep maintain cleanup\` drops them`,
    value,
  };
}
