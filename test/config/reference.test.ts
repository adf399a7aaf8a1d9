import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { exampleOf, referenceFile, referenceKeys, referenceText } from "../../scripts/config-reference.ts";

it("the page of the configuration is what the schemas say; otherwise `npm run build:reference`", async () => {
  expect(await readFile(referenceFile, "utf8")).toBe(await referenceText());
});

it("every key says what it means, with an example", async () => {
  const keys = await referenceKeys();
  const without = keys.filter(({ shape }) => !shape.description || exampleOf(shape) === undefined);

  expect(without.map(({ path }) => path)).toEqual([]);
  expect(keys.length).toBeGreaterThan(60);
});
