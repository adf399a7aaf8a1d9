import { expect, it } from "vitest";
import { licensedPackages } from "../../scripts/licenses.ts";

/** Licences that ask for nothing but their own text. */
const free = ["MIT", "MIT-0", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD"];

it("a user gets no package whose licence asks for more than Apache-2.0 does", async () => {
  const packages = await licensedPackages();
  expect(packages.filter(({ license }) => !free.includes(license))).toEqual([]);
  expect(packages.map(({ name }) => name)).toContain("commander");
});
