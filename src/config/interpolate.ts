/** Puts environment variables into the strings of a configuration: `${NAME}`, `${NAME:-default}`; `$${` is a plain `${`. */
import type { Environment } from "./environment.ts";
import { type ConfigPath, pathKey } from "./origin.ts";
import { readSecretFile } from "./secret-file.ts";

export interface Interpolated {
  readonly value: unknown;
  /** Path of a string → the variables that became part of it. */
  readonly variables: ReadonlyMap<string, readonly string[]>;
  readonly problems: readonly { readonly path: ConfigPath; readonly text: string }[];
}

const reference = /\$\$\{|\$\{([^}]*)\}/g;
const inside = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/**
 * A variable that is not set may be given as a file: `NAME_FILE` holds the path (Docker's and Kubernetes' secrets). Keys are
 * never interpolated. What a variable holds is a value, whatever it looks like: it is not parsed again.
 */
export async function interpolate(value: unknown, environment: Environment): Promise<Interpolated> {
  const variables = new Map<string, readonly string[]>();
  const problems: { path: ConfigPath; text: string }[] = [];

  async function visit(node: unknown, path: ConfigPath): Promise<unknown> {
    if (typeof node === "string") return expand(node, path);
    if (Array.isArray(node)) {
      return Promise.all(node.map((item, index) => visit(item, [...path, index])));
    }
    if (node === null || typeof node !== "object") return node;
    const entries: [string, unknown][] = [];
    for (const [key, item] of Object.entries(node)) entries.push([key, await visit(item, [...path, key])]);
    return Object.fromEntries(entries);
  }

  async function expand(text: string, path: ConfigPath): Promise<string> {
    const parts: string[] = [];
    const used: string[] = [];
    let from = 0;
    for (const match of text.matchAll(reference)) {
      parts.push(text.slice(from, match.index));
      from = match.index + match[0].length;
      if (match[0] === "$${") {
        parts.push("${");
        continue;
      }
      const [, name, fallback] = inside.exec(match[1]!) ?? [];
      if (name === undefined) {
        problems.push({
          path,
          text: "`${` begins no variable; write ${NAME}, ${NAME:-default}, or $${ for a plain ${",
        });
        continue;
      }
      try {
        const found = await lookUp(name, environment);
        if (found !== undefined && (found !== "" || fallback === undefined)) {
          parts.push(found);
          used.push(name);
        } else if (fallback !== undefined) {
          parts.push(fallback);
        } else {
          problems.push({
            path,
            text: `the environment has no variable ${name} (nor ${name}_FILE); set it, or write \${${name}:-default}`,
          });
        }
      } catch (error) {
        problems.push({ path, text: (error as Error).message });
      }
    }
    parts.push(text.slice(from));
    if (used.length > 0) variables.set(pathKey(path), used);
    return parts.join("");
  }

  return { value: await visit(value, []), variables, problems };
}

async function lookUp(name: string, environment: Environment): Promise<string | undefined> {
  const value = environment[name];
  if (value !== undefined) return value;
  const file = environment[`${name}_FILE`];
  return file === undefined || file === "" ? undefined : readSecretFile(file);
}
