/** Counts and digests of a database as it is now: the same pg_dump, the same parser, nothing stored. */
import type { CollectionFacts } from "../../domain/manifest.ts";
import { ArchiveDigester } from "./archive/digest-archive.ts";
import { listTables, readServer } from "./schema.ts";
import { openSession } from "./client.ts";
import { schema } from "./config.ts";
import type { Connection } from "./connection.ts";
import { startDumper } from "./dumper.ts";
import type { Tools } from "./tools.ts";
import type { Surroundings } from "./view.ts";

/** Of all tables. `tools` are those that the restore was planned with: looking for them again would find the same. */
export async function liveFacts(
  connection: Connection,
  tools: Tools,
  surroundings: Surroundings,
): Promise<readonly CollectionFacts[]> {
  const { context, environment } = surroundings;
  const config = schema.parse({});
  await using session = await openSession(connection, surroundings.config, context);
  const server = await readServer(session);
  const tables = new Map((await listTables(session, config)).map((table) => [table.oid, table]));
  await using dumper = await startDumper(
    connection,
    { config, context, environment },
    {
      tools,
      isStandby: server.isStandby,
      withExtensions: false,
      dataOnly: true,
    },
  );
  const digester = new ArchiveDigester((entry) => tables.get(entry.oid));
  for await (const bytes of dumper.bytes()) {
    context.signal.throwIfAborted();
    digester.push(bytes);
  }
  return digester.end().collections;
}
