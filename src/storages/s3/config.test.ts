import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemkeepError } from "../../domain/errors.ts";
import { parseStorageUrl } from "../index.ts";
import { fromUrl, schema } from "./config.ts";
import { locationOf } from "./location.ts";

describe("an S3 URL", () => {
  it.each([
    [
      "s3:https://s3.example.com/bucket/pre/fix",
      { endpoint: "https://s3.example.com", bucket: "bucket", prefix: "pre/fix" },
    ],
    ["s3:http://127.0.0.1:7070/bucket", { endpoint: "http://127.0.0.1:7070", bucket: "bucket", prefix: "" }],
    [
      "s3:s3.example.com/bucket/pre//fix/",
      { endpoint: "https://s3.example.com", bucket: "bucket", prefix: "pre/fix" },
    ],
    ["s3://s3.example.com/bucket", { endpoint: "https://s3.example.com", bucket: "bucket" }],
    ["s3:localhost:9000/bucket", { endpoint: "https://localhost:9000", bucket: "bucket" }],
    [
      "S3:HTTPS://S3.Example.com/Bucket/Prefix",
      { endpoint: "https://s3.example.com", bucket: "Bucket", prefix: "Prefix" },
    ],
    ["s3:https://s3.example.com/bucket/my%20backups/ä", { prefix: "my backups/ä" }],
    ["s3:s3.amazonaws.com/bucket", { bucket: "bucket", endpoint: undefined, region: undefined }],
    ["s3:https://s3.eu-central-1.amazonaws.com/bucket", { endpoint: undefined, region: "eu-central-1" }],
    ["s3:s3-us-west-2.amazonaws.com/bucket", { endpoint: undefined, region: "us-west-2" }],
    ["s3:s3.dualstack.us-gov-west-1.amazonaws.com/bucket", { endpoint: undefined, region: "us-gov-west-1" }],
    [
      "s3:https://s3.amazonaws.com.evil.example/bucket",
      { endpoint: "https://s3.amazonaws.com.evil.example" },
    ],
  ])("%s is understood", async (url, expected) => {
    const place = await parseStorageUrl(url);
    expect(place.kind).toBe("s3");
    const got = new Map(Object.entries(place.config as object));
    expect(Object.fromEntries(Object.keys(expected).map((key) => [key, got.get(key)]))).toEqual(expected);
    expect(place.config).toMatchObject({ connections: 5, retryFor: 900_000 });
  });

  it.each([
    ["s3:", "no server name"],
    ["s3:https://", "no server name"],
    ["s3:https://s3.example.com", "names no bucket"],
    ["s3:https://s3.example.com/", "names no bucket"],
    ["s3:https://s3.example.com/b!", "bucket: "],
    ["s3:my-bucket/prefix", "no server name"],
    ["s3://my-bucket/prefix", "no server name"],
    ["s3:https://s3.example.com/bucket/%2e%2e%2fother", "prefix: "],
    ["s3:https://s3.example.com/bucket/a%00b", "prefix: "],
    ["s3:https://s3.example.com/bucket?versionId=1", "? or # part"],
    ["s3:https://s3.example.com/bucket#x", "? or # part"],
    ["s3:https://key:5ECRET@s3.example.com/bucket", "holds credentials"],
    ["s3:key:SE/5ECRET@s3.example.com/bucket", ""],
  ])("%s is refused in words, without its secret", async (url, words) => {
    const error = await parseStorageUrl(url).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: "CONFIG_INVALID", next: expect.any(String) as string });
    expect(String(error)).toContain(words);
    expect(JSON.stringify([String(error), (error as MemkeepError).next])).not.toContain("5ECRET");
  });

  it("law 12: any text is a configuration whose place can be parsed again, or CONFIG_INVALID", () => {
    const text = fc.oneof(
      fc.webUrl({ withQueryParameters: true }),
      fc.string({ unit: "binary" }),
      fc.webPath(),
    );
    fc.assert(
      fc.property(text, (rest) => {
        try {
          const config = fromUrl(`s3:${rest}`);
          expect(config.prefix.split("/")).not.toContain("..");
          expect(fromUrl(locationOf(config).replaceAll("%", "%25"))).toEqual(config);
        } catch (error) {
          if (!(error instanceof MemkeepError)) throw error;
          expect(error.code).toBe("CONFIG_INVALID");
        }
      }),
    );
  });
});

describe("an S3 configuration", () => {
  it.each([
    [{ bucket: "bucket", accessKeyId: "a" }, /belong together/],
    [{ bucket: "bucket", accessKeyId: "a", secretAccessKey: "b", profile: "p" }, /exclude each other/],
    [{ bucket: "bucket", endpoint: "ftp://host" }, /endpoint/],
    [{ bucket: "bucket", endpoint: "host" }, /endpoint/],
    [{ bucket: "bucket", connections: 0 }, /connections/],
    [{ bucket: "bucket", prefix: "../x" }, /prefix/],
    [{ bucket: "bucket", secretKey: "5ECRET" }, /secretKey/],
    [{}, /bucket/],
  ])("%j is refused", (config, words) => {
    const { error } = schema.safeParse(config);
    expect(String(error)).toMatch(words);
    expect(String(error)).not.toContain("5ECRET");
  });
});
