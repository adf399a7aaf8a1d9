import { expect, it } from "vitest";
import { entriesOf } from "../contract/entries.ts";
import { localPlace } from "../contract/local-place.ts";
import { ReadOnlyStorage } from "./read-only.ts";

it("reads everything and changes nothing", async () => {
  const place = await localPlace();
  await place.storage.write("data/ab/abcd", [Buffer.from("x")]);
  await place.plantLeftover?.("data/ab/abcd");
  const storage = new ReadOnlyStorage(place.storage);
  const refused = { code: "STORAGE_READ_ONLY" };

  await expect(storage.write("config")).rejects.toMatchObject(refused);
  await expect(storage.remove("data/ab/abcd")).rejects.toMatchObject(refused);
  await expect(storage.sweep()).rejects.toMatchObject(refused);

  expect((await storage.read("data/ab/abcd")).toString()).toBe("x");
  expect(await storage.stat("config")).toBeUndefined();
  expect(await entriesOf(storage)).toEqual([{ name: "data/ab/abcd", sizeBytes: 1 }]);
  expect(await place.storage.sweep()).toBe(1);
  await storage.close();
  await place.remove();
});
