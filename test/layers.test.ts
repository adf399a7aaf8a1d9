import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "..", "src");

/** From the innermost outwards; a layer imports only from layers before it. Those of one line do not import each other. */
const layers = [
  ["domain"],
  ["util"],
  ["stores", "storages"],
  ["repository"],
  ["engine"],
  ["state"],
  ["notify"],
  ["monitor"],
  ["schedule"],
  ["config"],
  ["server", "mcp"],
  ["cli"],
];

const rankOf = new Map(layers.flatMap((names, rank) => names.map((name) => [name, rank] as const)));

function sources(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return name === "assembly" ? [] : sources(path);
    return name.endsWith(".ts") ? [path] : [];
  });
}

interface Import {
  readonly from: string;
  readonly to: string;
}

/** All imports between files of `src`, static and dynamic, types included. */
function importsOf(file: string): Import[] {
  const text = readFileSync(file, "utf8");
  const found = [...text.matchAll(/(?:from\s+|import\()"(\.{1,2}\/[^"]+)"/g)];
  return found.map((match) => ({ from: file, to: resolve(dirname(file), match[1]!) }));
}

function layerOf(file: string): string {
  return relative(root, file).split("/")[0]!;
}

/** Layers that an import breaks, as a sentence; undefined when it is fine. */
function broken({ from, to }: Import): string | undefined {
  const [a, b] = [layerOf(from), layerOf(to)];
  if (a === b || !to.startsWith(root)) return undefined;
  const [rankA, rankB] = [rankOf.get(a), rankOf.get(b)];
  if (rankA === undefined && a.endsWith(".ts")) return undefined;
  if (rankA !== undefined && rankB !== undefined && rankB < rankA) return undefined;
  return `${relative(root, from)} imports ${relative(root, to)}`;
}

/** A file's way back to itself over imports, or undefined. */
function circle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  function visit(file: string): string[] | undefined {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      const found = visit(next);
      if (found) return found;
    }
    path.pop();
    done.add(file);
    return undefined;
  }
  for (const file of graph.keys()) {
    const found = visit(file);
    if (found) return found;
  }
  return undefined;
}

describe("layers", () => {
  const files = sources(root);
  const imports = files.flatMap(importsOf);

  it("has only folders that the design names", () => {
    const unknown = files.map(layerOf).filter((layer) => !rankOf.has(layer) && layer !== "index.ts");

    expect([...new Set(unknown)]).toEqual([]);
  });

  it("imports only from layers further in", () => {
    expect(imports.map(broken).filter(Boolean)).toEqual([]);
  });

  it("would see an import that goes back up", () => {
    const up = { from: join(root, "domain/errors.ts"), to: join(root, "engine/compare.ts") };
    const aside = { from: join(root, "stores/store.ts"), to: join(root, "storages/storage.ts") };

    expect([broken(up), broken(aside)]).toEqual([
      "domain/errors.ts imports engine/compare.ts",
      "stores/store.ts imports storages/storage.ts",
    ]);
  });

  it("has no circles", () => {
    const graph = new Map(
      files.map((file) => [file, imports.filter(({ from }) => from === file).map(({ to }) => to)]),
    );

    expect(circle(graph)?.map((file) => relative(root, file))).toBeUndefined();
  });

  it("would see a circle", () => {
    const graph = new Map([
      ["a", ["b"]],
      ["b", ["c"]],
      ["c", ["b"]],
    ]);

    expect(circle(graph)).toEqual(["b", "c", "b"]);
  });

  it("keeps every file within 400 lines", () => {
    const long = files.filter(
      (file) => !file.endsWith(".wasm.ts") && readFileSync(file, "utf8").split("\n").length > 401,
    );

    expect(long.map((file) => relative(root, file))).toEqual([]);
  });
});
