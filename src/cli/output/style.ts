/** Colours and signs, as far as the terminal shows them. */
import { createRequire } from "node:module";
import { stripVTControlCharacters } from "node:util";
import type { Terminal } from "./terminal.ts";

export interface Style {
  readonly columns: number;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly bad: (text: string) => string;
  /** Signs that stand alone or in the plain alphabet. */
  readonly signs: Readonly<Record<"good" | "bad" | "warn" | "none" | "more" | "bullet", string>>;
}

const unicodeSigns = { good: "✓", bad: "✗", warn: "!", none: "–", more: "…", bullet: "•" };
const plainSigns = { good: "ok", bad: "FAILED", warn: "!", none: "-", more: "...", bullet: "-" };

export function styleFor(terminal: Terminal): Style {
  const paint =
    (code: number) =>
    (text: string): string =>
      terminal.colour && text !== "" ? `\u001B[${code}m${text}\u001B[${code < 10 ? 22 : 39}m` : text;
  return {
    columns: terminal.columns,
    bold: paint(1),
    dim: paint(2),
    good: paint(32),
    warn: paint(33),
    bad: paint(31),
    signs: terminal.unicode ? unicodeSigns : plainSigns,
  };
}

type StringWidth = (text: string) => number;
let stringWidth: StringWidth | undefined;

/** Columns that a text takes on a terminal: wide characters take two, colours none. */
export function widthOf(text: string): number {
  if (/^[ -~\u00A1-\u00AC\u00AE-\u02FF\u2010-\u2026]*$/.test(text)) return text.length;
  // Its tables of characters cost as much as all of `--help`: loaded for the first text that needs them.
  stringWidth ??= (createRequire(import.meta.url)("string-width") as { default: StringWidth }).default;
  return stringWidth(text);
}

/** Names and values from outside may hold control characters, which would move the cursor or forge lines (law 12). */
export function printable(text: string): string {
  return (
    stripVTControlCharacters(text)
      // oxlint-disable-next-line no-control-regex -- control characters, and those that turn the writing direction
      .replaceAll(/[\u0000-\u001F\u007F-\u009F\u2028\u2029\u202A-\u202E\u2066-\u2069]/g, "\uFFFD")
  );
}

/** The text in at most `columns`; what is left out is marked. */
export function fit(text: string, columns: number, more: string): string {
  if (widthOf(text) <= columns) return text;
  let kept = "";
  let width = widthOf(more);
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    width += widthOf(segment);
    if (width > columns) break;
    kept += segment;
  }
  return kept + more;
}

/**
 * Breaks a sentence at blanks so that no line is longer; a longer word (a path), a `command`, and a number with what it counts
 * stay whole.
 */
export function wrap(text: string, columns: number, indent: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/(?<!\d) (?=(?:[^`]*`[^`]*`)*[^`]*$)/)) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && widthOf(longer) > columns - widthOf(indent)) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line].map((part) => indent + part).join("\n");
}

/** A sentence behind a sign: what does not fit stands under its beginning. A longer word (a path) stays whole. */
export function hanging(sign: string, words: string, style: Style): string {
  return sign + wrap(words, style.columns, " ".repeat(widthOf(sign))).trimStart();
}
