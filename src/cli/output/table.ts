/** Tables for people: columns as wide as they need, the flexible one shortened where the terminal is narrow. */
import { fit, printable, type Style, widthOf, wrap } from "./style.ts";

export interface Column {
  readonly title: string;
  readonly align?: "right";
  /** Gives way when the table is wider than the terminal. */
  readonly flexible?: boolean;
  /** The last column alone: what does not fit goes on in the next line, in place of being shortened. */
  readonly folded?: boolean;
}

/** A cell: a text from anywhere, or one that was coloured here and must not be cleaned. */
export type Cell = string | { readonly text: string; readonly paint: (text: string) => string };

const gap = 2;
const narrowestFlexible = 8;

/** Lines without a break at the end. */
export function tableText(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  style: Style,
): string {
  const texts = rows.map((row) => row.map((cell) => printable(typeof cell === "string" ? cell : cell.text)));
  const widths = columns.map(({ title }, index) =>
    Math.max(widthOf(title), ...texts.map((row) => widthOf(row[index] ?? ""))),
  );
  shrink(columns, widths, style.columns);
  const line = (cells: readonly string[], paint: (text: string, index: number) => string): string =>
    cells
      .map((text, index) => {
        const shown = fit(text, widths[index]!, style.signs.more);
        const padding = " ".repeat(Math.max(0, widths[index]! - widthOf(shown)));
        const painted = paint(shown, index);
        return columns[index]!.align === "right" ? padding + painted : painted + padding;
      })
      .join(" ".repeat(gap))
      .trimEnd();
  const head = line(
    columns.map(({ title }) => title),
    (text) => style.dim(text),
  );
  const last = columns.length - 1;
  const body = texts.flatMap((row, rowNumber) => {
    const pieces =
      columns[last]!.folded === true
        ? wrap(row[last] ?? "", widths[last]!, "").split("\n")
        : [row[last] ?? ""];
    return pieces.map((piece, number) =>
      line(
        [...(number === 0 ? row.slice(0, last) : row.slice(0, last).map(() => "")), piece],
        (text, index) => {
          const cell = rows[rowNumber]![index]!;
          return typeof cell === "string" ? text : cell.paint(text);
        },
      ),
    );
  });
  return [head, ...body].join("\n");
}

/** Takes what is too much from the flexible columns, the widest first. */
function shrink(columns: readonly Column[], widths: number[], available: number): void {
  for (;;) {
    const tooMuch = widths.reduce((sum, width) => sum + width, 0) + gap * (widths.length - 1) - available;
    if (tooMuch <= 0) return;
    let widest = -1;
    for (const [index, { flexible }] of columns.entries()) {
      if (flexible !== true || widths[index]! <= narrowestFlexible) continue;
      if (widest < 0 || widths[index]! > widths[widest]!) widest = index;
    }
    if (widest < 0) return;
    widths[widest]!--;
  }
}
