/**
 * Graphs of our own beside those of others: copies to read from and restores that are not switched yet. Their names begin
 * with a marker and a run's id, and they expire by themselves, so that a killed run leaves nothing for long.
 */
import { randomBytes } from "node:crypto";
import { isMemkeepError } from "../../domain/errors.ts";
import { isDenied } from "./client.ts";
import type { Session } from "./client.ts";
import { ServerError } from "./resp.ts";
import type { Reply } from "./resp.ts";

export const scratchPrefix = "memkeep-scratch-";
/** Renewed while the graph is in use. */
export const lifetimeMs = 60 * 60 * 1000;

export function scratchName(): Buffer {
  return Buffer.from(`${scratchPrefix}${randomBytes(8).toString("hex")}`);
}

/** Puts off the end of a scratch graph. */
export async function keepAlive(session: Session, name: Uint8Array): Promise<void> {
  await session.command("PEXPIRE", name, String(lifetimeMs));
}

const beatMs = 5 * 60 * 1000;

/**
 * Keeps scratch graphs alive until it is disposed. When a beat fails the graphs live on for the rest of their hour; when
 * they are gone, reading them says so.
 */
export function keepingAlive(session: Session, names: readonly Uint8Array[]): Disposable {
  const beat = setInterval(() => {
    for (const name of names) keepAlive(session, name).catch(() => undefined);
  }, beatMs);
  beat.unref();
  return { [Symbol.dispose]: () => clearInterval(beat) };
}

/**
 * Removes a scratch graph and the stream in which the server keeps its queries. Nothing happens when it is gone already.
 * When the server cannot be reached, or refuses, the graph expires later, which `warn` is told: the error that matters came before.
 */
export async function removeScratch(session: Session, name: Uint8Array, warn?: Warn): Promise<void> {
  // UNLINK takes any kind of key, and no graph at all.
  await cleaningUp(session, warn, (cleanup) => cleanup.ask("UNLINK", name, telemetryStream(name)));
}

/** How long an order of a broken connection may be under way. */
const lateMs = 60_000;

/**
 * Removes a scratch graph that orders may still be under way for: a query or a copy that was sent over a connection which
 * then broke would make it anew, for ever. A text takes its place for a minute; graph commands are refused there.
 */
export async function banScratch(session: Session, name: Uint8Array, warn?: Warn): Promise<void> {
  await cleaningUp(session, warn, async (cleanup) => {
    try {
      await cleanup.ask("SET", name, "removed", "PX", String(lateMs));
    } catch (error) {
      if (!isDenied(error)) throw error;
      await cleanup.ask("UNLINK", name);
    }
    await cleanup.ask("UNLINK", telemetryStream(name));
  });
}

type Warn = (text: string) => void;

async function cleaningUp(
  session: Session,
  warn: Warn | undefined,
  work: (cleanup: Session) => Promise<unknown>,
): Promise<void> {
  try {
    await using cleanup = session.forCleanup();
    await work(cleanup);
  } catch (error) {
    const isGone = isMemkeepError(error, "STORE_UNREACHABLE");
    if (!isGone && !(error instanceof ServerError)) throw error;
    const reason = isGone ? "the server cannot be reached" : "the server refuses";
    warn?.(`${reason} to remove a scratch graph; it expires within an hour`);
  }
}

/**
 * A run that was killed between making a scratch graph and telling when it ends leaves it without an end: it gets one. Those
 * in use are kept alive by their runs. Does nothing where the user may not list graphs.
 */
export async function endForgotten(session: Session): Promise<void> {
  try {
    for (const name of await scratchGraphs(session)) {
      if (Number(await session.ask("PTTL", name)) === -1) await keepAlive(session, name);
    }
  } catch (error) {
    if (!isDenied(error)) throw error;
  }
}

/** All scratch graphs on the server, of whatever run. */
export async function scratchGraphs(session: Session): Promise<readonly Buffer[]> {
  const graphs = (await session.ask("GRAPH.LIST")) as readonly Reply[];
  return graphs.filter(
    (name): name is Buffer => Buffer.isBuffer(name) && name.toString("latin1").startsWith(scratchPrefix),
  );
}

/** The server writes each graph's queries to a stream of this name. */
export function telemetryStream(graph: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from("telemetry{"), graph, Buffer.from("}")]);
}
