import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { installed } from "../cache.ts";
import { freePort } from "../free-port.ts";
import { run } from "../command.ts";
import { buildGo } from "../go.ts";
import { askHttp } from "../http.ts";
import { startProcess } from "../process.ts";
import { dataFolder, existingServer, readyServer } from "../server.ts";
import type { Server, ServerEngine, StartOptions } from "../server.ts";

const version = "v1.7.0";

/** An S3 server. `url` is its endpoint without credentials; bucket names need three characters. */
export interface S3Server extends Server {
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface S3Options extends StartOptions {
  /** Buckets can keep old versions, and so can be locked. */
  readonly versioning?: boolean;
  /** Connections stay open between requests, as those of nearly every other server do. */
  readonly keepAlive?: boolean;
}

/**
 * Versity Gateway: S3 over a local folder, with conditional PUT. For an existing server, `MEMKEEP_TEST_S3_URL` is
 * `https://ACCESS_KEY:SECRET_KEY@host:port`.
 */
export const versitygw: ServerEngine<S3Server, S3Options> = {
  urlVariable: "MEMKEEP_TEST_S3_URL",
  ensure,
  start,
  existing,
};

function ensure(): Promise<string> {
  return installed(`versitygw-${version}`, (folder) =>
    buildGo("github.com/versity/versitygw/cmd/versitygw", version, join(folder, "versitygw")),
  );
}

async function start(options: S3Options = {}): Promise<S3Server> {
  const binary = join(await ensure(), "versitygw");
  const folder = await dataFolder("versitygw", options);
  const data = join(folder.path, "buckets");
  await mkdir(data, { recursive: true });
  const address = `127.0.0.1:${await freePort()}`;
  const accessKey = "memkeep-test-access";
  const secretKey = "memkeep-test-secret";
  const versions = join(folder.path, "versions");
  const accounts = join(folder.path, "accounts");
  await Promise.all([versions, accounts].map((path) => mkdir(path, { recursive: true })));
  const storing = options.versioning === true ? ["--versioning-dir", versions, data] : [data];
  const common = ["--port", address, "--health", "/health", "--iam-dir", accounts, "--iam-cache-disable"];
  const always = options.keepAlive === true ? ["--keep-alive", ...common] : common;
  const process = await startProcess(binary, [...always, "posix", ...storing], {
    env: { ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
  });
  const url = `http://${address}`;
  const server = await readyServer(url, process, folder, () => askHttp(`${url}/health`));
  return { ...server, accessKey, secretKey };
}

/** An account that may do only what bucket policies allow. For an own server. */
export async function addAccount(
  server: S3Server,
): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string }> {
  const account = { accessKeyId: "memkeep-test-writer", secretAccessKey: "memkeep-test-writer-secret" };
  const binary = join(await ensure(), "versitygw");
  const by = ["admin", "--access", server.accessKey, "--secret", server.secretKey, "--er", server.url];
  const { accessKeyId, secretAccessKey } = account;
  await run(binary, [...by, "create-user", "-a", accessKeyId, "-s", secretAccessKey, "-r", "user"]);
  return account;
}

function existing(url: string): S3Server {
  const { protocol, host, username, password } = new URL(url);
  return {
    ...existingServer(`${protocol}//${host}`),
    accessKey: decodeURIComponent(username),
    secretKey: decodeURIComponent(password),
  };
}
