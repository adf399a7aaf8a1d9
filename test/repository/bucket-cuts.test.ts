/**
 * Whole backups into a bucket and restores out of it, over connections that end after ever more bytes: whatever is cut, the snapshots
 * of before are whole, nothing is given out short, and the next run works without help. On Versity Gateway and Toxiproxy.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { namesOf } from "../../src/storages/contract/entries.ts";
import { makeBucket, s3Config } from "../../src/storages/contract/s3-place.ts";
import { s3 } from "../../src/storages/s3/index.ts";
import type { Storage } from "../../src/storages/storage.ts";
import { isMemkeepError } from "../../src/domain/errors.ts";
import { engine } from "../engines/require.ts";
import type { Server } from "../engines/server.ts";
import { ToxicProxy } from "../engines/toxiproxy/proxy.ts";
import type { S3Server } from "../engines/versitygw/index.ts";
import { seededBytes } from "./random-bytes.ts";
import { backup, type Content, makeWorld, restore, type World } from "./world.ts";

const versitygw = await engine("versitygw");
const toxiproxy = await engine("toxiproxy");
const points = 20;
const sizeBytes = 600_000;
const signal = new AbortController().signal;

describe.skipIf(versitygw.missing ?? toxiproxy.missing)(
  "a repository in a bucket behind a proxy that cuts",
  () => {
    let server: S3Server;
    let proxies: Server;
    let proxy: ToxicProxy;
    let bucket: AsyncDisposable;
    let world: World;
    /** Past the proxy, and through it without a second try. */
    let direct: Storage;
    let proxied: Storage;
    const content: Content = { "store/a.jsonl": seededBytes(1, sizeBytes) };
    let first: string;

    beforeAll(async () => {
      server = await versitygw.start();
      proxies = await toxiproxy.start();
      proxy = await ToxicProxy.create(proxies.url, server.url);
      const config = s3Config(server);
      bucket = await makeBucket(config);
      direct = await s3.open(config);
      proxied = await s3.open({ ...config, endpoint: proxy.url, retryFor: 0, stallLimit: 5_000 });
      world = await makeWorld();
      const made = world.process().storage;
      for (const name of await namesOf(made)) await direct.write(name, [await made.read(name)]);
      first = (
        await backup(
          world.process(() => direct),
          content,
        )
      ).id;
    });
    beforeEach(() => proxy.heal());
    afterAll(async () => {
      await world?.[Symbol.asyncDispose]();
      await Promise.all([direct, proxied].map((storage) => storage?.close()));
      await bucket?.[Symbol.asyncDispose]();
      await proxies?.stop();
      await server?.stop();
    });

    /** The first within the head of a request, the last beyond every pack. */
    function cutAt(point: number): number {
      return Math.round((sizeBytes * 1.1 * (point - 1)) / (points - 1)) + 10;
    }

    it(`law 4: uploads cut at ${points} points leave earlier snapshots whole, and the next run works`, async () => {
      const outcomes = new Set<string>();
      for (let point = 1; point <= points; point++) {
        const changed = { ...content, "store/b.jsonl": seededBytes(100 + point, sizeBytes) };
        await proxy.poison("upstream", "limit_data", { bytes: cutAt(point) });
        const outcome = await backup(
          world.process(() => proxied),
          changed,
        ).then(
          ({ id }) => id,
          (error: unknown) => {
            expect(error).toMatchObject({ code: "STORAGE_FAILED" });
            return undefined;
          },
        );
        await proxy.heal();
        outcomes.add(outcome === undefined ? "failed" : "written");
        const next = world.process(() => direct);
        expect(await restore(await next.open(first)), `cut at ${point}`).toEqual(content);
        if (outcome !== undefined) expect(await restore(await next.open(outcome))).toEqual(changed);
        await next.unlock(true);
      }
      expect(outcomes).toEqual(new Set(["failed", "written"]));
      const last = world.process(() => direct);
      await backup(last, { "store/c.jsonl": seededBytes(2, sizeBytes) });
      const { findings } = await world.process(() => direct).check({ data: true, signal });
      expect(findings).toEqual([]);
    });

    it(`law 3: downloads cut at ${points} points give the whole or an error`, async () => {
      const outcomes = new Set<string>();
      for (let point = 1; point <= points; point++) {
        await proxy.poison("downstream", "limit_data", { bytes: cutAt(point) });
        try {
          const reader = await world.process(() => proxied).open(first);
          expect(await restore(reader), `cut at ${point}`).toEqual(content);
          outcomes.add("whole");
        } catch (error) {
          if (!isMemkeepError(error)) throw error;
          expect(error.code).toBe("STORAGE_FAILED");
          outcomes.add("failed");
        }
        await proxy.heal();
      }
      expect(outcomes).toEqual(new Set(["failed", "whole"]));
    });
  },
);
