import { expect, it } from "vitest";
import { fromUrl, reserveFor, schema } from "./config.ts";

it("reads store URLs", () => {
  expect(fromUrl("sqlite:./memory.db").path).toBe("./memory.db");
  expect(fromUrl("sqlite:/data/memory.db").path).toBe("/data/memory.db");
  expect(fromUrl("sqlite:///data/memory.db").path).toBe("/data/memory.db");
  for (const url of ["sqlite:", "memory.db", "sqlite:a.db?mode=rwc"]) {
    expect(() => fromUrl(url), url).toThrow(/read the store URL/);
  }
});

it("keeps 5 % of a disk free, within bounds, unless it is told otherwise", () => {
  const config = schema.parse({ path: "memory.db" });
  expect(reserveFor(config, 1e9)).toBe(64 * 1024 ** 2);
  expect(reserveFor(config, 10e9)).toBe(5e8);
  expect(reserveFor(config, 1e12)).toBe(1024 ** 3);
  expect(reserveFor({ ...config, reserve: 0 }, 1e12)).toBe(0);
  expect(() => schema.parse({ path: "memory.db", pth: 1 })).toThrow(/pth/);
});
