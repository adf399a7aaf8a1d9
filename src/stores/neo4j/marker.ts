/**
 * The node that says that memkeep is writing into a database. It is made first and removed last, so one that is there while
 * nobody restores is what an interrupted run left. No dump and no count has it.
 */
import type { Client } from "./client.ts";
import { quoteName } from "./names.ts";

export const markerLabel = "memkeep restore under way";
const marker = quoteName(markerLabel);

export interface Marker {
  /** `restore`: the store's own data is being changed. `scratch`: all of the database is memkeep's. */
  readonly purpose: "restore" | "scratch";
  readonly since: string;
}

export async function setMarker(client: Client, { purpose, since }: Marker): Promise<void> {
  await client.command(`MERGE (m:${marker}) SET m.purpose = $purpose, m.since = $since`, { purpose, since });
}

/** Doing it twice is doing it once. */
export async function removeMarker(client: Client): Promise<void> {
  await client.command(`MATCH (m:${marker}) DETACH DELETE m`);
}

export async function findMarker(client: Client): Promise<Marker | undefined> {
  const [found] = await client.rows(`MATCH (m:${marker}) RETURN m.purpose, m.since`, {}, (row): Marker => ({
    purpose: row.get(0) === "scratch" ? "scratch" : "restore",
    since: String(row.get(1)),
  }));
  return found;
}

export const countMarkers = `MATCH (m:${marker}) RETURN count(m)`;
