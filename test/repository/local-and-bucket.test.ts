/**
 * One run into a folder and a bucket, the bucket behind a network that fails, stalls or slows at every phase: the folder has its
 * snapshot whole, the report speaks of each, and the next run brings the bucket up to date. On Versity Gateway and Toxiproxy.
 */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { loadConfiguration } from "../../src/config/load.ts";
import { openStack } from "../../src/config/open-stack.ts";
import { silentObserver } from "../../src/domain/observer.ts";
import type { BackupReport } from "../../src/engine/backup/report.ts";
import { backup } from "../../src/engine/backup/run.ts";
import type { Stack, Surroundings } from "../../src/engine/stack.ts";
import { namesOf } from "../../src/storages/contract/entries.ts";
import { makeBucket, s3Config } from "../../src/storages/contract/s3-place.ts";
import type { S3Config } from "../../src/storages/s3/config.ts";
import { s3 } from "../../src/storages/s3/index.ts";
import { systemClock } from "../../src/util/clock/clock.ts";
import { Redactor } from "../../src/util/redact/redactor.ts";
import { change, makeMemories } from "../engine/stack.ts";
import { engine, program } from "../engines/require.ts";
import type { Server } from "../engines/server.ts";
import { ToxicProxy } from "../engines/toxiproxy/proxy.ts";
import type { S3Server } from "../engines/versitygw/index.ts";
import { makeFolder, removeFolder, runMemkeep, type Ended } from "../cli/run-memkeep.ts";

const versitygw = await engine("versitygw");
const toxiproxy = await engine("toxiproxy");
const restics = await Promise.all(
  (["restic-0.14.0", "restic-0.18.0"] as const).map(async (name) => ({ name, ...(await program(name)) })),
);
const options = { minIntervalMs: 0, force: false, tags: [], allowEmpty: false, dryRun: false };
const nightlyMs = Number(process.env["MEMKEEP_NIGHTLY_MINUTES"] ?? 10) * 60_000;

describe.skipIf(versitygw.missing ?? toxiproxy.missing)("a folder and a bucket in one run", () => {
  let server: S3Server;
  let proxies: Server;
  let proxy: ToxicProxy;
  let folder: string;
  let bucket: AsyncDisposable;
  let config: S3Config;
  let environment: Record<string, string>;

  beforeAll(async () => {
    server = await versitygw.start();
    proxies = await toxiproxy.start();
    proxy = await ToxicProxy.create(proxies.url, server.url);
    config = s3Config(server);
    bucket = await makeBucket(config);
    folder = await makeFolder();
    makeMemories(join(folder, "memory.db"), 100);
    environment = {
      MEMKEEP_PASSWORD: "of the tests",
      RESTIC_PASSWORD: "of the tests",
      AWS_ACCESS_KEY_ID: server.accessKey,
      AWS_SECRET_ACCESS_KEY: server.secretKey,
    };
    const { bucket: name } = config;
    const storage = `{ type: s3, endpoint: "${proxy.url}", bucket: ${name}, prefix: memory, region: us-east-1,
      accessKeyId: ${server.accessKey}, secretAccessKey: ${server.secretKey}, retryFor: 0s, stallLimit: 1s }`;
    await writeFile(
      join(folder, "memkeep.yaml"),
      `version: 1
stack: memory
stores: { memory: { type: sqlite, path: ./memory.db } }
repositories:
  near: { type: restic, storage: ./near }
  far: { type: restic, storage: ${storage} }
backup: { stallLimit: 3s }
`,
    );
    expect(await memkeep("init")).toMatchObject({ code: 0 });
  });
  beforeEach(() => proxy.heal());
  afterAll(async () => {
    await bucket?.[Symbol.asyncDispose]();
    await removeFolder(folder);
    await proxies?.stop();
    await server?.stop();
  });

  function memkeep(...args: string[]): Promise<Ended> {
    return runMemkeep(args, { cwd: folder, env: environment });
  }

  async function stackOf(): Promise<{ stack: Stack; surroundings: Surroundings }> {
    const { signal } = new AbortController();
    const redactor = new Redactor();
    const { configuration } = await loadConfiguration({
      file: join(folder, "memkeep.yaml"),
      repository: undefined,
      stack: undefined,
      cacheSize: undefined,
      stores: [],
      environment,
      signal,
      redactor,
    });
    const access = { clock: systemClock, program: "memkeep test", retryLockMs: 0, signal, environment };
    return {
      stack: await openStack(configuration, { ...access, redactor, ask: undefined }),
      surroundings: {
        clock: systemClock,
        observer: silentObserver,
        signal,
        spoolRoot: join(folder, "spool"),
        program: "memkeep test",
        hostname: "here",
      },
    };
  }

  async function newestOf(stack: Stack, name: string): Promise<{ readonly timeMs: number }> {
    const repository = await stack.repositories.find((known) => known.name === name)!.open();
    const [newest] = await repository.snapshots();
    await repository.close();
    return newest!;
  }

  /** A run with something new of `newBytes` in it. */
  async function run(newBytes = 20_000): Promise<BackupReport> {
    const rows = Math.ceil(newBytes / 500_000);
    change(
      join(folder, "memory.db"),
      `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${rows})
       INSERT INTO memories (content) SELECT hex(randomblob(${Math.ceil(newBytes / rows / 2)})) FROM numbers`,
    );
    const { stack, surroundings } = await stackOf();
    const result = await backup(stack, { ...options, stallLimitMs: 3_000 }, surroundings);
    if (result.kind !== "ran") throw new Error("it was only planned");
    return result.report;
  }

  async function expectNear(report: BackupReport, when: string): Promise<void> {
    const [near, far] = report.repositories.toSorted((a, b) => (a.name < b.name ? 1 : -1));
    expect(near, when).toMatchObject({ name: "near", result: "written" });
    expect(far, when).toMatchObject({ name: "far" });
    if (far!.result === "failed") {
      expect(report.outcome, when).toBe("partial");
      expect(far!.text, when).toMatch(/could not/);
    }
    const { stack } = await stackOf();
    const repository = await stack.repositories[0]!.open();
    const { findings } = await repository.check({ data: true, signal: new AbortController().signal });
    await repository.close();
    expect(findings, when).toEqual([]);
  }

  /** Bytes after which each connection ends: within the first request, an answer, a pack, a listing, never. */
  const cuts = [0, 200, 600, 2_000, 8_000, 30_000];
  it.each(["upstream", "downstream"] as const)(
    "law 8: cut %s at every phase, the near one is whole and the far one is told",
    async (stream) => {
      const results = new Set<string>();
      for (const bytes of cuts) {
        await proxy.poison(stream, "limit_data", { bytes });
        const report = await run();
        await expectNear(report, `${stream} ${bytes}`);
        results.add(report.outcome);
        await proxy.heal();
      }
      expect(results).toContain("partial");
      expect(await run()).toMatchObject({ outcome: "done" });
    },
  );

  it("one that stalls is given up, and one that is slow, late or refuses holds nobody up for long", async () => {
    for (const [stream, type, attributes] of [
      ["downstream", "timeout", { timeout: 0 }],
      ["upstream", "timeout", { timeout: 0 }],
      ["upstream", "bandwidth", { rate: 1 }],
      ["downstream", "latency", { latency: 5_000, jitter: 0 }],
    ] as const) {
      await proxy.poison(stream, type, attributes);
      const report = await run();
      await expectNear(report, type);
      expect(report.outcome, type).toBe("partial");
      await proxy.heal();
    }
    await proxy.enable(false);
    await expectNear(await run(), "refused");
    await proxy.enable(true);
    expect(await run()).toMatchObject({ outcome: "done" });
  });

  it("law 8: the program ends with 3 and has a line for each repository, and copy brings the bucket up to date", async () => {
    await proxy.enable(false);
    const ended = await memkeep("backup");
    await proxy.enable(true);

    expect(ended).toMatchObject({ code: 3 });
    expect(ended.stdout).toMatch(/near: snapshot [0-9a-f]{8}/);
    expect(ended.stdout).toMatch(/far: could not [^]*the connection\s+to/);
    const [, id] = /near: snapshot ([0-9a-f]{8})/.exec(ended.stdout)!;
    const copied = await memkeep("copy", "--from", "near", "--to", "far");
    expect(copied.code, copied.stderr).toBe(0);
    const { stack } = await stackOf();
    const { timeMs } = await newestOf(stack, "near");
    expect((await newestOf(stack, "far")).timeMs, `snapshot ${id}`).toBe(timeMs);
  });

  it("W-C1: minInterval looks at each repository: one that is behind is written although the other is fresh", async () => {
    await run();
    await proxy.enable(false);
    await run();
    await proxy.enable(true);
    const { stack, surroundings } = await stackOf();
    const newest = await Promise.all(
      stack.repositories.map(async (known) => {
        const repository = await known.open();
        const [first] = await repository.snapshots();
        await repository.close();
        return first!.timeMs;
      }),
    );
    const again = { ...options, minIntervalMs: 3_600_000, stallLimitMs: 3_000 };
    // Between the two: the near one's newest is younger than the interval, the far one's older.
    const nowMs = (newest[0]! + newest[1]!) / 2 + again.minIntervalMs;
    const later = { ...systemClock, now: () => nowMs };

    const result = await backup(stack, again, { ...surroundings, clock: later });

    expect(result).toMatchObject({
      report: {
        repositories: expect.arrayContaining([
          expect.objectContaining({
            name: "near",
            result: "skipped",
            text: expect.stringMatching(/^newest is/) as string,
          }),
          expect.objectContaining({ name: "far", result: "written" }),
        ]) as unknown,
      },
    });
  });

  it("W-C4: what an interrupted upload stored is used by the next run, and what nothing uses goes with the next prune", async () => {
    // Half of it once compressed: six packs. As soon as one is there, no connection takes another, but what is small.
    const newBytes = 100_000_000;
    const direct = await s3.open({ ...config, prefix: "memory" });
    const before = (await namesOf(direct, "data/")).length;
    const running = run(newBytes);
    while ((await namesOf(direct, "data/")).length === before) await Promise.resolve();
    await proxy.poison("upstream", "limit_data", { bytes: 2_000_000 });
    const cut = await running;
    await direct.close();
    await proxy.heal();
    expect(cut.outcome).toBe("partial");

    const next = await run(1000);

    const far = next.repositories.find(({ name }) => name === "far");
    expect(far).toMatchObject({ result: "written" });
    expect(far!.addedBytes).toBeLessThan(newBytes * 0.48);
    const { stack } = await stackOf();
    const repository = await stack.repositories[1]!.open();
    await repository.prune({ maxUnused: 0, maxRepackBytes: undefined });
    const after = await repository.planPrune({ maxUnused: 0, maxRepackBytes: undefined });
    await repository.close();
    expect(after).toMatchObject({ removePacks: 0, repackPacks: 0, unusedBytesAfter: 0 });
  });

  describe.each(restics)("law 9: $name on the same bucket", ({ missing, path }) => {
    it.skipIf(missing)("checks, restores, backs up, forgets and prunes; then memkeep again", async () => {
      const restic = (...args: string[]): Promise<{ stdout: string }> =>
        promisify(execFile)(path, ["--no-cache", "-r", `s3:${server.url}/${config.bucket}/memory`, ...args], {
          env: { ...process.env, ...environment },
          maxBuffer: 2 ** 26,
        });
      expect(await run()).toMatchObject({ outcome: "done" });

      await restic("check", "--read-data");
      const target = join(folder, `restored-${path.length}-${Date.now()}`);
      await restic("restore", "latest", "--path", "/memory", "--target", target);
      await restic("backup", join(folder, "memkeep.yaml"));
      await restic("forget", "--keep-last", "1", "--prune");
      const after = await run();
      await restic("check", "--read-data");

      expect(after).toMatchObject({ outcome: "done" });
      const { stack } = await stackOf();
      const repository = await stack.repositories[1]!.open();
      const check = await repository.check({ data: true, signal: new AbortController().signal });
      await repository.close();
      expect(check.findings).toEqual([]);
    });
  });

  it.runIf(process.env["MEMKEEP_NIGHTLY"] === "1")(
    "connections cut at random for a long time: every run that says done is whole, and none harms what was there",
    async () => {
      const endMs = Date.now() + nightlyMs;
      const outcomes = { done: 0, partial: 0, skipped: 0 };
      while (Date.now() < endMs) {
        const stream = Math.random() < 0.5 ? "upstream" : "downstream";
        await proxy.poison(stream, "limit_data", { bytes: Math.floor(10 ** (1 + Math.random() * 6)) });
        const report = await run(2_000_000);
        outcomes[report.outcome]++;
        await proxy.heal();
        const { stack } = await stackOf();
        const repository = await stack.repositories[1]!.open();
        const { findings } = await repository.check({ data: true, signal: new AbortController().signal });
        await repository.close();
        expect(findings, JSON.stringify(report.repositories)).toEqual([]);
      }
      process.stderr.write(`random cuts: ${JSON.stringify(outcomes)}\n`);
    },
    nightlyMs * 3 + 600_000,
  );
});
