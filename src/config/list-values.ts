/** Every value of a configuration with where it comes from. Secrets are masked. */
import { mask } from "../util/redact/secret.ts";
import type { ResolvedValue } from "./configuration.ts";
import { type ConfigPath, type Origin } from "./origin.ts";
import { childShape, choose, type Shape } from "./shape.ts";
import { mapLeaves } from "./walk.ts";

/** The values that were given, in their order, then the defaults of what was not. */
export function listValues(
  tree: unknown,
  shape: Shape | undefined,
  origin: (path: ConfigPath) => Origin,
): ResolvedValue[] {
  const values: ResolvedValue[] = [];
  mapLeaves(maskSecrets(tree, shape), undefined, (value, path) => {
    values.push({ path, value, origin: origin(path) });
  });
  return [...values, ...defaultsOf(tree, shape, [])];
}

export function maskSecrets(tree: unknown, shape: Shape | undefined): unknown {
  return mapLeaves(tree, shape, (leaf, _path, here) => (here?.secret === true ? mask : leaf));
}

function defaultsOf(value: unknown, shape: Shape | undefined, path: ConfigPath): ResolvedValue[] {
  if (!shape || value === null || typeof value !== "object" || Array.isArray(value)) return [];
  const here = choose(shape, value);
  const own = Object.entries(here.properties ?? {}).flatMap(([key, property]): ResolvedValue[] =>
    property.default === undefined || Object.hasOwn(value, key)
      ? []
      : [{ path: [...path, key], value: property.default, origin: { kind: "default" } }],
  );
  const inner = Object.entries(value).flatMap(([key, item]) =>
    defaultsOf(item, childShape(here, key), [...path, key]),
  );
  return [...own, ...inner];
}
