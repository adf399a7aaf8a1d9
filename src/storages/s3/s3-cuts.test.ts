/** Connections that are cut or stall at every stage, by Toxiproxy between memkeep and Versity Gateway. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import type { Server } from "../../../test/engines/server.ts";
import { ToxicProxy } from "../../../test/engines/toxiproxy/proxy.ts";
import type { S3Server } from "../../../test/engines/versitygw/index.ts";
import type { Observer } from "../../domain/observer.ts";
import { silentObserver } from "../../domain/observer.ts";
import { namesOf } from "../contract/entries.ts";
import { makeBucket, s3Config } from "../contract/s3-place.ts";
import type { Storage } from "../storage.ts";
import type { S3Config } from "./config.ts";
import { s3 } from "./index.ts";

const versitygw = await engine("versitygw");
const toxiproxy = await engine("toxiproxy");
const sizeBytes = 3 * 1024 * 1024;
const points = Array.from({ length: 20 }, (_, index) => index + 1);

describe.skipIf(versitygw.missing ?? toxiproxy.missing)("S3 over a network that fails", () => {
  let server: S3Server;
  let proxies: Server;
  let proxy: ToxicProxy;
  let config: S3Config;
  let direct: Storage;
  let bucket: AsyncDisposable;
  beforeAll(async () => {
    server = await versitygw.start();
    proxies = await toxiproxy.start();
    proxy = await ToxicProxy.create(proxies.url, server.url);
    config = s3Config(server);
    bucket = await makeBucket(config);
    direct = await s3.open(config);
  });
  beforeEach(() => proxy.heal());
  afterAll(async () => {
    await direct?.close();
    await bucket?.[Symbol.asyncDispose]();
    await proxies?.stop();
    await server?.stop();
  });

  /** Behind the proxy. `onRetry` is called before every retry. */
  function proxied(onRetry: () => void, more: Partial<S3Config> = {}): Promise<Storage> {
    const observer: Observer = { ...silentObserver, warn: onRetry };
    return s3.open({ ...config, endpoint: proxy.url, ...more }, observer);
  }

  it.each(points)("an upload that is cut at %i twentieths is tried again, and whole", async (point) => {
    const bytes = randomBytes(sizeBytes);
    const retries: Promise<void>[] = [];
    const storage = await proxied(() => retries.push(proxy.heal()));
    await proxy.poison("upstream", "limit_data", { bytes: cutAt(point) });

    await storage.write(`upload/${point}`, [bytes.subarray(0, 1000), bytes.subarray(1000)]);

    expect(retries).toHaveLength(1);
    expect((await direct.read(`upload/${point}`)).equals(bytes)).toBe(true);
    await storage.close();
  });

  it.each(points)("a download that is cut at %i twentieths is tried again, and whole", async (point) => {
    const bytes = randomBytes(sizeBytes);
    await direct.write(`download/${point}`, [bytes]);
    const retries: Promise<void>[] = [];
    const storage = await proxied(() => retries.push(proxy.heal()));
    await proxy.poison("downstream", "limit_data", { bytes: cutAt(point) });

    const read = await storage.read(`download/${point}`);

    expect(retries).toHaveLength(1);
    expect(read.equals(bytes)).toBe(true);
    await storage.close();
  });

  it.each(points)(
    "law 3, law 4: cut for ever at %i twentieths, both fail and nothing is short",
    async (point) => {
      await direct.write(`for-ever/${point}/down`, [randomBytes(sizeBytes)]);
      const storage = await proxied(() => undefined, { retryFor: 0 });
      await proxy.poison("upstream", "limit_data", { bytes: cutAt(point) });
      await proxy.poison("downstream", "limit_data", { bytes: cutAt(point) });
      const failed = {
        code: "STORAGE_FAILED",
        message: expect.stringContaining("the connection to") as string,
      };

      await expect(storage.write(`for-ever/${point}/up`, [randomBytes(sizeBytes)])).rejects.toMatchObject(
        failed,
      );
      await expect(storage.read(`for-ever/${point}/down`)).rejects.toMatchObject(failed);

      expect(await namesOf(direct, `for-ever/${point}/`)).toEqual([`for-ever/${point}/down`]);
      await storage.close();
    },
  );

  it("an upload whose answer is lost has worked, and is found out by looking", async () => {
    const bytes = randomBytes(1000);
    const storedBeforeRetry: boolean[] = [];
    // The answer to the look before the upload shall pass, and the upload's own be cut: how long they are is tried out.
    for (let passed = 200; passed < 1000 && !storedBeforeRetry.includes(true); passed += 20) {
      const name = `lost/${passed}`;
      const checks: Promise<void>[] = [];
      const storage = await proxied(() => {
        const check = direct.stat(name).then((stat) => void storedBeforeRetry.push(stat !== undefined));
        checks.push(check.then(() => proxy.heal()));
      });
      // Now it knows that the bucket is there, and asks for nothing but the entry.
      await storage.stat(name);
      await proxy.poison("downstream", "limit_data", { bytes: passed });
      await storage.write(name, [bytes]);
      await Promise.all([...checks, proxy.heal()]);
      expect((await direct.read(name)).equals(bytes)).toBe(true);
      await storage.close();
    }
    expect(storedBeforeRetry).toContain(true);
  });

  it("a listing of 2,500 goes on where it was cut", async () => {
    const names = Array.from({ length: 2500 }, (_, index) => `many/${String(index).padStart(4, "0")}`);
    const queue = names.values();
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        for (const name of queue) await direct.write(name, []);
      }),
    );
    for (const bytes of [1000, 80_000, 160_000, 240_000]) {
      const retries: Promise<void>[] = [];
      const storage = await proxied(() => retries.push(proxy.heal()));
      await proxy.poison("downstream", "limit_data", { bytes });

      expect(await namesOf(storage, "many/")).toEqual(names);

      expect(retries.length, `cut after ${bytes}`).toBe(1);
      await storage.close();
    }
  });

  it("a connection on which nothing moves is given up and tried again", async () => {
    const bytes = randomBytes(sizeBytes);
    await direct.write("stalled", [bytes]);
    for (const stream of ["upstream", "downstream"] as const) {
      const retries: Promise<void>[] = [];
      const storage = await proxied(() => retries.push(proxy.heal()), { stallLimit: 500 });
      await proxy.poison(stream, "timeout", { timeout: 0 });

      expect((await storage.read("stalled")).equals(bytes)).toBe(true);
      await proxy.poison(stream, "timeout", { timeout: 0 });
      await storage.write(`stalled-${stream}`, [bytes]);

      expect(retries).toHaveLength(2);
      expect((await direct.read(`stalled-${stream}`)).equals(bytes)).toBe(true);
      await storage.close();
    }
  });

  it("a server that is away for now is waited for", async () => {
    const retries: Promise<void>[] = [];
    const storage = await proxied(() => retries.push(proxy.enable(true)));
    await direct.write("away", [Buffer.from("x")]);
    await proxy.enable(false);

    expect((await storage.read("away")).toString()).toBe("x");
    expect(retries).toHaveLength(1);
    await storage.close();
  });
});

/** In the middle of the bodies; the first and the last points are within a few bytes of their ends. */
function cutAt(point: number): number {
  if (point === 1) return 10;
  if (point === 20) return sizeBytes - 100;
  return Math.floor((sizeBytes * point) / 20);
}
