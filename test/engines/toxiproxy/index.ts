import { join } from "node:path";

import { installed } from "../cache.ts";
import { freePort } from "../free-port.ts";
import { buildGo } from "../go.ts";
import { askHttp } from "../http.ts";
import { startProcess } from "../process.ts";
import { dataFolder, existingServer, readyServer } from "../server.ts";
import type { Server, ServerEngine } from "../server.ts";

const version = "v2.12.0";

/**
 * Toxiproxy: a TCP proxy between memkeep and an engine that delays, cuts and limits on command. `url` is its HTTP API
 * (`POST /proxies`, `POST /proxies/NAME/toxics`); a proxy that listens on `127.0.0.1:0` gets a free port, which the
 * answer names.
 */
export const toxiproxy: ServerEngine = {
  urlVariable: "MEMKEEP_TEST_TOXIPROXY_URL",
  ensure,
  start,
  existing: existingServer,
};

function ensure(): Promise<string> {
  return installed(`toxiproxy-${version}`, (folder) =>
    buildGo("github.com/Shopify/toxiproxy/v2/cmd/server", version, join(folder, "toxiproxy-server")),
  );
}

async function start(): Promise<Server> {
  const binary = join(await ensure(), "toxiproxy-server");
  const port = await freePort();
  const process = await startProcess(binary, ["-host", "127.0.0.1", "-port", String(port)]);
  const url = `http://127.0.0.1:${port}`;
  return readyServer(url, process, await dataFolder("toxiproxy", {}), () => askHttp(`${url}/version`));
}
