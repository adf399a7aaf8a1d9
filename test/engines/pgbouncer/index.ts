import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { installed } from "../cache.ts";
import { unpackDebian } from "../debian.ts";
import { freePort } from "../free-port.ts";
import { startProcess } from "../process.ts";
import { dataFolder } from "../server.ts";
import type { Server } from "../server.ts";
import { wrapWithLibraries } from "../wrap.ts";

/** PgBouncer, Debian 12's, as the wrapper that finds its libraries. */
export async function pgbouncerProgram(): Promise<string> {
  const folder = await installed("pgbouncer-debian", async (into) => {
    const libraries = ["libevent-2.1-7", "libc-ares2", "libssl3", "libsystemd0"];
    await unpackDebian("bookworm", ["pgbouncer", ...libraries], into);
    await wrapWithLibraries(into, ["usr/sbin/pgbouncer"]);
  });
  return join(folder, "bin", "pgbouncer");
}

/** A pooler before the server at `serverUrl`, whose user needs no password. It answers once its port does. */
export async function startPgbouncer(serverUrl: string, mode: "session" | "transaction"): Promise<Server> {
  const program = await pgbouncerProgram();
  const folder = await dataFolder("pgbouncer", {});
  const server = new URL(serverUrl);
  const port = await freePort();
  const settings = [
    "[databases]",
    `* = host=${server.hostname} port=${server.port}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = any",
    `pool_mode = ${mode}`,
    "ignore_startup_parameters = options,extra_float_digits",
  ];
  // With `auth_type = any` the user of the database line is used for all.
  settings[1] += ` user=${server.username}`;
  const file = join(folder.path, "pgbouncer.ini");
  await writeFile(file, `${settings.join("\n")}\n`, { mode: 0o644 });
  const process = await startProcess(program, ["-u", "nobody", file]);
  const url = `postgresql://${server.username}@127.0.0.1:${port}${server.pathname}`;
  async function stop(): Promise<void> {
    await process.stop();
    await folder.remove();
  }
  return { url, process, stop, [Symbol.asyncDispose]: stop };
}
