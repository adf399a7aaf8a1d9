/** Brings a file's values into the form that the schemas check: variables, secrets and paths resolved. */
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import type { Environment } from "./environment.ts";
import type { Explained } from "./explain.ts";
import { interpolate } from "./interpolate.ts";
import { storageSchemas, storeSchemas } from "./kinds.ts";
import { type ConfigPath, type Origin, pathKey } from "./origin.ts";
import type { Problem } from "./problem.ts";
import type { ConfigDocument } from "./read-file.ts";
import { resolveSecretForms } from "./secret-forms.ts";
import { composeShape, type KindSchema, type Shape } from "./shape.ts";
import { mapLeaves } from "./walk.ts";

export interface PreparedFile {
  readonly source: string;
  readonly tree: unknown;
  readonly shape: Shape;
  readonly storeSchemas: readonly KindSchema[];
  readonly about: Explained;
  readonly problems: readonly Problem[];
  origin(path: ConfigPath): Origin;
}

export async function prepareFile(
  document: ConfigDocument,
  environment: Environment,
  signal: AbortSignal,
): Promise<PreparedFile> {
  const { value, variables, problems } = await interpolate(document.value, environment);
  const stores = await storeSchemas(typesIn(value, "stores"));
  const storages = await storageSchemas(storageTypesIn(value));
  const shape = composeShape(stores, storages);
  const folder = dirname(document.source);
  const typed = mapLeaves(value, shape, (leaf, path, here) => {
    if (typeof leaf !== "string" || here === undefined) return leaf;
    if (here.path === true || isStorage(path)) return fromFolder(folder, leaf);
    return variables.has(pathKey(path)) ? typedAs(leaf, here) : leaf;
  });
  const secrets = await resolveSecretForms(typed, shape, signal);
  const where = { position: document.position, keyPosition: document.keyPosition };
  return {
    source: document.source,
    tree: secrets.value,
    shape,
    storeSchemas: stores,
    about: { ...where, value: secrets.value, shape },
    problems: [...problems, ...secrets.problems].map(({ path, text }) => ({
      path,
      text,
      position: document.position(path),
    })),
    origin: (path) => ({
      kind: "file",
      file: document.source,
      ...(document.position(path) ?? { line: 1, column: 1 }),
      variables: variables.get(pathKey(path)) ?? [],
    }),
  };
}

/** The `type:` of every entry of a section. */
function typesIn(tree: unknown, section: string): string[] {
  return entriesOf(tree, section).flatMap((entry) => typeOf(entry));
}

function storageTypesIn(tree: unknown): string[] {
  return entriesOf(tree, "repositories").flatMap((entry) =>
    entry !== null && typeof entry === "object" && "storage" in entry ? typeOf(entry.storage) : [],
  );
}

function entriesOf(tree: unknown, section: string): unknown[] {
  if (tree === null || typeof tree !== "object" || !Object.hasOwn(tree, section)) return [];
  const entries = (tree as Record<string, unknown>)[section];
  return entries !== null && typeof entries === "object" ? Object.values(entries) : [];
}

function typeOf(entry: unknown): string[] {
  return entry !== null && typeof entry === "object" && "type" in entry && typeof entry.type === "string"
    ? [entry.type]
    : [];
}

/** A repository's storage that is a plain text: a path or a URL. */
function isStorage(path: ConfigPath): boolean {
  return path.length === 3 && path[0] === "repositories" && path[2] === "storage";
}

/** Paths begin at the file's folder, whatever folder cron or a service runs in. URLs and whole paths stay. */
function fromFolder(folder: string, path: string): string {
  if (/^[a-z][a-z0-9+.-]+:/i.test(path) || isAbsolute(path)) return path;
  if (path === "~" || path.startsWith("~/")) return join(homedir(), path.slice(1));
  return folder === "." ? path : join(folder, path);
}

/** What a variable holds is text; where a number or a truth value is wanted it is read as one. */
function typedAs(text: string, shape: Shape): unknown {
  if ((shape.type === "number" || shape.type === "integer") && /^-?\d+(\.\d+)?$/.test(text))
    return Number(text);
  if (shape.type === "boolean" && /^(true|false)$/.test(text)) return text === "true";
  return text;
}
