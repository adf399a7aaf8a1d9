/** What a server says about itself, and its libraries of user-defined functions. */
import { z } from "zod";
import { MemkeepError } from "../../domain/errors.ts";
import type { Session } from "./client.ts";
import { ServerError } from "./resp.ts";
import type { Reply } from "./resp.ts";

export interface ServerFacts {
  /** Of the FalkorDB module; `unknown` where the user may not ask. */
  readonly version: string;
  readonly isReplica: boolean;
  /** Names this start of the server. */
  readonly runId: string | undefined;
  readonly info: ReadonlyMap<string, string>;
}

/** `STORE_UNSUPPORTED` for a cluster: its graphs lie on several servers. */
export async function serverFacts(session: Session): Promise<ServerFacts> {
  const info = await session.info();
  if (info.get("cluster_enabled") === "1") {
    throw new MemkeepError("STORE_UNSUPPORTED", {
      tried: "open FalkorDB",
      happened: "the server is part of a Redis cluster, which memkeep does not back up yet",
      next: "Connect to a standalone server.",
    });
  }
  return {
    version: await moduleVersion(session),
    isReplica: info.get("role") === "slave",
    runId: info.get("run_id"),
    info,
  };
}

async function moduleVersion(session: Session): Promise<string> {
  let modules: readonly (readonly Reply[])[];
  try {
    modules = (await session.ask("MODULE", "LIST")) as readonly (readonly Reply[])[];
  } catch (error) {
    if (error instanceof ServerError) return "unknown";
    throw error;
  }
  for (const [, name, , version] of modules) {
    if (String(name) !== "graph") continue;
    const number = Number(version);
    return `${Math.floor(number / 10_000)}.${Math.floor(number / 100) % 100}.${number % 100}`;
  }
  throw new MemkeepError("STORE_UNREADABLE", {
    tried: "open FalkorDB",
    happened: "the server is a Redis without the FalkorDB module",
    next: "Check `url` in the configuration.",
  });
}

export const Library = z.strictObject({ name: z.string(), code: z.string() });
export type Library = z.infer<typeof Library>;

/** All libraries, by name; undefined where the user may not list them. They belong to the whole server. */
export async function readLibraries(session: Session): Promise<Library[] | undefined> {
  try {
    const reply = (await session.ask("GRAPH.UDF", "LIST", "WITHCODE")) as readonly (readonly Reply[])[];
    return reply
      .map((fields) => {
        const map = new Map<string, Reply>();
        for (let at = 0; at + 1 < fields.length; at += 2) map.set(String(fields[at]), fields[at + 1]!);
        return { name: String(map.get("library_name")), code: String(map.get("library_code")) };
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    // Servers before user-defined functions do not know the command.
    if (error instanceof ServerError) return /unknown/i.test(error.message) ? [] : undefined;
    throw error;
  }
}
