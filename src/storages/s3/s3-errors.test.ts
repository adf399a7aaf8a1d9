/**
 * What people read when something is wrong with an S3 server or the way to it. What Versity Gateway can answer comes
 * from it; the rest comes from a stand-in that answers as AWS documents
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
 */
import { hash } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import type { S3Server } from "../../../test/engines/versitygw/index.ts";
import { namesOf } from "../contract/entries.ts";
import { makeBucket, s3Config } from "../contract/s3-place.ts";
import {
  errorBody,
  failureOf,
  listen,
  pathOf,
  secret,
  storingAnswer,
  testConfig,
} from "../contract/s3-stand-in.ts";
import { isTransient } from "../decorators/retry.ts";
import type { Storage } from "../storage.ts";
import type { S3Config } from "./config.ts";
import { s3 } from "./index.ts";

const versitygw = await engine("versitygw");

describe.skipIf(versitygw.missing)("S3 errors, by Versity Gateway", () => {
  let server: S3Server;
  let config: S3Config;
  let bucket: AsyncDisposable;
  beforeAll(async () => {
    server = await versitygw.start();
    config = s3Config(server);
    bucket = await makeBucket(config);
  });
  afterAll(async () => {
    await bucket?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  it.each<{ wrong: Partial<S3Config>; code: string; happened: string; next: string }>([
    {
      wrong: { secretAccessKey: secret },
      code: "STORAGE_DENIED",
      happened: "secret key does not fit",
      next: "secret access key and the region (us-east-1)",
    },
    {
      wrong: { accessKeyId: "unknown" },
      code: "STORAGE_DENIED",
      happened: "does not know the access key",
      next: "access key id",
    },
    {
      wrong: { bucket: "no-such-bucket" },
      code: "STORAGE_MISSING",
      happened: "no bucket no-such-bucket",
      next: "Create it",
    },
    {
      wrong: { region: "eu-west-9" },
      code: "STORAGE_FAILED",
      happened: "the bucket is in us-east-1, not in eu-west-9",
      next: "Set region: us-east-1",
    },
  ])("every operation says: $happened", async ({ wrong, code, happened, next }) => {
    const storage = await s3.open({ ...config, ...wrong, retryFor: 0 });
    const expected = {
      code,
      message: expect.stringContaining(happened) as string,
      next: expect.stringContaining(next) as string,
      details: { transient: false },
    };

    for (const operation of operationsOf(storage)) {
      const error = await failureOf(operation);
      expect(error).toMatchObject(expected);
      expect(`${error.message} ${error.next}`).not.toContain(secret);
      expect(error.message).toContain(storage.location);
    }
    await storage.close();
  });
});

describe("S3 errors, by a stand-in", () => {
  let close: (() => Promise<void>) | undefined;
  afterEach(async () => {
    await close?.();
    close = undefined;
  });

  /** A stand-in that answers every request so. */
  async function standIn(listener: RequestListener, more: Partial<S3Config> = {}): Promise<Storage> {
    const server = createServer(listener);
    const url = await listen(server);
    const storage = await s3.open(testConfig({ endpoint: url, ...more }));
    close = async () => {
      await storage.close();
      server.close();
    };
    return storage;
  }

  it.each<{
    status: number;
    name: string;
    fields?: string;
    code: string;
    words: string;
    transient?: boolean;
  }>([
    { status: 403, name: "AccessDenied", code: "STORAGE_DENIED", words: "no permission for s3:GetObject" },
    { status: 403, name: "RequestTimeTooSkewed", code: "STORAGE_DENIED", words: "clocks" },
    { status: 400, name: "ExpiredToken", code: "STORAGE_DENIED", words: "session token" },
    {
      status: 301,
      name: "PermanentRedirect",
      code: "STORAGE_FAILED",
      words: "the bucket is in another region",
    },
    {
      status: 400,
      name: "AuthorizationHeaderMalformed",
      fields: "<Region>eu-central-1</Region>",
      code: "STORAGE_FAILED",
      words: "the bucket is in eu-central-1, not in us-east-1",
    },
    { status: 403, name: "InvalidObjectState", code: "STORAGE_FAILED", words: "archive class" },
    { status: 507, name: "XMinioStorageFull", code: "STORAGE_FULL", words: "no room left" },
    { status: 403, name: "QuotaExceeded", code: "STORAGE_FULL", words: "no room left" },
    { status: 418, name: "Odd\u001b[31m", code: "STORAGE_FAILED", words: "418" },
    { status: 503, name: "SlowDown", code: "STORAGE_FAILED", words: "SlowDown", transient: true },
    { status: 500, name: "InternalError", code: "STORAGE_FAILED", words: "InternalError", transient: true },
    { status: 400, name: "RequestTimeout", code: "STORAGE_FAILED", words: "RequestTimeout", transient: true },
    {
      status: 409,
      name: "OperationAborted",
      code: "STORAGE_FAILED",
      words: "OperationAborted",
      transient: true,
    },
    { status: 429, name: "TooManyRequests", code: "STORAGE_FAILED", words: "429", transient: true },
  ])("$status $name is $code", async ({ status, name, fields = "", code, words, transient = false }) => {
    const storage = await standIn((_, response) => {
      response.writeHead(status, { "content-type": "application/xml" }).end(errorBody(name, fields));
    });

    const error = await failureOf(() => storage.read("config"));

    expect(error).toMatchObject({
      code,
      message: expect.stringContaining(words) as string,
      details: { transient },
    });
    expect(isTransient(error)).toBe(transient);
    expect(error.message).not.toContain("\u001b");
  });

  it.each([502, 503, 504])("a gateway's %i without S3's words is tried again", async (status) => {
    let requests = 0;
    const storage = await standIn(
      (_, response) => {
        if (requests++ === 0) response.writeHead(status).end("<html><body>Bad <b>gateway</body>");
        else response.writeHead(200, { "content-length": "5" }).end("right");
      },
      { retryFor: 5000 },
    );

    expect((await storage.read("config")).toString()).toBe("right");
    expect(requests).toBe(2);
  });

  it("names the permission that each operation lacks", async () => {
    const storage = await standIn((request, response) => {
      if (request.method === "HEAD") response.writeHead(404).end();
      else response.writeHead(403).end(errorBody("AccessDenied"));
    });

    expect(await needsOf(() => namesOf(storage))).toBe("Allow s3:ListBucket on the bucket bucket.");
    expect(await needsOf(() => storage.read("config"))).toBe("Allow s3:GetObject on the bucket bucket.");
    expect(await needsOf(() => storage.remove("config"))).toBe("Allow s3:DeleteObject on the bucket bucket.");
  });

  it("a key that may not delete still writes", async () => {
    const stored = new Set<string>();
    const storage = await standIn((request, response) => {
      if (request.method === "DELETE") response.writeHead(403).end(errorBody("AccessDenied"));
      else storingAnswer(stored, request, response);
    });

    await storage.write("data/ab/abcd", [Buffer.from("x")]);

    await expect(storage.remove("data/ab/abcd")).rejects.toMatchObject({ code: "STORAGE_DENIED" });
    expect(stored).toEqual(new Set(["/bucket/data/ab/abcd"]));
  });

  it("a server without conditional uploads is asked whether the name is free, then written to without condition", async () => {
    const requests: string[] = [];
    const stored = new Set<string>();
    const storage = await standIn((request, response) => {
      const condition = request.headers["if-none-match"];
      requests.push(`${request.method} ${pathOf(request)}${condition === undefined ? "" : " if none"}`);
      if (condition === undefined) storingAnswer(stored, request, response);
      else request.resume().on("end", () => response.writeHead(501).end(errorBody("NotImplemented")));
    });

    await storage.write("one", [Buffer.from("x")]);
    await storage.write("two", [Buffer.from("x")]);
    await expect(storage.write("one", [Buffer.from("y")])).rejects.toMatchObject({ code: "STORAGE_EXISTS" });

    expect(requests.filter((request) => request.startsWith("PUT"))).toEqual([
      "PUT /bucket/one if none",
      "PUT /bucket/one",
      "PUT /bucket/two",
    ]);
  });

  it("a bucket with object lock, which wants Content-MD5, gets it from then on", async () => {
    const stored = new Set<string>();
    const refused: string[] = [];
    const storage = await standIn((request, response) => {
      const md5 = request.headers["content-md5"];
      if (request.method !== "PUT" || md5 === hash("md5", "the bytes", "base64")) {
        storingAnswer(stored, request, response);
        return;
      }
      refused.push(pathOf(request));
      const words =
        "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters";
      request
        .resume()
        .on("end", () => response.writeHead(400).end(errorBody("InvalidRequest").replace("as said", words)));
    });

    await storage.write("one", [Buffer.from("the "), Buffer.from("bytes")]);
    await storage.write("two", [Buffer.from("the bytes")]);

    expect([...stored]).toEqual(["/bucket/one", "/bucket/two"]);
    expect(refused).toEqual(["/bucket/one"]);
  });

  it("the storage class and the encryption are said with each upload", async () => {
    const said: unknown[] = [];
    const stored = new Set<string>();
    const storage = await standIn(
      (request, response) => {
        if (request.method === "PUT")
          said.push(
            [
              "x-amz-storage-class",
              "x-amz-server-side-encryption",
              "x-amz-server-side-encryption-aws-kms-key-id",
            ].map((name) => request.headers[name]),
          );
        storingAnswer(stored, request, response);
      },
      { storageClass: "STANDARD_IA", encryption: "aws:kms", kmsKeyId: "alias/backups" },
    );

    await storage.write("one", [Buffer.from("x")]);

    expect(said[0]).toEqual(["STANDARD_IA", "aws:kms", "alias/backups"]);
  });

  it("a server that ignores the condition is not made to overwrite", async () => {
    const puts: string[] = [];
    const storage = await standIn((request, response) => {
      if (request.method === "PUT") puts.push(request.url ?? "");
      response.writeHead(200, { "content-length": "1" }).end(request.method === "HEAD" ? "" : "x");
    });

    await expect(storage.write("taken", [Buffer.from("y")])).rejects.toMatchObject({
      code: "STORAGE_EXISTS",
    });
    expect(puts).toEqual([]);
  });

  it.each([
    {
      server: "refuses a name that is taken",
      refuses: true,
      looks: ["HEAD lock", "PUT lock", "PUT lock", "PUT pack", "PUT other"],
    },
    {
      server: "ignores the condition",
      refuses: false,
      looks: ["HEAD lock", "PUT lock", "PUT lock", "HEAD pack", "PUT pack", "HEAD other", "PUT other"],
    },
  ])(
    "a server that $server is looked at before an upload only as long as it must be",
    async ({ refuses, looks }) => {
      const stored = new Set<string>();
      const requests: string[] = [];
      const storage = await standIn((request, response) => {
        requests.push(`${request.method} ${pathOf(request).replace("/bucket/", "")}`);
        if (!refuses || request.method !== "PUT" || !stored.has(pathOf(request)))
          storingAnswer(stored, request, response);
        else request.resume().on("end", () => response.writeHead(412).end(errorBody("PreconditionFailed")));
      });

      await storage.write("lock", [Buffer.from("x")]);
      await storage.write("pack", [Buffer.from("x")]);
      await storage.write("other", [Buffer.from("x")]);
      await expect(storage.write("pack", [Buffer.from("y")])).rejects.toMatchObject({
        code: "STORAGE_EXISTS",
      });

      expect(requests.filter((request) => !request.startsWith("GET")).slice(0, looks.length)).toEqual(looks);
    },
  );

  it.each<[string, (request: IncomingMessage) => [number, Record<string, string>, string]]>([
    ["gives the whole when a range was asked for", () => [200, { "content-length": "10" }, "0123456789"]],
    ["gives another range", () => [206, { "content-length": "4", "content-range": "bytes 0-3/10" }, "0123"]],
    [
      "gives less than the range",
      () => [206, { "content-length": "3", "content-range": "bytes 2-4/10" }, "234"],
    ],
    [
      "ends before the range does",
      () => [206, { "content-length": "2", "content-range": "bytes 2-3/4" }, "23"],
    ],
    [
      "tells no length",
      () => [206, { "transfer-encoding": "chunked", "content-range": "bytes 2-5/10" }, "2345"],
    ],
  ])("law 3: a server that %s is not believed", async (_, answer) => {
    const storage = await standIn((request, response) => {
      const [status, headers, body] = answer(request);
      response.writeHead(status, headers).end(body);
    });

    const error = await failureOf(() => storage.read("config", { offset: 2, length: 4 }));

    expect(error).toMatchObject({ code: "STORAGE_FAILED" });
  });

  it("law 11: a server that announces more than any entry has is not believed", async () => {
    const storage = await standIn((_, response) => {
      response.writeHead(200, { "content-length": String(2 * 1024 ** 3) }).end("x");
    });

    expect((await failureOf(() => storage.read("config"))).message).toContain("no entry of a repository");
  });

  it.each([
    ["with no word how to go on", ""],
    ["with the same word for ever", "<NextContinuationToken>same</NextContinuationToken>"],
  ])("law 3: a listing that claims to go on, %s, is an error", async (_, token) => {
    const storage = await standIn((_request, response) => {
      const entry = "<Contents><Key>keys/ab</Key><Size>1</Size></Contents>";
      response.end(`<ListBucketResult><IsTruncated>true</IsTruncated>${token}${entry}</ListBucketResult>`);
    });

    await expect(namesOf(storage)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });

  it("law 12: keys that are no names of ours are passed over", async () => {
    const keys = [
      "keys/ab",
      "../../etc/passwd",
      "/abs",
      "a//b",
      "keys/",
      "other/x",
      "keys/a b",
      "keys/&lt;script&gt;",
    ];
    const storage = await standIn((_, response) => {
      const contents = keys.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`).join("");
      response.end(`<ListBucketResult><IsTruncated>false</IsTruncated>${contents}</ListBucketResult>`);
    });

    expect(await namesOf(storage, "keys/")).toEqual(["keys/ab"]);
  });
});

function operationsOf(storage: Storage): (() => Promise<unknown>)[] {
  return [
    () => storage.read("config"),
    () => storage.stat("config"),
    () => namesOf(storage),
    () => storage.write("data/ab/abcd", [Buffer.from("x")]),
    () => storage.remove("data/ab/abcd"),
  ];
}

async function needsOf(operation: () => Promise<unknown>): Promise<string | undefined> {
  return (await failureOf(operation)).next;
}
