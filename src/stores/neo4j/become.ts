/** Turns a database into what a dump holds: records, indexes, constraints. */
import { MemkeepError, isMemkeepError } from "../../domain/errors.ts";
import type { DumpSource } from "../store.ts";
import type { Client } from "./client.ts";
import { applyDifference } from "./difference.ts";
import type { DifferenceParts, Outcome } from "./difference.ts";
import type { DumpedGraph } from "./dump.ts";
import { createSchema, dropFailed, dropSchema, readSchema, schemaChange } from "./schema.ts";
import type { GraphSchema } from "./schema.ts";
import type { Target } from "./target.ts";
import { readParts } from "./view.ts";

/** How often a difference is applied anew after a connection broke in the middle of it. */
const maxAttempts = 5;

/**
 * Applies the difference until it holds; what broke off at an unknown place is compared and gone on with. With `isMerge`
 * nothing is deleted, and indexes and constraints stay as they are. `COMPARE_FAILED` when an index fails.
 */
export async function become(
  target: Pick<Target, "client" | "config" | "context">,
  source: DumpSource,
  dump: DumpedGraph,
  { isMerge, replacesData }: { readonly isMerge: boolean; readonly replacesData: boolean },
): Promise<void> {
  const { client, context } = target;
  if (!isMerge) {
    const { schema: now, failed } = await readSchema(client);
    await dropFailed(client, failed);
    const { dropped } = schemaChange(now, dump.schema);
    // Values that change places between nodes would meet a constraint half-way.
    await dropSchema(client, replacesData ? { ...dropped, constraints: now.constraints } : dropped);
  }
  for (let attempt = 1; ; attempt++) {
    try {
      const { changed } = await applyDifference({ ...work(target, source, dump), isMerge });
      const { inserted, updated, deleted } = changed;
      context.observer.step(context.name, `${inserted} inserted, ${updated} updated, ${deleted} deleted`);
      break;
    } catch (error) {
      if (!isMemkeepError(error, "STORE_UNREACHABLE") || attempt === maxAttempts) throw error;
      context.signal.throwIfAborted();
      context.observer.warn(context.name, "the connection broke in the middle: comparing and going on");
    }
  }
  if (isMerge) return;
  await createSchema(client, schemaChange((await readSchema(client)).schema, dump.schema).created);
  await expectSchema(client, dump.schema);
}

/** What a merge would find and insert. Nothing is changed. */
export function lookOnly(
  target: Pick<Target, "client" | "config" | "context">,
  source: DumpSource,
  dump: DumpedGraph,
): Promise<Outcome> {
  return applyDifference({ ...work(target, source, dump), isMerge: true, isDry: true });
}

function work(
  { client, config, context }: Pick<Target, "client" | "config" | "context">,
  source: DumpSource,
  dump: DumpedGraph,
): Pick<DifferenceParts, "read" | "source" | "dump"> {
  const settings = { key: dump.rule.key, keys: { ...dump.rule.keys }, connections: config.connections };
  return { read: readParts(client, settings, context, "facts"), source, dump };
}

async function expectSchema(client: Client, wanted: GraphSchema): Promise<void> {
  const { schema } = await readSchema(client);
  const { dropped, created } = schemaChange(schema, wanted);
  const lists = [created.indexes, created.constraints, dropped.indexes, dropped.constraints];
  const odd = lists.flat().map(({ name }) => JSON.stringify(name));
  if (odd.length === 0) return;
  throw new MemkeepError("COMPARE_FAILED", {
    tried: "restore indexes and constraints",
    happened: `the server made something else of ${[...new Set(odd)].join(", ")}`,
  });
}
