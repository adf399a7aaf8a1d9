import { afterEach, beforeEach, expect, it } from "vitest";
import { ManualClock } from "../../util/clock/manual-clock.ts";
import type { TestPlace } from "../contract/contract.ts";
import { namesOf } from "../contract/entries.ts";
import { localPlace } from "../contract/local-place.ts";
import type { Storage } from "../storage.ts";
import { FaultyStorage } from "./faults.ts";
import type { Fault, ScriptedFault } from "./faults.ts";

let place: TestPlace;
beforeEach(async () => {
  place = await localPlace();
  await place.storage.write("old/a", [Buffer.from("aaaa")]);
  await place.storage.write("old/b", [Buffer.from("bbbb")]);
});
afterEach(() => place.remove());

/** Seven operations, of which three change something. */
async function work(storage: Storage): Promise<void> {
  await namesOf(storage, "old/");
  await storage.write("new/c", [Buffer.from("cc"), Buffer.from("cc")]);
  await storage.stat("new/c");
  await storage.read("new/c");
  await storage.write("new/d", [Buffer.from("dddd")]);
  await storage.remove("old/a");
  await storage.sweep();
}

it("counts operations, so that a sweep can stop at every one: those before have happened, those after have not", async () => {
  const counting = new FaultyStorage(place.storage);
  await work(counting);
  const total = counting.history.length;
  expect(total).toBe(7);

  const states: string[] = [];
  for (let at = 1; at <= total; at++) {
    const fresh = await localPlace();
    await fresh.storage.write("old/a", []);
    const storage = new FaultyStorage(fresh.storage, [{ at, kind: "stop" }]);
    await expect(work(storage)).rejects.toMatchObject({ details: { transient: false } });
    await expect(storage.stat("old/a")).rejects.toMatchObject({ message: /stopped for ever/ });
    await expect(namesOf(storage)).rejects.toThrow();
    expect(storage.history).toHaveLength(at + 2);
    states.push((await namesOf(fresh.storage)).join(" "));
    await fresh.remove();
  }
  expect(states).toEqual([
    "old/a",
    "old/a",
    "new/c old/a",
    "new/c old/a",
    "new/c old/a",
    "new/c new/d old/a",
    "new/c new/d",
  ]);
});

it("stops after an effect when told so", async () => {
  const storage = new FaultyStorage(place.storage, [{ at: 2, kind: "stop", after: true }]);

  await expect(work(storage)).rejects.toThrow();

  expect(storage.history).toHaveLength(2);
  expect(await namesOf(place.storage)).toEqual(["new/c", "old/a", "old/b"]);
});

it.each<{ fault: Fault; stored: string | undefined }>([
  { fault: { kind: "short", units: 3 }, stored: "012" },
  { fault: { kind: "corrupt", offset: 0 }, stored: "1123" },
  { fault: { kind: "corrupt", offset: -1 }, stored: "0122" },
  { fault: { kind: "vanish" }, stored: undefined },
])("lies about a write: %o", async ({ fault, stored }) => {
  const storage = scripted({ ...fault, at: 2, on: "write" });
  const bytes = Buffer.from("0123");

  await storage.write("one", [bytes]);
  await storage.stat("one");
  await storage.write("two", [bytes]);

  expect(bytes.toString()).toBe("0123");
  expect((await place.storage.read("one")).toString()).toBe("0123");
  if (stored === undefined) expect(await place.storage.stat("two")).toBeUndefined();
  else expect((await place.storage.read("two")).toString()).toBe(stored);
});

it("lies about a read, a stat and a listing", async () => {
  expect((await scripted({ at: 1, kind: "short", units: 1 }).read("old/a")).toString()).toBe("a");
  expect((await scripted({ at: 1, kind: "corrupt", offset: 1 }).read("old/a")).toString()).toBe("a`aa");
  await expect(scripted({ at: 1, kind: "vanish" }).read("old/a")).rejects.toMatchObject({
    code: "STORAGE_MISSING",
  });
  expect(await scripted({ at: 1, kind: "vanish" }).stat("old/a")).toBeUndefined();
  expect(await namesOf(scripted({ at: 1, kind: "short", units: 1 }))).toHaveLength(1);
  expect(await namesOf(scripted({ at: 1, kind: "vanish" }))).toEqual([]);
  await scripted({ at: 1, kind: "vanish" }).remove("old/a");
  expect(await namesOf(place.storage)).toEqual(["old/a", "old/b"]);
});

it("fails once with the error it was given, and delays on the clock", async () => {
  const error = new Error("given");
  const failing = scripted({ at: 1, kind: "fail", error });
  await expect(failing.read("old/a")).rejects.toBe(error);
  expect((await failing.read("old/a")).toString()).toBe("aaaa");

  const clock = new ManualClock({ skipSleeps: true });
  const slow = new FaultyStorage(place.storage, [{ at: 1, kind: "delay", delayMs: 7000 }], clock);
  expect((await slow.read("old/a")).toString()).toBe("aaaa");
  expect(clock.monotonicMs()).toBe(7000);
});

function scripted(fault: ScriptedFault): FaultyStorage {
  return new FaultyStorage(place.storage, [fault]);
}
