/**
 * Where credentials and the region come from when the configuration names none: variables, profiles, container and instance
 * roles, as every AWS program finds them. The bucket is Versity Gateway's; the roles' services answer on loopback as AWS documents.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import type { S3Server } from "../../../test/engines/versitygw/index.ts";
import { makeBucket, s3Config } from "../contract/s3-place.ts";
import { failureOf, listen } from "../contract/s3-stand-in.ts";
import type { S3Config } from "./config.ts";
import { s3 } from "./index.ts";

const versitygw = await engine("versitygw");

describe.skipIf(versitygw.missing ?? versitygw.existing)("credentials of a bucket", () => {
  let server: S3Server;
  let bucket: AsyncDisposable;
  /** Names no keys and no region. */
  let config: S3Config;
  let folder: string;
  let roles: Server | undefined;

  beforeAll(async () => {
    server = await versitygw.start();
    const whole = s3Config(server);
    bucket = await makeBucket(whole);
    config = { ...whole, accessKeyId: undefined, secretAccessKey: undefined, region: undefined, retryFor: 0 };
  });
  beforeEach(async () => {
    // A folder for each test: the SDK keeps what it once read of a file, or that there was none.
    folder = await mkdtemp(join(tmpdir(), "memkeep-credentials-"));
    for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) vi.stubEnv(name, undefined);
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(folder, "credentials"));
    vi.stubEnv("AWS_CONFIG_FILE", join(folder, "config"));
    // Nothing asks the network for a role unless a test says so.
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
    vi.unstubAllEnvs();
    roles?.close();
    roles = undefined;
  });
  afterAll(async () => {
    await bucket?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  async function expectItWorks(more: Partial<S3Config> = {}): Promise<void> {
    const storage = await s3.open({ ...config, ...more });
    const name = `by/${Math.random().toString(36).slice(2)}`;
    await storage.write(name, [Buffer.from("x")]);
    expect((await storage.read(name)).toString()).toBe("x");
    await storage.close();
  }

  async function answering(listener: RequestListener): Promise<string> {
    roles = createServer(listener);
    return listen(roles);
  }

  it("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", server.accessKey);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", server.secretKey);
    // Without a region the server is asked by us-east-1, and it is that.
    await expectItWorks();
    vi.stubEnv("AWS_REGION", "us-east-1");
    await expectItWorks();
    vi.stubEnv("AWS_REGION", "eu-north-1");
    const storage = await s3.open(config);
    expect(await failureOf(() => storage.read("config"))).toMatchObject({ next: "Set region: us-east-1." });
    await storage.close();
  });

  it("a profile, by the configuration or AWS_PROFILE, with its region; an unknown one is told", async () => {
    const keys = `aws_access_key_id = ${server.accessKey}\naws_secret_access_key = ${server.secretKey}\n`;
    await writeFile(
      join(folder, "credentials"),
      `[default]\naws_access_key_id = other\naws_secret_access_key = other\n[backups]\n${keys}`,
    );
    await writeFile(join(folder, "config"), "[profile backups]\nregion = us-east-1\n");
    await expectItWorks({ profile: "backups" });
    vi.stubEnv("AWS_PROFILE", "backups");
    await expectItWorks();
    vi.stubEnv("AWS_PROFILE", undefined);

    const unknown = await s3.open({ ...config, profile: "nobody" });
    expect(await failureOf(() => unknown.read("config"))).toMatchObject({
      code: "STORAGE_DENIED",
      message: expect.stringContaining("no credentials were found") as string,
      next: expect.stringContaining("AWS_ACCESS_KEY_ID") as string,
      details: { transient: false },
    });
    await unknown.close();
  });

  it("a container's role", async () => {
    const url = await answering((request, response) => {
      const known = request.headers.authorization === "the token";
      response
        .writeHead(known ? 200 : 403, { "content-type": "application/json" })
        .end(known ? roleKeys() : "{}");
    });
    vi.stubEnv("AWS_CONTAINER_CREDENTIALS_FULL_URI", `${url}/role`);
    vi.stubEnv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "the token");
    await expectItWorks();
  });

  it("an instance's role, by the second version of its service", async () => {
    const asked: string[] = [];
    const url = await answering((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      if (request.method === "PUT") response.end("the token");
      else if (request.headers["x-aws-ec2-metadata-token"] !== "the token") response.writeHead(401).end();
      else if (request.url?.endsWith("/security-credentials/") === true) response.end("backups");
      else response.end(roleKeys());
    });
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", undefined);
    vi.stubEnv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url);
    await expectItWorks();
    expect(asked).toContain("PUT /latest/api/token");
  });

  it("none at all is told at once, with what to set", async () => {
    const storage = await s3.open(config);
    const error = await failureOf(() => storage.read("config"));
    expect(error).toMatchObject({
      code: "STORAGE_DENIED",
      next: expect.stringContaining("profile") as string,
    });
    await storage.close();
  });

  function roleKeys(): string {
    return JSON.stringify({
      Code: "Success",
      AccessKeyId: server.accessKey,
      SecretAccessKey: server.secretKey,
      Token: "of the role",
      Expiration: new Date(Date.now() + 3_600_000).toISOString(),
    });
  }
});
