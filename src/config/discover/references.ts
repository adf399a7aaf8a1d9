/** Which variables an entry refers to, and what they hold. */
import type { Environment } from "../environment.ts";
import type { Entry } from "./found.ts";

const reference = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/** Variables without which the entry cannot be used: not set, nor as a file, and without a default. */
export function missingVariables(entry: Entry, environment: Environment): string[] {
  const missing = new Set<string>();
  for (const value of Object.values(entry).flat()) {
    for (const [, name, fallback] of value.matchAll(reference)) {
      if (name === undefined || fallback !== undefined) continue;
      if (environment[name] === undefined && environment[`${name}_FILE`] === undefined) missing.add(name);
    }
  }
  return [...missing];
}

/** The text with what the variables hold; undefined when one is not set. For addresses: secrets are not asked for here. */
export function resolved(text: string, environment: Environment): string | undefined {
  let whole = true;
  const value = text.replaceAll(
    reference,
    (match, name: string | undefined, fallback: string | undefined) => {
      if (match === "$${") return "${";
      const found = environment[name!] || fallback;
      if (found === undefined) whole = false;
      return found ?? "";
    },
  );
  return whole ? value : undefined;
}
