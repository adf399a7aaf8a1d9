/**
 * What every storage must do, as tests. A storage's own test file calls `describeStorageContract` with the real
 * thing; what only one kind can have (a full disk, a wrong key) is tested beside that kind.
 */
import { hash, randomBytes } from "node:crypto";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Storage, StorageEntry } from "../storage.ts";
import { entriesOf, namesOf } from "./entries.ts";

/** One place, empty at first. */
export interface TestPlace {
  readonly storage: Storage;
  /** The same place, opened again, as by another process. */
  reopen(): Promise<Storage>;
  /** Puts a file there that a writer left behind when it died; undefined where a writer leaves nothing. */
  readonly plantLeftover: ((besideEntry: string) => Promise<void>) | undefined;
  /** False where the medium cannot create exclusively (see `Storage.write`). */
  readonly exclusive: boolean;
  remove(): Promise<void>;
}

export function describeStorageContract(name: string, makePlace: () => Promise<TestPlace>): void {
  describe(`${name} keeps the storage contract`, () => {
    let place: TestPlace;
    let storage: Storage;
    beforeAll(async () => {
      place = await makePlace();
      storage = place.storage;
    });
    afterAll(async () => {
      await storage?.close();
      await place?.remove();
    });

    it("is empty at first", async () => {
      expect(await namesOf(storage, "")).toEqual([]);
      expect(await namesOf(storage, "data/")).toEqual([]);
    });

    it.each([
      { case: "nothing", parts: [] },
      { case: "an empty part", parts: [Buffer.alloc(0)] },
      { case: "one byte", parts: [Buffer.from("x")] },
      { case: "parts and empty parts", parts: ["a", "", "bc", ""].map((part) => Buffer.from(part)) },
      {
        case: "views into a larger buffer",
        parts: [randomBytes(100).subarray(10, 20), randomBytes(9).subarray(1)],
      },
      { case: "more than 16 MiB in 3,000 parts", parts: manyParts(3000, 6000) },
    ])("gives back $case", async ({ case: label, parts }) => {
      const name = `round/${label.replaceAll(/\W+/g, "-")}`;
      const expected = Buffer.concat(parts);

      await storage.write(name, parts);

      const again = await place.reopen();
      const bytes = await again.read(name);
      expect(hash("sha256", bytes)).toBe(hash("sha256", expected));
      expect(await again.stat(name)).toEqual({ sizeBytes: expected.byteLength });
      expect(bytes.buffer.byteLength).toBe(bytes.byteLength);
      await again.close();
    });

    it("reads ranges exactly", async () => {
      const bytes = randomBytes(100_000);
      await storage.write("ranges", [bytes]);

      await fc.assert(
        fc.asyncProperty(fc.nat(bytes.length), fc.nat(bytes.length), async (one, other) => {
          const [offset, end] = [Math.min(one, other), Math.max(one, other)];
          const read = await storage.read("ranges", { offset, length: end - offset });
          expect(read.equals(bytes.subarray(offset, end))).toBe(true);
          expect(read.buffer.byteLength).toBe(end - offset);
        }),
        { numRuns: 30 },
      );
      expect((await storage.read("ranges", { offset: 99_990 })).equals(bytes.subarray(99_990))).toBe(true);
      expect((await storage.read("ranges", { offset: 100_000 })).length).toBe(0);
    });

    it.each([
      { offset: 0, length: 11 },
      { offset: 9, length: 2 },
      { offset: 10, length: 1 },
      { offset: 11, length: 0 },
      { offset: 11 },
      { offset: 5_000_000_000, length: 1 },
    ])("law 3: refuses a range that reaches beyond the end: %o", async (range) => {
      await writeOnce(storage, "ten", "0123456789");

      await expect(storage.read("ten", range)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    });

    it("says what is missing", async () => {
      await expect(storage.read("data/00/missing")).rejects.toMatchObject({ code: "STORAGE_MISSING" });
      await expect(storage.read("missing", { offset: 3, length: 4 })).rejects.toMatchObject({
        code: "STORAGE_MISSING",
      });
      expect(await storage.stat("data/00/missing")).toBeUndefined();
      // A folder is no entry.
      await writeOnce(storage, "folder/entry", "x");
      expect(await storage.stat("folder")).toBeUndefined();
      await expect(storage.read("folder")).rejects.toMatchObject({ code: "STORAGE_MISSING" });
    });

    it("never overwrites", async () => {
      await storage.write("taken", [Buffer.from("first")]);

      const second = storage.write("taken", [Buffer.from("second")]);

      await expect(second).rejects.toMatchObject({ code: "STORAGE_EXISTS" });
      expect((await storage.read("taken")).toString()).toBe("first");
    });

    it("lets exactly one of many writers have a name", async () => {
      const others = await Promise.all(Array.from({ length: 4 }, () => place.reopen()));
      const writers = Array.from({ length: 16 }, (_, index) => ({
        storage: others[index % others.length]!,
        bytes: Buffer.alloc(50_000, index),
      }));

      const outcomes = await Promise.allSettled(
        writers.map(({ storage, bytes }) => storage.write("race/name", [bytes])),
      );

      const winners = writers.filter((_, index) => outcomes[index]!.status === "fulfilled");
      if (place.exclusive) expect(winners).toHaveLength(1);
      const stored = await storage.read("race/name");
      expect(winners.some(({ bytes }) => bytes.equals(stored))).toBe(true);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "STORAGE_EXISTS" });
      }
      expect(await namesOf(storage, "race/")).toEqual(["race/name"]);
      await Promise.all(others.map((other) => other.close()));
    });

    it("law 4: never shows a reader a part of an entry", async () => {
      const reader = await place.reopen();
      const parts = manyParts(64, 256 * 1024);
      const whole = parts.length * 256 * 1024;
      const writer = { done: false };
      let looked = 0;

      const writing = storage.write("atomic/entry", parts).finally(() => (writer.done = true));
      while (!writer.done) {
        const [stat, listed] = [await reader.stat("atomic/entry"), await entriesOf(reader, "atomic/")];
        expect(stat?.sizeBytes ?? whole).toBe(whole);
        for (const entry of listed) expect(entry).toEqual({ name: "atomic/entry", sizeBytes: whole });
        looked++;
      }
      await writing;

      expect(looked).toBeGreaterThan(0);
      expect(await entriesOf(reader, "atomic/")).toEqual([{ name: "atomic/entry", sizeBytes: whole }]);
      await reader.close();
    });

    it("lists 2,500 entries, all or those of one folder, each once", async () => {
      const packs = Array.from({ length: 2500 }, (_, index) => {
        const id = hash("sha256", String(index));
        return { name: `many/${id.slice(0, 1)}/${id}`, content: "x".repeat(index % 7) };
      });
      await inTurns(packs, 16, ({ name, content }) => storage.write(name, [Buffer.from(content)]));

      const listed = await entriesOf(storage, "many/");
      const folder = await namesOf(storage, "many/a/");

      expect(listed.sort(byName)).toEqual(
        packs.map(({ name, content }) => ({ name, sizeBytes: content.length })).sort(byName),
      );
      expect(folder.sort()).toEqual(
        packs
          .map(({ name }) => name)
          .filter((name) => name.startsWith("many/a/"))
          .sort(),
      );
      expect(await namesOf(storage, "man/")).toEqual([]);
      // A reader that has seen enough stops, and the storage still works.
      for await (const entry of storage.list("many/")) {
        expect(entry.name).toMatch(/^many\//);
        break;
      }
    });

    it("removes, and removing again is no error", async () => {
      await storage.write("gone/soon", [Buffer.from("x")]);

      await storage.remove("gone/soon");
      await storage.remove("gone/soon");
      await storage.remove("never/there");

      expect(await storage.stat("gone/soon")).toBeUndefined();
      expect(await namesOf(storage, "gone/")).toEqual([]);
      await storage.write("gone/soon", [Buffer.from("again")]);
      expect((await storage.read("gone/soon")).toString()).toBe("again");
    });

    it("law 12: refuses every name that is not plain", async () => {
      const before = (await namesOf(storage, "")).length;
      const chars = fc.constantFrom(
        "/",
        ".",
        "..",
        "\\",
        "\0",
        "\n",
        " ",
        "ä",
        "日",
        "😀",
        "%2e",
        "a",
        "-tmp-",
        "~",
        ":",
      );
      const hostile = fc.oneof(
        fc.constantFrom(
          "",
          ".",
          "..",
          "../x",
          "a/../../x",
          "/etc/passwd",
          "a//b",
          "a/",
          "./a",
          "a/.",
          "C:\\x",
          "a\0b",
        ),
        fc.constantFrom(
          "ä",
          "a\u0301",
          "ﬁ",
          "x".repeat(300),
          "config-tmp-1",
          ".hidden",
          "a/.hidden",
          "con fig",
          "a?b=c",
        ),
        fc.string({ unit: "binary" }),
        fc.array(chars, { minLength: 1 }).map((parts) => parts.join("")),
      );

      await fc.assert(
        fc.asyncProperty(hostile, async (name) => {
          fc.pre(
            !/^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/.test(name) || name.length > 200 || name.includes("-tmp-"),
          );
          const refusal = { code: "STORAGE_FAILED" };
          await expect(storage.write(name, [])).rejects.toMatchObject(refusal);
          await expect(storage.read(name)).rejects.toMatchObject(refusal);
          await expect(storage.stat(name)).rejects.toMatchObject(refusal);
          await expect(storage.remove(name)).rejects.toMatchObject(refusal);
          if (name !== "") await expect(namesOf(storage, `${name}/`)).rejects.toMatchObject(refusal);
        }),
        { numRuns: 300 },
      );
      expect((await namesOf(storage, "")).length).toBe(before);
    });

    it("keeps names apart that differ in little", async () => {
      const similar = [
        "near/a",
        "near/a.",
        "near/aa",
        "near/a-",
        "near/a_",
        "near/a/b".replace("a/", "a.d/"),
      ];
      for (const name of similar) await storage.write(name, [Buffer.from(name)]);

      expect((await namesOf(storage, "near/")).sort()).toEqual(similar.sort());
      for (const name of similar) expect((await storage.read(name)).toString()).toBe(name);
    });

    it("neither lists, reads nor counts what a dead writer left behind, and sweeps it away", async ({
      skip,
    }) => {
      skip(place.plantLeftover === undefined, "writers leave nothing behind here");
      await writeOnce(storage, "left/entry", "x");
      await place.plantLeftover?.("left/entry");
      expect(await namesOf(storage, "left/")).toEqual(["left/entry"]);

      const removed = await storage.sweep();

      expect(removed).toBe(1);
      expect(await storage.sweep()).toBe(0);
      expect((await storage.read("left/entry")).toString()).toBe("x");
    });

    it("sweeps nothing of a live writer", async () => {
      const writing = storage.write("live/writer", manyParts(64, 256 * 1024));
      const sweeper = await place.reopen();
      let removed = 0;
      for (let round = 0; round < 5; round++) removed += await sweeper.sweep();

      await writing;

      expect(removed).toBe(0);
      expect(await storage.stat("live/writer")).toEqual({ sizeBytes: 64 * 256 * 1024 });
      await sweeper.close();
    });

    it("closes more than once", async () => {
      const other = await place.reopen();
      await other.close();
      await other.close();
      expect(await namesOf(storage, "race/")).toEqual(["race/name"]);
    });
  });
}

async function writeOnce(storage: Storage, name: string, content: string): Promise<void> {
  if ((await storage.stat(name)) === undefined) await storage.write(name, [Buffer.from(content)]);
}

function manyParts(count: number, partBytes: number): Buffer[] {
  const bytes = randomBytes(count * partBytes);
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * partBytes, (index + 1) * partBytes),
  );
}

async function inTurns<Item>(
  items: readonly Item[],
  atOnce: number,
  act: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of queue) await act(item);
    }),
  );
}

function byName(one: StorageEntry, other: StorageEntry): number {
  return one.name < other.name ? -1 : 1;
}
