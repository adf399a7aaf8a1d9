/** `Store.write`: all records in one transaction, so that what fails leaves nothing. */
import { MemkeepError } from "../../domain/errors.ts";
import type { StoreRecord, Written } from "../store.ts";
import { openSession } from "./client.ts";
import { stateOf } from "./failure.ts";
import { tableNamed } from "./keys.ts";
import { listTables } from "./schema.ts";
import type { Surroundings } from "./view.ts";
import { writableTables } from "./writable-table.ts";
import { RowBatches, refuseKeyless, refuseStrange, writeRows } from "./write-rows.ts";
import { beginWriting, finishWriting, refusedWrite } from "./write-transaction.ts";

/** See `Store.write`. */
export async function writeRecords(
  collection: string,
  records: AsyncIterable<StoreRecord>,
  surroundings: Surroundings,
): Promise<Written> {
  const { connection, config, context } = surroundings;
  await using session = await openSession(connection, config, context);
  const tables = (await listTables(session, config)).filter(({ isPartitioned }) => !isPartitioned);
  const [table] = await writableTables(session, [tableNamed(tables, collection)]);
  refuseKeyless(table!);
  const written = { inserted: 0, updated: 0, unchanged: 0 };
  const batches = new RowBatches(table!, async (rows) => {
    context.signal.throwIfAborted();
    const done = await writeRows(session, table!, rows);
    written.inserted += done.inserted;
    written.updated += done.updated;
    written.unchanged += done.unchanged;
  });
  try {
    const transaction = await beginWriting(session, [table!], surroundings);
    for await (const { fields } of records) {
      refuseStrange(table!, fields);
      await batches.add(fields);
    }
    await batches.flush();
    await finishWriting(transaction);
    for (const warning of transaction.warnings) context.observer.warn(context.name, warning);
  } catch (error) {
    context.signal.throwIfAborted();
    throw refusedWrite(error, table!.name, surroundings);
  }
  try {
    await session.run("COMMIT");
  } catch (error) {
    if (stateOf(error)?.startsWith("23") === true) throw refusedWrite(error, table!.name, surroundings);
    throw new MemkeepError("STORE_UNREACHABLE", {
      tried: `write records into ${table!.name}`,
      happened: "the connection was lost at the end: the server may have kept them all, or none",
      next: "Do it again: what is there already is left as it is.",
      cause: error,
    });
  }
  return written;
}
