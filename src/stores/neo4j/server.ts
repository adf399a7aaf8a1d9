/** What a server says about itself and about the database. */
import type { Client } from "./client.ts";
import { isMemkeepError } from "../../domain/errors.ts";

export interface ServerFacts {
  readonly version: string;
  /** `Community` or `Enterprise`. */
  readonly edition: string;
  /** Names the database for ever; undefined where the user may not see it. */
  readonly databaseId: string | undefined;
  readonly database: string;
}

/** Reaches the server and the database; rejects in words where either is not there. */
export async function serverFacts(client: Client): Promise<ServerFacts> {
  const [component] = await client.rows(
    "CALL dbms.components() YIELD versions, edition RETURN versions[0], edition",
    {},
    (row) => ({ version: String(row.get(0)), edition: String(row.get(1)) }),
  );
  const { version, edition } = component!;
  const database = await client.value<string>("CALL db.info() YIELD name RETURN name");
  return {
    version,
    edition: `${edition.slice(0, 1).toUpperCase()}${edition.slice(1)}`,
    database,
    databaseId: await databaseId(client, database),
  };
}

async function databaseId(client: Client, database: string): Promise<string | undefined> {
  try {
    const [id] = await client.rows(
      "SHOW DATABASES YIELD name, databaseID WHERE name = $database RETURN databaseID",
      { database },
      (row) => row.get(0) as string | null,
    );
    return id ?? undefined;
  } catch (error) {
    if (isMemkeepError(error, "STORE_DENIED", "STORE_UNREADABLE")) return undefined;
    throw error;
  }
}

/** True for versions from `year.month` on, counted as Neo4j counts since 2025. */
export function isFrom(version: string, year: number, month: number): boolean {
  const [major, minor] = version.split(".").map(Number);
  return major! > year || (major === year && (minor ?? 0) >= month);
}
