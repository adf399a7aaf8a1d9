import type { Client } from "./client.ts";
import { markerLabel } from "./marker.ts";
import { quoteName } from "./names.ts";
import { dropFailed, dropSchema, readSchema } from "./schema.ts";

/** Empties a database that is memkeep's own, in transactions of bounded size. The marker stays. */
export async function wipe(client: Client): Promise<void> {
  const { schema, failed } = await readSchema(client);
  await dropFailed(client, failed);
  // Every database is born with its two look-up indexes.
  const indexes = schema.indexes.filter(({ type }) => type !== "LOOKUP");
  await dropSchema(client, { indexes, constraints: schema.constraints });
  await untilNone(client, "MATCH ()-[x]->() WITH x LIMIT 10000 DELETE x RETURN count(*)");
  const marker = quoteName(markerLabel);
  await untilNone(
    client,
    `MATCH (x) WHERE NOT x:${marker} WITH x LIMIT 10000 DETACH DELETE x RETURN count(*)`,
  );
}

async function untilNone(client: Client, query: string): Promise<void> {
  while ((await client.count(query)) > 0);
}
