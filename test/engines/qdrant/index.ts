import { join } from "node:path";

import { installed } from "../cache.ts";
import { needCommands, run } from "../command.ts";
import { freePort } from "../free-port.ts";
import { askHttp } from "../http.ts";
import { startProcess } from "../process.ts";
import { installPython } from "../pypi.ts";
import { dataFolder, existingServer, readyServer } from "../server.ts";
import type { Server, ServerEngine, StartOptions } from "../server.ts";
import { sharedData } from "./shared.ts";

export interface QdrantOptions extends StartOptions {
  /** The key that may do everything; none when left out. */
  readonly apiKey?: string;
  /** The key that may only read; works beside `apiKey`. */
  readonly readOnlyApiKey?: string;
  /** Answer `GET /cluster` as a cluster of one node does. */
  readonly cluster?: boolean;
}

/** `url` is `http://127.0.0.1:PORT`, without a key. */
export interface QdrantServer extends Server {
  readonly apiKey: string | undefined;
}

/**
 * The qdrant-edge front: the REST interface of Qdrant 1.18.3 over Qdrant's own segment engine, see `readme.md`. A
 * real server is named by `MEMKEEP_TEST_QDRANT_URL` and `MEMKEEP_TEST_QDRANT_API_KEY`.
 */
export const qdrant: ServerEngine<QdrantServer, QdrantOptions> = {
  urlVariable: "MEMKEEP_TEST_QDRANT_URL",
  ensure,
  start,
  existing: (url) => ({ ...existingServer(url), apiKey: process.env["MEMKEEP_TEST_QDRANT_API_KEY"] }),
};

/** The folder for `PYTHONPATH`, installed on the first call. */
async function ensure(): Promise<string> {
  await needCommands(["python3"], "the qdrant-edge front runs on Python 3.11 or newer");
  const python = await run("python3", ["-c", "import sys; print(sys.implementation.cache_tag)"]);
  return installed(`qdrant-edge-front-0.9.0-${python.trim()}`, (folder) =>
    installPython(
      ["qdrant-edge-py==0.9.0", "numpy==2.4.6", "orjson==3.13.0", "jsonschema-rs==0.60.3"],
      folder,
    ),
  );
}

async function start(options: QdrantOptions = {}): Promise<QdrantServer> {
  const modules = await ensure();
  const folder = await dataFolder("qdrant-edge-front", options);
  const port = String(await freePort());
  const main = join(import.meta.dirname, "front", "main.py");
  const description = await sharedData("qdrant-openapi-1.18.3.json");
  const front = await startProcess(
    "python3",
    [
      main,
      `--data=${folder.path}`,
      `--port=${port}`,
      ...(options.cluster === true ? ["--cluster"] : []),
      ...(description === undefined ? [] : [`--description=${description}`]),
    ],
    {
      env: {
        PYTHONPATH: modules,
        PYTHONDONTWRITEBYTECODE: "1",
        ...(options.apiKey === undefined ? {} : { QDRANT__SERVICE__API_KEY: options.apiKey }),
        ...(options.readOnlyApiKey === undefined
          ? {}
          : { QDRANT__SERVICE__READ_ONLY_API_KEY: options.readOnlyApiKey }),
      },
    },
  );
  const url = `http://127.0.0.1:${port}`;
  const server = await readyServer(url, front, folder, () => askHttp(`${url}/readyz`));
  return { ...server, apiKey: options.apiKey };
}
