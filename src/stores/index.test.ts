import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { storeKinds } from "./index.ts";

/** The set of files that every adaptor has; a reader who knows one knows where to look in all. */
const fileSet = [
  "client.ts",
  "config.ts",
  "dump.ts",
  "index.ts",
  "keys.ts",
  "maintain.ts",
  "probe.ts",
  "readme.md",
  "restore.ts",
  "schema.ts",
];
/** Folders that are no adaptors. */
const shared = ["contract", "format", "graph"];

const folders = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !shared.includes(entry.name))
  .map((entry) => entry.name);

describe("registry of stores", () => {
  it("names every folder, and nothing else", () => {
    expect(Object.keys(storeKinds).toSorted()).toEqual(folders.toSorted());
  });

  it.each(folders)("%s has the files of its set, and tests", (folder) => {
    const files = readdirSync(join(import.meta.dirname, folder));

    expect(fileSet.filter((name) => !files.includes(name))).toEqual([]);
    expect(files.filter((name) => name.endsWith(".test.ts"))).not.toEqual([]);
  });

  it.each(Object.values(storeKinds))(
    "$kind is registered under its own name, and reads its own URLs",
    async (entry) => {
      const [config, adaptor] = await Promise.all([entry.config(), entry.adaptor()]);

      expect(adaptor.kind).toBe(entry.kind);
      expect(config.schema).toBeDefined();
      expect(entry.schemes.every((scheme) => scheme.endsWith(":"))).toBe(true);
    },
  );
});
