/**
 * Names in the text of a query. Neo4j takes values as parameters, but no labels, types, property names and names of
 * indexes in the places where they are needed. This file is the only one that makes such text.
 */
import { MemkeepError } from "../../domain/errors.ts";

/**
 * A name between backticks: a backtick is doubled. Cypher reads `\u0060` as a backtick *before* it looks for names, so every
 * backslash is written as such an escape itself. `STORE_UNSUPPORTED` for what Neo4j takes for no name.
 */
export function quoteName(name: string): string {
  if (name === "" || name.includes("\0") || !name.isWellFormed()) {
    throw new MemkeepError("STORE_UNSUPPORTED", {
      tried: "write a label, type or property name into a query",
      happened: "the name is empty, or holds NUL or half a character, which Neo4j cannot hold",
    });
  }
  return `\`${name.replaceAll("`", "``").replaceAll("\\", "\\u005C")}\``;
}

/** `:One:Two`; empty text for no labels. */
export function quoteLabels(labels: readonly string[]): string {
  return labels.map((label) => `:${quoteName(label)}`).join("");
}
