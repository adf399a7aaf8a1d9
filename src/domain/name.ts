/** Names of stacks, stores and repositories: part of paths in snapshots, so only what every system keeps as it is. */

/** Begins with a letter or digit, so that no name is an option, a hidden file or `__proto__`. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** What to write, for messages. */
export const nameForm =
  "a name of letters, digits, dots, dashes and underscores, beginning with a letter or digit";

/** A name made of any text: other characters become `-`. Undefined when nothing is left. */
export function nameFrom(text: string): string | undefined {
  const name = text
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 64)
    .replace(/[-.]+$/, "");
  return namePattern.test(name) ? name : undefined;
}
