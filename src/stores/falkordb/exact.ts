/**
 * Doubles to the last bit. The server prints them with 15 digits, too few for one in four; it prints integers exactly. So
 * each double that a page may hold is asked for a second time as an integer: its mantissa.
 *
 *     m = toInteger(v × 2^(53 - floor(log2 |v|)))
 *
 * The logarithm may be off by one beside a power of two: m is exact all the same, and the exponent is found by holding m
 * against the 15 digits. Numbers near the smallest ones would overflow the power: for them v × 2^600 is asked for.
 * `CASE` does not keep the server from computing with texts and lists, so values are first made null where they do not fit.
 */

/** Below this, `2^(53 - e)` is no double any more; well above the place where that happens. */
const tinyBelow = 1e-280;
const tinyScale = 600;

/** Which values of a property must be asked for twice: those in lists of this depth (0: the property itself). */
export interface ExactColumn {
  readonly property: string;
  readonly depth: number;
  readonly tiny: boolean;
}

/** The expression of a column. `property` is an expression of ours, such as "n.`score`", not a name of the store. */
export function exactExpression(property: string, { depth, tiny }: Omit<ExactColumn, "property">): string {
  return nested(property, 0, depth, tiny);
}

function nested(value: string, level: number, depth: number, tiny: boolean): string {
  if (level < depth) {
    const item = `x${level}`;
    const list = `CASE WHEN typeof(${value})='List' THEN ${value} ELSE null END`;
    return `[${item} IN ${list} | ${nested(item, level + 1, depth, tiny)}]`;
  }
  const double = `toFloatOrNull(${value})`;
  const v = tiny ? `(${double}*pow(2.0,${tinyScale}))` : double;
  return `toInteger(${v}*pow(2.0,53-floor(log(abs(${v}))/log(2.0))))`;
}

/** What the printed digits alone tell: the double, or that its mantissa is needed. */
export function readPrinted(text: string): {
  readonly value: number;
  readonly need: "nothing" | "exact" | "tiny";
} {
  if (text.endsWith("nan")) return { value: NaN, need: "nothing" };
  if (text.endsWith("inf")) return { value: text.startsWith("-") ? -Infinity : Infinity, need: "nothing" };
  // The largest doubles are rounded up to digits that no double has.
  const value = Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, Number(text)));
  if (value === 0) return { value, need: "nothing" };
  return { value, need: Math.abs(value) < tinyBelow ? "tiny" : "exact" };
}

/**
 * The double of which `printed` is the 15 digits and `mantissa` the asked integer, as decimal text. Undefined when the two
 * do not belong together.
 */
export function exactDouble(printed: number, mantissa: string, tiny: boolean): number | undefined {
  const scaled = tiny ? printed * 2 ** tinyScale : printed;
  // It has 53 significant bits, so a JavaScript number holds it.
  const m = Number(mantissa);
  if (m === 0 || !Number.isFinite(m)) return undefined;
  const exact = m * 2 ** Math.round(Math.log2(scaled / m));
  // Subnormals are printed with 15 digits as well, but scaling their rounded digits is not exact.
  if (!(Math.abs(exact - scaled) <= Math.abs(scaled) * 2e-14)) return undefined;
  return tiny ? exact * 2 ** -tinyScale : exact;
}
