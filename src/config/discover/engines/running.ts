/** Asks the usual ports of this machine, all at once. */
import type { Environment } from "../../environment.ts";
import type { FoundStore } from "../found.ts";
import { findNeo4j } from "./neo4j.ts";
import { findPostgres } from "./postgres.ts";
import { findQdrant } from "./qdrant.ts";
import { findFalkorDB } from "./redis.ts";

export interface EnginePorts {
  readonly postgres: number;
  readonly qdrant: number;
  readonly falkordb: number;
  readonly neo4j: number;
}

export const usualPorts: EnginePorts = { postgres: 5432, qdrant: 6333, falkordb: 6379, neo4j: 7687 };

/** Takes about a second at the most. A sentence for what runs and cannot be used. */
export async function findRunningEngines(
  environment: Environment,
  ports: EnginePorts = usualPorts,
): Promise<(FoundStore | string)[]> {
  const answers = await Promise.all([
    findPostgres(ports.postgres, environment),
    findQdrant(ports.qdrant, environment),
    findFalkorDB(ports.falkordb),
    findNeo4j(ports.neo4j, environment),
  ]);
  return answers.filter((answer) => answer !== undefined);
}
