/** Turns what zod found into problems that a person can mend: the place, what is there, what was expected, the nearest key. */
import type { z } from "zod";
import { nearestName } from "../domain/nearest.ts";
import type { ConfigPath } from "./origin.ts";
import type { Position, Problem } from "./problem.ts";
import { laterKeys } from "./sections.ts";
import { type Shape, shapeAt } from "./shape.ts";

/** What the problems are about: the values as they were checked, their shape, and where they stand. */
export interface Explained {
  readonly value: unknown;
  readonly shape: Shape;
  readonly position: (path: ConfigPath) => Position | undefined;
  readonly keyPosition: (path: ConfigPath) => Position | undefined;
}

/** @param at where the checked value stands in the configuration. */
export function explainIssues(error: z.ZodError, at: ConfigPath, about: Explained): Problem[] {
  return error.issues.flatMap((issue) => {
    const path: ConfigPath = [...at, ...issue.path.map((step) => (typeof step === "symbol" ? "" : step))];
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(path, key, about));
    return [{ path, position: about.position(path), text: issueText(issue, valueAt(about.value, path)) }];
  });
}

/** A key that the shape does not have. */
export function unknownKey(parent: ConfigPath, key: string, about: Explained): Problem {
  const path = [...parent, key];
  const known = Object.keys(shapeAt(about.shape, about.value, parent)?.properties ?? {});
  return { path, position: about.keyPosition(path), text: unknownKeyText(key, known) };
}

function unknownKeyText(key: string, known: readonly string[]): string {
  if (!known.includes(key) && Object.hasOwn(laterKeys, key)) return laterKeys[key]!;
  const nearest = nearestName(key, known);
  if (nearest !== undefined) return `there is no such key; did you mean \`${nearest}\`?`;
  return `there is no such key here; known are ${known.join(", ")}`;
}

function issueText(issue: z.core.$ZodIssue, found: unknown): string {
  if (issue.code === "invalid_type") {
    // A schema that says what it wants says it better.
    const own = issue.message.startsWith("Invalid input") ? undefined : issue.message;
    const expected = own ?? `expected ${withArticle(issue.expected)}`;
    return found === undefined ? `it is missing; ${expected}` : `${expected}, found ${typeText(found)}`;
  }
  if (issue.code === "invalid_value") {
    const values = issue.values.map(String);
    const nearest = typeof found === "string" ? nearestName(found, values) : undefined;
    const expected = `expected ${values.length === 1 ? values[0]! : `one of ${values.join(", ")}`}`;
    if (found === undefined) return `it is missing; ${expected}`;
    return nearest === undefined ? expected : `${expected}; did you mean \`${nearest}\`?`;
  }
  if (issue.code === "too_small")
    return issue.origin === "string" ? "it is empty" : `expected at least ${issue.minimum}`;
  if (issue.code === "too_big") return `expected at most ${issue.maximum}`;
  return issue.message;
}

function withArticle(type: string): string {
  const words: Readonly<Record<string, string>> = {
    string: "text",
    number: "a number",
    int: "a whole number",
    boolean: "true or false",
    array: "a list",
    object: "keys with values",
    record: "names with values",
  };
  return words[type] ?? "a value";
}

function typeText(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  return (
    { string: "text", number: "a number", boolean: "true or false" }[typeof value as string] ??
    "keys with values"
  );
}

export function valueAt(value: unknown, path: ConfigPath): unknown {
  let at = value;
  for (const step of path) {
    if (at === null || typeof at !== "object" || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<string | number, unknown>)[step];
  }
  return at;
}
