/** Where a value of the configuration comes from. Every resolved value knows it. */

/** Keys and numbers from the top of the configuration to a value. */
export type ConfigPath = readonly (string | number)[];

export type Origin =
  | { readonly kind: "flag"; readonly name: string }
  | { readonly kind: "variable"; readonly name: string }
  | {
      readonly kind: "file";
      readonly file: string;
      readonly line: number;
      readonly column: number;
      /** Environment variables that are part of the value. */
      readonly variables: readonly string[];
    }
  | { readonly kind: "default" };

/** For people: `memkeep.yaml:12 (ROSE_DB)`, `--store`, `MEMKEEP_PASSWORD`, `default`. */
export function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case "flag":
    case "variable":
      return origin.name;
    case "file": {
      const variables = origin.variables.length === 0 ? "" : ` (${origin.variables.join(", ")})`;
      return `${origin.file}:${origin.line}${variables}`;
    }
    case "default":
      return "default";
  }
}

/** One string for a path, as a key of maps. */
export function pathKey(path: ConfigPath): string {
  return JSON.stringify(path);
}

/** For people: `stores.memory.path`. */
export function pathText(path: ConfigPath): string {
  return path.map(String).join(".");
}
