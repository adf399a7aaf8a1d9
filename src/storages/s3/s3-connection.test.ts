import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { freePort } from "../../../test/engines/free-port.ts";
import { failureOf, listen, testConfig } from "../contract/s3-stand-in.ts";
import { isTransient } from "../decorators/retry.ts";
import { s3 } from "./index.ts";

describe("the way to an S3 server", () => {
  const certificate = fileURLToPath(new URL("../../../test/fixtures/tls/cert.pem", import.meta.url));

  it("a certificate of one's own is refused, or trusted when its file is named", async () => {
    const large = randomBytes(5_000_000);
    const key = await readFile(fileURLToPath(new URL("../../../test/fixtures/tls/key.pem", import.meta.url)));
    const server = createTlsServer({ key, cert: await readFile(certificate) }, (_, response) => {
      response.writeHead(200, { "content-length": String(large.length) }).end(large);
    });
    const url = (await listen(server)).replace("http:", "https:");

    const refusing = await s3.open(testConfig({ endpoint: url }));
    expect(await failureOf(() => refusing.read("config"))).toMatchObject({
      code: "STORAGE_FAILED",
      message: expect.stringContaining("is not trusted") as string,
      next: expect.stringContaining("caFile") as string,
      details: { transient: false },
    });
    const trusting = await s3.open(testConfig({ endpoint: url, caFile: certificate }));
    const both = await Promise.all([trusting.read("config"), trusting.read("config")]);
    expect(both.every((bytes) => bytes.equals(large))).toBe(true);

    await Promise.all([refusing.close(), trusting.close()]);
    server.close();
    await expect(s3.open(testConfig({ endpoint: url, caFile: "/no/such.pem" }))).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  });

  it("a server without TLS is named so", async () => {
    const server = createServer((_, response) => response.end());
    const url = (await listen(server)).replace("http:", "https:");
    const storage = await s3.open(testConfig({ endpoint: url }));

    expect((await failureOf(() => storage.read("config"))).message).toContain("does not speak TLS");

    await storage.close();
    server.close();
  });

  it("an unknown name is no passing failure; a refused connection is one", async () => {
    const unknown = await s3.open(testConfig({ endpoint: "http://no-such-host.invalid" }));
    const refused = await s3.open(testConfig({ endpoint: `http://127.0.0.1:${await freePort()}` }));

    const [unknownError, refusedError] = [
      await failureOf(() => unknown.read("config")),
      await failureOf(() => refused.read("config")),
    ];

    expect(unknownError.message).toMatch(/was not found|EAI_AGAIN/);
    expect(refusedError.message).toContain("connection to http://127.0.0.1");
    expect(isTransient(refusedError)).toBe(true);
    await Promise.all([unknown.close(), refused.close()]);
  });
});
