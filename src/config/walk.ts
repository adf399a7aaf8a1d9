/** Makes a new tree of a configuration's values, with the shape and the path of each at hand. */
import { type ConfigPath } from "./origin.ts";
import { childShape, choose, type Shape } from "./shape.ts";

export type Visit = (value: unknown, path: ConfigPath, shape: Shape | undefined) => unknown;

/** Calls `visit` for every leaf (a string, number, boolean or null) and puts its answer in its place. */
export function mapLeaves(
  value: unknown,
  shape: Shape | undefined,
  visit: Visit,
  path: ConfigPath = [],
): unknown {
  const here = shape && choose(shape, value);
  if (Array.isArray(value)) {
    return value.map((item, index) =>
      mapLeaves(item, here && childShape(here, index), visit, [...path, index]),
    );
  }
  if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) {
    return visit(value, path, here);
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      mapLeaves(item, here && childShape(here, key), visit, [...path, key]),
    ]),
  );
}
