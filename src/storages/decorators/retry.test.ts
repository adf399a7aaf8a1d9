import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemkeepError } from "../../domain/errors.ts";
import { ManualClock } from "../../util/clock/manual-clock.ts";
import type { TestPlace } from "../contract/contract.ts";
import { namesOf } from "../contract/entries.ts";
import { localPlace } from "../contract/local-place.ts";
import { FaultyStorage } from "./faults.ts";
import type { ScriptedFault } from "./faults.ts";
import { isTransient, RetryingStorage } from "./retry.ts";
import type { RetryingOptions } from "./retry.ts";

const bytes = Buffer.from("0123456789");

describe("RetryingStorage", () => {
  let place: TestPlace;
  let clock: ManualClock;
  beforeEach(async () => {
    place = await localPlace();
    clock = new ManualClock({ skipSleeps: true });
    await place.storage.write("there/one", [bytes]);
    await place.storage.write("there/two", [bytes]);
  });
  afterEach(() => place.remove());

  function retrying(script: readonly ScriptedFault[], options: RetryingOptions = {}) {
    const faulty = new FaultyStorage(place.storage, script, clock);
    return { faulty, storage: new RetryingStorage(faulty, { clock, ...options }) };
  }

  it.each([1, 2, 3, 4, 5, 6])(
    "every operation outlasts a failure at operation %i, before or after its effect",
    async (at) => {
      for (const after of [false, true]) {
        // A listing that failed after it handed out entries is another test's.
        const { storage } = retrying([{ at, kind: "fail", after: after && at !== 4 }]);
        const name = `new/${after}`;

        await storage.write(name, [bytes]);
        expect((await storage.read(name)).equals(bytes)).toBe(true);
        expect(await storage.stat(name)).toEqual({ sizeBytes: 10 });
        expect(await namesOf(storage, "there/")).toHaveLength(2);
        await storage.remove(name);
        expect(await storage.sweep()).toBe(0);
        expect(await place.storage.stat(name)).toBeUndefined();
      }
    },
  );

  it("a write whose answer was lost is checked, and done only when the stored bytes are the same", async () => {
    const lost = retrying([{ at: 1, kind: "fail", after: true }]);
    await lost.storage.write("answer-lost", [bytes.subarray(0, 3), bytes.subarray(3)]);
    expect(lost.faulty.history).toEqual([
      "write answer-lost",
      "write answer-lost",
      "stat answer-lost",
      "read answer-lost",
    ]);

    for (const other of ["0123456780", "012345678"]) {
      const name = `other-writer-${other.length}`;
      await place.storage.write(name, [Buffer.from(other)]);
      const raced = retrying([{ at: 1, kind: "fail" }]);
      await expect(raced.storage.write(name, [bytes])).rejects.toMatchObject({ code: "STORAGE_EXISTS" });
    }
  });

  it("a name that was taken at the first attempt stays taken, whatever its bytes", async () => {
    const { storage, faulty } = retrying([]);
    await expect(storage.write("there/one", [bytes])).rejects.toMatchObject({ code: "STORAGE_EXISTS" });
    expect(faulty.history).toHaveLength(1);
  });

  it("gives up at the deadline with the last error, with delays that grow and differ", async () => {
    const told: number[] = [];
    const script = Array.from({ length: 100 }, (_, index): ScriptedFault => ({
      at: index + 1,
      kind: "fail",
    }));
    const { storage, faulty } = retrying(script, {
      deadlineMs: 60_000,
      firstDelayMs: 1000,
      maxDelayMs: 8000,
      random: () => 0.5,
      onRetry: (_error, attempt) => told.push(attempt),
    });

    await expect(storage.read("there/one")).rejects.toMatchObject({ code: "STORAGE_FAILED" });

    expect(clock.sleeps.slice(0, 5)).toEqual([750, 1500, 3000, 6000, 6000]);
    expect(clock.monotonicMs()).toBeGreaterThan(50_000);
    expect(clock.monotonicMs()).toBeLessThanOrEqual(60_000);
    expect(told).toEqual(clock.sleeps.map((_, index) => index + 1));
    expect(faulty.history).toHaveLength(told.length + 1);
  });

  it.each([
    "STORAGE_DENIED",
    "STORAGE_MISSING",
    "STORAGE_FULL",
    "STORAGE_READ_ONLY",
    "STORAGE_EXISTS",
  ] as const)("does not repeat %s", async (code) => {
    const error = new MemkeepError(code, { tried: "x", happened: "y", details: { transient: true } });
    const { storage, faulty } = retrying([{ at: 1, kind: "fail", error }]);

    await expect(storage.stat("there/one")).rejects.toBe(error);
    expect(faulty.history).toHaveLength(1);
  });

  it("does not begin a listing again of which a part was handed out", async () => {
    const { storage, faulty } = retrying([{ at: 1, kind: "fail", after: true }]);

    const listing = namesOf(storage, "there/");

    await expect(listing).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    expect(faulty.history).toHaveLength(1);
  });

  it("ends its delays when it is closed", async () => {
    const standing = new ManualClock();
    const { storage } = retrying([{ at: 1, kind: "fail" }], { clock: standing });
    const reading = storage.read("there/one");
    await expect.poll(() => standing.sleeps.length).toBe(1);

    await storage.close();

    await expect(reading).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });

  it("knows a passing failure by its cause, or by the adaptor's word", () => {
    const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });

    expect(isTransient(failure(reset))).toBe(true);
    expect(isTransient(failure(new Error("wrapped", { cause: reset })))).toBe(true);
    expect(isTransient(failure(reset, false))).toBe(false);
    expect(isTransient(failure(undefined, true))).toBe(true);
    expect(isTransient(failure(Object.assign(new Error("disk"), { code: "EIO" })))).toBe(false);
    expect(isTransient(failure(undefined))).toBe(false);
    expect(isTransient(reset)).toBe(false);
  });
});

function failure(cause: unknown, transient?: boolean): MemkeepError {
  const details = transient === undefined ? {} : { details: { transient } };
  return new MemkeepError("STORAGE_FAILED", { tried: "x", happened: "y", cause, ...details });
}
