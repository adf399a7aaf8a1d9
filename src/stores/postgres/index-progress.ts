/** Tells how far PostgreSQL is with building indexes: the longest part of restoring a memory with vectors. */
import type { StoreContext } from "../store.ts";
import { openSession } from "./client.ts";
import type { Connection } from "./connection.ts";
import type { Surroundings } from "./view.ts";

const intervalMs = 1_000;

/** Runs `work`, and tells about index builds in the database as long as it goes on. What cannot be asked is not told. */
export async function tellIndexBuilds(
  target: Connection,
  { config, context }: Surroundings,
  work: () => Promise<void>,
): Promise<void> {
  const ended = new AbortController();
  const telling = tell(target, config, context, AbortSignal.any([ended.signal, context.signal]));
  try {
    await work();
  } finally {
    ended.abort();
    await telling;
  }
}

async function tell(
  target: Connection,
  config: Surroundings["config"],
  context: StoreContext,
  signal: AbortSignal,
): Promise<void> {
  try {
    await using session = await openSession(target, { ...config, retryAttempts: 1 }, { ...context, signal });
    for (;;) {
      await context.clock.sleep(intervalMs, signal);
      const rows = await session.rows<Record<"name" | "phase" | "done" | "total", string>>(
        `SELECT c.relname AS name, p.phase, greatest(p.tuples_done, p.blocks_done) AS done,
                greatest(p.tuples_total, p.blocks_total) AS total
           FROM pg_stat_progress_create_index p JOIN pg_class c ON c.oid = p.index_relid
          WHERE p.datname = current_database() ORDER BY 1 LIMIT 1`,
      );
      for (const { name, phase, done, total } of rows) {
        context.observer.step(context.name, `building the index ${name}: ${phase}`);
        context.observer.progress(context.name, Number(done), Number(total) || undefined, "records");
      }
    }
  } catch (error) {
    if (!signal.aborted)
      context.observer.warn(context.name, `cannot see the progress of indexes: ${String(error)}`);
  }
}
