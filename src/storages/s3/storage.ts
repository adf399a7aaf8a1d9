import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import type { GetObjectCommandOutput, ListObjectsV2CommandOutput, S3Client } from "@aws-sdk/client-s3";
import { MemkeepError } from "../../domain/errors.ts";
import { retry } from "../../util/retry/retry.ts";
import type { RetryOptions } from "../../util/retry/retry.ts";
import { checkName, checkPrefix, isEntryName } from "../name.ts";
import type { ByteRange, Storage, StorageEntry, StorageProperties } from "../storage.ts";
import type { S3Config } from "./config.ts";
import { answerOf, s3Failure } from "./errors.ts";
import { fillFrom } from "./fill.ts";
import { locationOf } from "./location.ts";

/** Each takes the memory of a pack (law 11). */
const mostUploads = 6;
const mostSkewMs = 15 * 60_000;
const clockError = Object.assign(new Error("the answer has no word"), { name: "RequestTimeTooSkewed" });
/** An upload up to this size is worth sending twice to learn how the server keeps names. */
const smallBytes = 64 * 1024;

/**
 * A bucket, or a prefix in one; keys are laid out as restic's own S3 backend does. It tries nothing again by itself
 * but the later pages of a listing, which a decorator could only begin anew; `index.ts` puts the decorators around it.
 */
export class S3Storage implements Storage {
  readonly location: string;
  readonly properties: StorageProperties;
  readonly #client: S3Client;
  readonly #config: S3Config;
  readonly #keyPrefix: string;
  readonly #pageRetry: RetryOptions;
  readonly #closed = new AbortController();
  /** Off once the server said that it knows no `If-None-Match` on uploads. */
  #conditional = true;
  /** On once the server asked for a digest that it checks itself: buckets with object lock do. */
  #withMd5 = false;
  /** Whether the server has been seen to refuse a name that is taken: then nobody has to look before an upload. AWS does. */
  #refusesTaken: boolean;
  #askedWhetherItRefuses = false;
  #bucketSeen = false;

  constructor(config: S3Config, client: S3Client, pageRetry: RetryOptions) {
    this.location = locationOf(config);
    // Two connections are left for what is asked meanwhile: a lock to refresh, an index file.
    const uploads = Math.min(mostUploads, Math.max(1, config.connections - 2));
    this.properties = { connections: config.connections, uploads, consistentList: true };
    this.#client = client;
    this.#config = config;
    this.#refusesTaken = config.endpoint === undefined;
    this.#keyPrefix = config.prefix === "" ? "" : `${config.prefix}/`;
    this.#pageRetry = { ...pageRetry, signal: this.#closed.signal };
  }

  async *list(prefix: string): AsyncIterable<StorageEntry> {
    const keys = this.#keyPrefix + checkPrefix(prefix, this.location);
    const tried = `list ${prefix || "all entries"} in ${this.location}`;
    let token: string | undefined;
    do {
      const fetchPage = (): Promise<ListObjectsV2CommandOutput> => this.#page(keys, token, tried);
      const page = token === undefined ? await fetchPage() : await retry(fetchPage, this.#pageRetry);
      for (const { Key = "", Size } of page.Contents ?? []) {
        const name = Key.slice(this.#keyPrefix.length);
        if (!Key.startsWith(keys) || !isEntryName(name)) continue;
        if (Size === undefined) throw incomplete(tried, `it tells no size of ${name}`);
        yield { name, sizeBytes: Size };
      }
      const next = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      // Either would end the listing early, or never (law 3).
      if (page.IsTruncated === true && (next === undefined || next === token)) {
        throw incomplete(tried, "there is more, but not how to ask for it");
      }
      token = next;
    } while (token !== undefined);
  }

  async read(name: string, range?: ByteRange, into?: Uint8Array): Promise<Buffer> {
    const key = this.#key(name);
    const tried = `read ${name} in ${this.location}`;
    const offset = range?.offset ?? 0;
    // A range of HTTP holds at least one byte, and begins before the end.
    if (range !== undefined && (range.length === 0 || range.length === undefined)) {
      const found = await this.stat(name);
      if (found === undefined) throw missing(tried);
      if (offset > found.sizeBytes) throw incomplete(tried, `it ends at byte ${found.sizeBytes}`);
      if (range.length === 0 || offset === found.sizeBytes) return Buffer.from(new ArrayBuffer(0));
      return this.read(name, { offset, length: found.sizeBytes - offset });
    }
    try {
      const answer: GetObjectCommandOutput = await this.#client.send(
        new GetObjectCommand({
          Bucket: this.#config.bucket,
          Key: key,
          ...(range?.length === undefined ? {} : { Range: `bytes=${offset}-${offset + range.length - 1}` }),
        }),
      );
      this.#bucketSeen = true;
      return await fillFrom(
        answer,
        range?.length === undefined ? undefined : { offset, length: range.length },
        tried,
        into,
      );
    } catch (error) {
      if (answerOf(error).name === "InvalidRange")
        throw incomplete(tried, "the range begins after its end", error);
      throw this.#failure(error, tried, "s3:GetObject");
    }
  }

  async write(name: string, parts: readonly Uint8Array[], sha256?: string): Promise<void> {
    const key = this.#key(name);
    const tried = `write ${name} in ${this.location}`;
    const digest = sha256 ?? digestOf(parts);
    if (!this.#refusesTaken || !this.#conditional) await this.#refuseTaken(name, tried);
    try {
      await this.#put(key, parts, digest);
    } catch (error) {
      const answer = answerOf(error);
      if (this.#conditional && answer.name === "NotImplemented") this.#conditional = false;
      else if (!this.#withMd5 && wantsMd5(answer)) this.#withMd5 = true;
      else throw this.#failure(error, tried, "s3:PutObject");
      return this.write(name, parts, digest);
    }
    await this.#learnWhetherItRefuses(key, parts, digest);
  }

  async remove(name: string): Promise<void> {
    const key = this.#key(name);
    try {
      await this.#client.send(new DeleteObjectCommand({ Bucket: this.#config.bucket, Key: key }));
    } catch (error) {
      if (answerOf(error).name === "NoSuchKey") return;
      throw this.#failure(error, `remove ${name} from ${this.location}`, "s3:DeleteObject");
    }
  }

  async stat(name: string): Promise<{ sizeBytes: number } | undefined> {
    const key = this.#key(name);
    const tried = `look for ${name} in ${this.location}`;
    try {
      const head = await this.#client.send(new HeadObjectCommand({ Bucket: this.#config.bucket, Key: key }));
      this.#bucketSeen = true;
      if (head.ContentLength === undefined) throw incomplete(tried, "it tells no size");
      return { sizeBytes: head.ContentLength };
    } catch (error) {
      const { status } = answerOf(error);
      if (status === 404) {
        await this.#confirmBucket(tried);
        return undefined;
      }
      if (status === 403 && this.#clockIsOff()) throw this.#failure(clockError, tried, "s3:GetObject");
      // The answer to HEAD has no body, and so no word of what is wrong: the same asked by GET has.
      if (status === 403 || status === 400) await this.read(name, { offset: 0, length: 1 });
      throw this.#failure(error, tried, "s3:GetObject");
    }
  }

  /** Uploads are single requests: what was cut is not kept by the server. */
  sweep(): Promise<number> {
    return Promise.resolve(0);
  }

  close(): Promise<void> {
    this.#closed.abort();
    this.#client.destroy();
    return Promise.resolve();
  }

  #key(name: string): string {
    return this.#keyPrefix + checkName(name, this.location);
  }

  async #page(prefix: string, token: string | undefined, tried: string): Promise<ListObjectsV2CommandOutput> {
    try {
      const page = await this.#client.send(
        new ListObjectsV2Command({ Bucket: this.#config.bucket, Prefix: prefix, ContinuationToken: token }),
      );
      this.#bucketSeen = true;
      return page;
    } catch (error) {
      throw this.#failure(error, tried, "s3:ListBucket");
    }
  }

  /**
   * Servers that ignore the condition exist, and cannot be told from others until a name is taken. So the first small entry
   * of a session, as a lock is, is sent a second time: a server that refuses it keeps the condition, and no later upload has to be
   * preceded by a look. One that takes it has the same bytes as before.
   */
  async #learnWhetherItRefuses(key: string, parts: readonly Uint8Array[], digest: string): Promise<void> {
    if (this.#refusesTaken || this.#askedWhetherItRefuses || !this.#conditional) return;
    if (bytesOf(parts) > smallBytes) return;
    this.#askedWhetherItRefuses = true;
    try {
      await this.#put(key, parts, digest);
    } catch (error) {
      // Any other answer teaches nothing, and the entry is stored already.
      this.#refusesTaken = answerOf(error).name === "PreconditionFailed";
    }
  }

  async #put(key: string, parts: readonly Uint8Array[], digest: string): Promise<void> {
    const sizeBytes = bytesOf(parts);
    // Not joined: that would take the room of one more pack for every connection.
    const body = Readable.from(
      parts.filter((part) => part.byteLength > 0),
      { objectMode: true },
    );
    const { bucket, storageClass, encryption, kmsKeyId } = this.#config;
    const command = new PutObjectCommand({
      Bucket: bucket,
      Key: key,
      Body: sizeBytes === 0 ? Buffer.alloc(0) : body,
      ContentLength: sizeBytes,
      ContentType: "application/octet-stream",
      ...(this.#conditional ? { IfNoneMatch: "*" } : {}),
      ...(this.#withMd5 ? { ContentMD5: digestOf(parts, "md5", "base64") } : {}),
      ...(storageClass === undefined ? {} : { StorageClass: storageClass as never }),
      ...(encryption === undefined ? {} : { ServerSideEncryption: encryption }),
      ...(kmsKeyId === undefined ? {} : { SSEKMSKeyId: kmsKeyId }),
    });
    // The digest is signed with the request: the server refuses bytes that were changed on the way.
    command.middlewareStack.add(
      (next) => (args) => {
        const { request } = args;
        if (hasHeaders(request)) request.headers["x-amz-content-sha256"] = digest;
        return next(args);
      },
      { step: "build", name: "sha256OfParts" },
    );
    try {
      await this.#client.send(command);
      this.#bucketSeen = true;
    } finally {
      body.destroy();
    }
  }

  async #refuseTaken(name: string, tried: string): Promise<void> {
    if ((await this.stat(name)) === undefined) return;
    throw new MemkeepError("STORAGE_EXISTS", { tried, happened: "the name is taken" });
  }

  /**
   * "Not found" as the answer to HEAD, which has no body, may mean the bucket too: that must not look like an empty one
   * (law 3). Asked until the bucket has been seen once.
   */
  async #confirmBucket(tried: string): Promise<void> {
    if (this.#bucketSeen) return;
    try {
      await this.#client.send(new ListObjectsV2Command({ Bucket: this.#config.bucket, MaxKeys: 1 }));
    } catch (error) {
      // Keys without the permission to list may not ask, but the server knows the bucket.
      if (answerOf(error).name !== "AccessDenied") throw this.#failure(error, tried, "s3:ListBucket");
    }
    this.#bucketSeen = true;
  }

  /**
   * Beyond what S3 takes. The SDK learns it from the answer and signs the next request by the server's clock, so that the same
   * asked again would not say what was wrong; snapshots would still be dated by the wrong one.
   */
  #clockIsOff(): boolean {
    return Math.abs(this.#client.config.systemClockOffset) >= mostSkewMs;
  }

  #failure(error: unknown, tried: string, action: string): MemkeepError {
    return s3Failure(error, { tried, action, config: this.#config });
  }
}

function bytesOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.byteLength, 0);
}

function digestOf(
  parts: readonly Uint8Array[],
  algorithm: "sha256" | "md5" = "sha256",
  encoding: "hex" | "base64" = "hex",
): string {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest(encoding);
}

/** What a bucket with object lock answers to an upload that has neither `Content-MD5` nor one of the newer checksums. */
function wantsMd5({ name, message }: ReturnType<typeof answerOf>): boolean {
  return (name === "InvalidRequest" || name === "InvalidDigest") && /content-md5|checksum/i.test(message);
}

function missing(tried: string): MemkeepError {
  return new MemkeepError("STORAGE_MISSING", { tried, happened: "there is no such entry" });
}

function incomplete(tried: string, happened: string, cause?: unknown): MemkeepError {
  return new MemkeepError("STORAGE_FAILED", {
    tried,
    happened,
    details: { transient: false },
    ...(cause === undefined ? {} : { cause }),
  });
}

function hasHeaders(request: unknown): request is { headers: Record<string, string> } {
  return typeof request === "object" && request !== null && "headers" in request;
}
