/** Restores: into a new graph beside the target, compared there, then renamed over it. Never Redis RESTORE: it can end the server. */
import { MemkeepError } from "../../domain/errors.ts";
import type { DumpSource, Restoration, RestoreOptions, RestorePlan } from "../store.ts";
import { refused } from "./client.ts";
import type { Session } from "./client.ts";
import { applyDifference } from "./difference.ts";
import { readDump } from "./dumped-store.ts";
import { GraphRestoration } from "./graph-restoration.ts";
import { prepareRestore, readPartsFor, targets } from "./restore-plan.ts";
import type { RestoreParts } from "./restore-plan.ts";
import { awaitSettled, createIndexes, createNames, dropConstraints, readSchema } from "./schema.ts";
import { keepAlive, keepingAlive } from "./scratch.ts";
import { Watch } from "./watch.ts";
import { writeGraph } from "./write-graph.ts";

export async function stageRestore(
  plan: RestorePlan,
  source: DumpSource,
  options: RestoreOptions,
  parts: RestoreParts,
): Promise<Restoration> {
  const { session, config, context } = parts;
  const dump = await readDump(source);
  const names = targets(config, options, dump);
  const isScratch = options.target.kind === "scratch";
  await using stack = new AsyncDisposableStack();
  const watch = isScratch ? undefined : stack.use(await Watch.begin(session, names));
  const { plan: fresh, held } = await prepareRestore(source, options, parts);
  if (fresh.basis !== plan.basis) {
    throw new MemkeepError("PLAN_STALE", {
      tried: "restore",
      happened: "the target has changed since the plan was made",
      next: "Make a new plan.",
    });
  }
  const standing = fresh.obstacles.filter(({ overridable }) => !(overridable && options.force));
  if (standing.length > 0) {
    throw new MemkeepError("TARGET_IN_USE", {
      tried: "restore",
      happened: standing.map(({ text }) => text).join("; "),
    });
  }
  const isUnchanged = async (): Promise<boolean> =>
    (await prepareRestore(source, options, parts)).plan.basis === plan.basis;
  const restoration = new GraphRestoration({
    ...parts,
    dump,
    source,
    names,
    watch,
    held,
    isMerge: options.mode === "merge",
    isUnchanged,
  });
  stack.use(restoration);
  using _beat = keepingAlive(
    session,
    restoration.staged.map(({ place }) => place),
  );
  let records = 0;
  const total = source.manifest.collections.reduce((sum, collection) => sum + collection.records, 0);
  const onProgress = (count: number): void =>
    context.observer.progress(context.name, (records += count), total, "records");
  for (const { graph, place, target } of restoration.staged) {
    if (options.mode === "merge" && held.has(target)) {
      await awaitSettled(session, Buffer.from(target), context);
      await copyGraph(session, target, place);
      const { constraints } = (await readSchema(session, place)).schema;
      await dropConstraints(session, place, constraints);
      const read = { ...(await readPartsFor(place, parts, dump.rule, true)), onProgress };
      await applyDifference({ read, source, dump: graph, isDry: false });
      await createIndexes(session, place, { ...graph.schema, indexes: [], constraints }, context);
    } else {
      await createNames(session, place, graph.schema);
      await keepAlive(session, place);
      await writeGraph({
        session,
        graph: place,
        source,
        nodes: graph.nodes,
        edges: graph.edges,
        signal: context.signal,
        connections: Math.min(3, config.connections),
        limits: await session.limits(),
        onProgress,
      });
      await createIndexes(session, place, graph.schema, context);
    }
    await keepAlive(session, place);
  }
  restoration.isStaged = true;
  // From here on the restoration is the caller's.
  stack.move();
  return restoration;
}

async function copyGraph(session: Session, target: string, place: Uint8Array): Promise<void> {
  try {
    await session.command("GRAPH.COPY", target, place);
  } catch (error) {
    throw refused("copy the graph on the server", error);
  }
  await keepAlive(session, place);
}
