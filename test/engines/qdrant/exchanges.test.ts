import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { engine } from "../require.ts";
import { recordedExchanges } from "./exchanges.ts";
import type { Exchange } from "./exchanges.ts";
import type { QdrantServer } from "./index.ts";

const qdrant = await engine("qdrant");
const exchanges = (await recordedExchanges()) ?? [];
if (exchanges.length === 0) {
  process.stderr.write(
    "skipped: the recorded Qdrant exchanges are not there; MEMKEEP_SHARED names the folder with data/\n",
  );
}

/** Answers that the front cannot give as they were recorded, and why. */
const exceptions = new Map([
  [4, "a collection that the recorded server had from before"],
  [5, "telemetry counts the requests of that server's life"],
]);

/** Answers whose order is that of a hash map, another at every request. */
const unordered = new Map([
  [183, "payload_schema"],
  [188, "payload_schema"],
  [318, "shard_keys"],
]);

describe.skipIf(qdrant.missing || qdrant.existing || exchanges.length === 0)(
  "the qdrant-edge front answers as a real server",
  () => {
    let servers: Record<"plain" | "withKeys" | "cluster", QdrantServer>;

    beforeAll(async () => {
      servers = {
        plain: await qdrant.start(),
        withKeys: await qdrant.start({ apiKey: "writer", readOnlyApiKey: "reader" }),
        cluster: await qdrant.start({ cluster: true }),
      };
    });

    afterAll(async () => {
      for (const server of Object.values(servers)) await server.stop();
    });

    // The recording is one story: each answer depends on the requests before it, so each test runs after the last.
    let snapshot = "";
    test.for(exchanges)("$number $topic: $request.method $request.path", async (exchange) => {
      const { request, response } = exchange;
      const server = servers[serverOf(exchange)];
      const path = request.path.replace(/single-\d+-[\d-]+\.snapshot/, () => snapshot);
      const answer = await fetch(server.url + path, {
        method: request.method,
        ...(request.headers === undefined ? {} : { headers: request.headers }),
        ...(request.body === undefined ? {} : { body: request.body }),
      });
      const body = await answer.text();
      snapshot = /single-\d+-[\d-]+\.snapshot/.exec(body)?.[0] ?? snapshot;
      if (exceptions.has(exchange.number)) return;

      expect(answer.status).toBe(response.status);
      expect(answer.headers.get("content-type")).toBe(response.contentType);
      if (response.body === undefined) return;
      if (unordered.has(exchange.number)) {
        expect(sorted(JSON.parse(comparable(body)))).toEqual(sorted(JSON.parse(comparable(response.body))));
        return;
      }
      // The recorder kept the beginning of the metrics only.
      if (path === "/metrics") expect(response.body.startsWith(body)).toBe(true);
      else expect(comparable(body)).toBe(comparable(response.body));
    });

    test("refuses what the vendor's description does not allow", async () => {
      const { url } = servers.cluster;
      const collection = { vectors: { size: 1, distance: "Dot" } };
      await fetch(`${url}/collections/strict`, { method: "PUT", body: JSON.stringify(collection) });
      const answer = await fetch(`${url}/collections/strict/points/count`, {
        method: "POST",
        body: '{"exact":"yes"}',
      });
      expect(answer.status).toBe(500);
      expect(await answer.text()).toContain("the request is not as described");
    });
  },
);

function serverOf({ topic, request }: Exchange): "plain" | "withKeys" | "cluster" {
  if (topic.includes("api-key")) return "withKeys";
  // The last topic ends with removing what the first server still had.
  const ofCluster = request.path === "/cluster" || request.path.startsWith("/collections/custom");
  return topic.startsWith("cluster mode") && ofCluster ? "cluster" : "plain";
}

/** The text of an answer without what differs from one server, and one moment, to the next. */
function comparable(body: string): string {
  return body
    .replace(/,"time":[\d.e-]+\}$/, "}")
    .replaceAll(/(?<="(peer_id|leader)":|"peers":\{"|"single-|"k-)\d+/g, "PEER")
    .replaceAll(/(?<=127\.0\.0\.1:)\d+/g, "PORT")
    .replaceAll(/\d{4}-\d\d-\d\d[T-]\d\d[:-]\d\d[:-]\d\d(\.\d+)?Z?(?=[".])/g, "TIME")
    .replaceAll(/"size":\d+,"checksum":"[0-9a-f]{64}"/g, '"size":SIZE,"checksum":"SUM"');
}

/** The same value with every list of objects in the order of their texts. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value))
    return value.map(sorted).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, sorted(part)]));
}
