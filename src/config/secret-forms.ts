/** `apiKeyFile` and `apiKeyCommand` in the place of a secret `apiKey`. A repository's password is left for when it is needed. */
import { reasonOf } from "../domain/errors.ts";
import type { ConfigPath } from "./origin.ts";
import { readSecretFile, runSecretCommand } from "./secret-file.ts";
import { childShape, choose, type Shape } from "./shape.ts";

interface Resolved {
  readonly value: unknown;
  readonly problems: readonly { readonly path: ConfigPath; readonly text: string }[];
}

type Section = Readonly<Record<string, unknown>>;

export async function resolveSecretForms(tree: unknown, root: Shape, signal: AbortSignal): Promise<Resolved> {
  const problems: { path: ConfigPath; text: string }[] = [];

  async function visit(value: unknown, shape: Shape | undefined, path: ConfigPath): Promise<unknown> {
    if (value === null || typeof value !== "object" || Array.isArray(value) || !shape) return value;
    const here = choose(shape, value);
    const section =
      path.length === 2 && path[0] === "repositories"
        ? (value as Section)
        : await forms(value as Section, here, path);
    const entries: [string, unknown][] = [];
    for (const [key, item] of Object.entries(section)) {
      entries.push([key, await visit(item, childShape(here, key), [...path, key])]);
    }
    return Object.fromEntries(entries);
  }

  async function forms(section: Section, shape: Shape, path: ConfigPath): Promise<Section> {
    const result: Record<string, unknown> = { ...section };
    for (const [key, { secret }] of Object.entries(shape.properties ?? {})) {
      if (secret !== true) continue;
      const given = [key, `${key}File`, `${key}Command`].filter((form) => Object.hasOwn(section, form));
      if (given.length > 1)
        problems.push({
          path: [...path, given[1]!],
          text: `${given.join(" and ")} are given; one is enough`,
        });
      delete result[`${key}File`];
      delete result[`${key}Command`];
      if (given.length !== 1 || given[0] === key) continue;
      try {
        result[key] = await read(section[given[0]!], given[0]!, signal);
      } catch (error) {
        signal.throwIfAborted();
        problems.push({ path: [...path, given[0]!], text: reasonOf(error) });
      }
    }
    return result;
  }

  return { value: await visit(tree, root, []), problems };
}

async function read(value: unknown, form: string, signal: AbortSignal): Promise<string> {
  if (form.endsWith("File")) {
    if (typeof value === "string") return readSecretFile(value);
    throw new Error("expected the path of a file");
  }
  if (Array.isArray(value) && value.every((item) => typeof item === "string") && value.length > 0) {
    return runSecretCommand(value, signal);
  }
  throw new Error("expected a list: a program and its arguments");
}
