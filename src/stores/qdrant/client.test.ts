/** What goes over the wire: names as data, TLS, and nothing that a proxy could take for something else. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { QdrantServer } from "../../../test/engines/qdrant/index.ts";
import { engine } from "../../../test/engines/require.ts";
import { tamperWith } from "../../../test/qdrant/tampering.ts";
import { Place } from "../../../test/qdrant/testing.ts";
import { silentObserver } from "../../domain/observer.ts";
import { systemClock } from "../../util/clock/clock.ts";
import { takeDump } from "../contract/dump-folder.ts";
import { QdrantClient, segment } from "./client.ts";
import { fromUrl, schema } from "./config.ts";

const testEngine = await engine("qdrant");
const certificate = fileURLToPath(new URL("../../../test/fixtures/tls/cert.pem", import.meta.url));
const key = fileURLToPath(new URL("../../../test/fixtures/tls/key.pem", import.meta.url));

const hostile = fc.constantFrom(
  "..",
  ".",
  "%",
  "%2F",
  "%2e%2e",
  "/",
  "\\",
  "?",
  "#",
  "&",
  "=",
  ":",
  ";",
  "@",
  "+",
  " ",
  "\t",
  "\r\n",
  "\u0000",
  "'",
  '"',
  "`",
  "{}",
  "é",
  "e\u0301",
  "ß",
  "\u202e",
  "\ufeff",
  "💾",
  "記憶",
  "aliases",
  "collections",
  "points",
);

test("law 12: 10,000 names arrive as one segment of the path, unchanged", { timeout: 120_000 }, async () => {
  const names = fc.sample(
    fc
      .array(fc.oneof(hostile, fc.string({ unit: "binary", maxLength: 3 })), { minLength: 1, maxLength: 8 })
      .map((parts) => parts.join("").toWellFormed())
      .filter((name) => name !== ""),
    { numRuns: 10_000, seed: 7 },
  );
  const arrived: string[] = [];
  const echo = createServer((request, response) => {
    arrived.push(request.url!);
    response.end('{"result":true}');
  });
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(echo.address() as AddressInfo).port}`;
  const signal = new AbortController().signal;
  using client = new QdrantClient(schema.parse({ url, retryFor: "0s" }), {
    name: "memory",
    clock: systemClock,
    observer: silentObserver,
    spoolFolder: "/nonexistent",
    signal,
  });
  for (const name of names) {
    await client.ask("GET", `/collections/${segment(name)}/exists`, undefined, () => undefined);
    const path = arrived.pop()!;
    const parts = /^\/collections\/([^/?#]+)\/exists$/.exec(path);
    expect(parts && decodeURIComponent(parts[1]!), JSON.stringify(name)).toBe(name);
    // What a proxy makes of it is the same: no `..` is left to be resolved.
    // (Two names are folders to whoever resolves paths, however they are written; a server takes them as names.)
    if (name !== "." && name !== "..") expect(new URL(path, url).pathname).toBe(path);
  }
  echo.closeAllConnections();
  echo.close();
});

test.each(["\ud800", "a\udfff"])("law 12: half of a surrogate pair is no name", (name) => {
  expect(schema.safeParse({ url: "http://host:6333", collections: [name] }).success).toBe(false);
  expect(schema.safeParse({ url: "http://host:6333", prefix: name }).success).toBe(false);
});

describe.skipIf(testEngine.missing || testEngine.existing)("TLS", () => {
  let server: QdrantServer;
  beforeAll(async () => {
    server = await testEngine.start({ apiKey: "secret" });
  });
  afterAll(() => server.stop());

  test("a server behind a certificate of one's own is read with caFile, and refused without", async () => {
    await using place = new Place(server);
    await place.create("c", '{"vectors":{"size":1,"distance":"Dot"}}');
    await place.upsert("c", '{"id":1,"vector":[1.0]}');
    const tls = { key: await readFile(key, "utf8"), cert: await readFile(certificate, "utf8") };
    await using between = await tamperWith(server.url, (_, pass) => pass(), tls);
    const { url } = fromUrl(between.url.replace("https", "qdrants"));
    const { manifest } = await takeDump(
      place.store({ url, caFile: certificate }),
      join(place.folder(), "memory"),
    );
    expect(manifest.collections[0]!.records).toBe(1);
    await expect(place.store({ url, retryFor: "0s" }).describe()).rejects.toMatchObject({
      code: "STORE_UNREACHABLE",
      message: expect.stringMatching(/certificate/) as string,
    });
    await expect(place.store({ url, caFile: "/nowhere.pem" }).describe()).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  });
});
