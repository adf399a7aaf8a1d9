import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ServerProcess } from "./process.ts";
import { untilReady } from "./ready.ts";

/** A server that a test may use until it is disposed (`await using`). */
export interface Server extends AsyncDisposable {
  /** Where it listens, in the scheme of a store or storage URL. */
  readonly url: string;
  /** The process of a server that this test run started; undefined for one that existed already. */
  readonly process: ServerProcess | undefined;
  /** Ends the process and removes its data, unless a folder was given at its start. A server that existed stays. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** The data folder; kept after `stop`, so that a later start finds the data. A temporary one when left out. */
  readonly folder?: string;
}

/** One kind of server: how it is installed, started, and named when it exists already. */
export interface ServerEngine<Running extends Server = Server, Options extends StartOptions = StartOptions> {
  /** The environment variable with the URL of a server to use in place of an own one. */
  readonly urlVariable: string;
  /** Installs it into the cache; throws `EngineMissing` where it cannot be had. Idempotent. */
  readonly ensure: () => Promise<unknown>;
  /** Starts an own one on a free loopback port, and returns when it answers. */
  readonly start: (options?: Options) => Promise<Running>;
  /** The server at `url`, which somebody else started; without a process, and `stop` leaves it alone. */
  readonly existing: (url: string) => Running;
}

/** The data folder of one start. */
export interface DataFolder {
  readonly path: string;
  /** Deletes it when it is a temporary one. */
  readonly remove: () => Promise<void>;
}

/** The folder for one start: the given one, or a new temporary one. */
export async function dataFolder(engine: string, options: StartOptions): Promise<DataFolder> {
  if (options.folder !== undefined) {
    await mkdir(options.folder, { recursive: true });
    return { path: options.folder, remove: nothing };
  }
  const path = await mkdtemp(join(tmpdir(), `memkeep-${engine}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/**
 * A `Server` of the process that was started for it, as soon as it answers `ask` (see `untilReady`). One that never answers
 * leaves neither a process nor data.
 */
export async function readyServer(
  url: string,
  process: ServerProcess,
  data: DataFolder,
  ask: () => Promise<unknown>,
): Promise<Server> {
  async function stop(): Promise<void> {
    await process.stop();
    await data.remove();
  }
  try {
    await untilReady(process, ask);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, process, stop, [Symbol.asyncDispose]: stop };
}

/** A `Server` that existed before the tests and stays after them. */
export function existingServer(url: string): Server {
  return { url, process: undefined, stop: nothing, [Symbol.asyncDispose]: nothing };
}

function nothing(): Promise<void> {
  return Promise.resolve();
}
