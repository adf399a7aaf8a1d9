import { afterEach, beforeEach, expect, it } from "vitest";
import { ManualClock } from "../../util/clock/manual-clock.ts";
import type { TestPlace } from "../contract/contract.ts";
import { localPlace } from "../contract/local-place.ts";
import { ThrottledStorage } from "./throttle.ts";

let place: TestPlace;
let clock: ManualClock;
beforeEach(async () => {
  place = await localPlace();
  clock = new ManualClock({ skipSleeps: true });
});
afterEach(() => place.remove());

it("keeps uploads to the rate, entries larger than a second's worth too", async () => {
  const storage = new ThrottledStorage(place.storage, { uploadBytesPerSecond: 1000, clock });

  for (let entry = 0; entry < 10; entry++)
    await storage.write(`up/${entry}`, [Buffer.alloc(2000), Buffer.alloc(500)]);

  // The last entry goes as soon as the nine before it are paid for.
  expect(clock.monotonicMs()).toBe(22_500);
  expect((await storage.read("up/9")).length).toBe(2500);
  expect(clock.monotonicMs()).toBe(22_500);
});

it("keeps downloads to the rate, whole entries and ranges, also side by side", async () => {
  await place.storage.write("down", [Buffer.alloc(3000)]);
  const storage = new ThrottledStorage(place.storage, { downloadBytesPerSecond: 1000, clock });

  await storage.read("down");
  await storage.read("down", { offset: 0, length: 1000 });
  await storage.read("down", { offset: 500 });
  expect(clock.monotonicMs()).toBe(4000);

  const standing = new ManualClock();
  const parallel = new ThrottledStorage(place.storage, { downloadBytesPerSecond: 1000, clock: standing });
  const reads = Array.from({ length: 4 }, () => parallel.read("down", { offset: 0, length: 1000 }));
  await reads[0];
  expect(standing.sleeps).toEqual([1000, 2000, 3000]);
  standing.advance(3000);
  await Promise.all(reads);
});

it("saves up no more than a second's worth while nothing happens", async () => {
  const storage = new ThrottledStorage(place.storage, { uploadBytesPerSecond: 1000, clock });
  clock.advance(60_000);

  await storage.write("one", [Buffer.alloc(2000)]);
  await storage.write("two", [Buffer.alloc(1)]);

  expect(clock.monotonicMs()).toBe(61_000);
});

it("gives up waiting when it is closed", async () => {
  const standing = new ManualClock();
  const storage = new ThrottledStorage(place.storage, { uploadBytesPerSecond: 10, clock: standing });
  await storage.write("one", [Buffer.alloc(100)]);
  const waiting = storage.write("two", [Buffer.alloc(100)]);

  await storage.close();

  await expect(waiting).rejects.toThrow();
  expect(await place.storage.stat("two")).toBeUndefined();
});
