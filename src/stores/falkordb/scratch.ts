/**
 * Graphs of our own beside those of others: copies to read from and restores that are not switched yet. Their names begin
 * with a marker and a run's id, and they expire by themselves, so that a killed run leaves nothing for long.
 */
import { randomBytes } from "node:crypto";
import { isMemkeepError } from "../../domain/errors.ts";
import type { Session } from "./client.ts";

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
 * When the server cannot be reached the graph expires later, which `warn` is told: the error that matters came before.
 */
export async function removeScratch(
  session: Session,
  name: Uint8Array,
  warn: (text: string) => void = () => undefined,
): Promise<void> {
  try {
    await using cleanup = session.forCleanup();
    // UNLINK takes any kind of key, and no graph at all.
    await cleanup.ask("UNLINK", name, telemetryStream(name));
  } catch (error) {
    if (!isMemkeepError(error, "STORE_UNREACHABLE")) throw error;
    warn("the server cannot be reached to remove a scratch graph; it expires within an hour");
  }
}

/** The server writes each graph's queries to a stream of this name. */
export function telemetryStream(graph: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from("telemetry{"), graph, Buffer.from("}")]);
}
