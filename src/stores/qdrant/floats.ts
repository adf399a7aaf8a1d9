/**
 * 32-bit floats between decimal text and bits, exactly. The server prints the shortest decimal that names the float; it
 * reads a decimal as a double and rounds that.
 */

const powers = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);
const doubles = new Float64Array(1);
const words = new Uint32Array(doubles.buffer);
const smallestNormal = 2 ** -126;
const largestMantissa = 900_719_925_474_099;

/** The float nearest to mantissa × 10^exponent; `text` is the same number. */
export function nearestFloat(mantissa: number, exponent: number, text: () => string): number {
  // Both operands are exact, so the double is the nearest one.
  const isExact = mantissa <= largestMantissa && exponent >= -22 && exponent <= 22;
  const double = isExact
    ? exponent < 0
      ? mantissa / powers[-exponent]!
      : mantissa * powers[exponent]!
    : Number(text());
  return isHalfway(double) ? roundExactly(double, text()) : Math.fround(double);
}

/**
 * A double that rounds to the float nearest to mantissa / 10^places. NaN where that takes more thought (too many digits for a
 * double, the middle between two floats, a float of fewer bits): `nearestFloat` has it then.
 */
export function exactFloat(mantissa: number, places: number): number {
  if (mantissa > largestMantissa || places > 22) return NaN;
  const double = mantissa / powers[places]!;
  doubles[0] = double;
  const isHard = (words[0]! & 0x1fff_ffff) === 0x1000_0000 || (double < smallestNormal && mantissa !== 0);
  return isHard ? NaN : double;
}

/** Rounding twice goes wrong only where the double lies in the middle between two floats. */
function isHalfway(double: number): boolean {
  if (double < smallestNormal) return double !== 0 && (double * 2 ** 150) % 2 === 1;
  doubles[0] = double;
  return (words[0]! & 0x1fff_ffff) === 0x1000_0000;
}

function roundExactly(double: number, text: string): number {
  const difference = compareDecimal(text, double);
  if (difference === 0) return Math.fround(double);
  // A step of the double towards the decimal leaves the middle.
  doubles[0] = double;
  const bits = new BigInt64Array(doubles.buffer);
  bits[0] = bits[0]! + (difference > 0 ? 1n : -1n);
  return Math.fround(doubles[0]);
}

/** Sign of decimal − double, both positive. */
function compareDecimal(text: string, double: number): number {
  const [digits = "", power = "0"] = text.toLowerCase().split("e");
  const [whole = "", fraction = ""] = digits.split(".");
  let left = BigInt(whole + fraction);
  const tens = BigInt(Number(power) - fraction.length);
  // Any double is a whole multiple of 2^-1074.
  let right = 0n;
  let rest = double;
  let scale = 0;
  while (!Number.isInteger(rest)) {
    rest *= 2;
    scale++;
  }
  right = BigInt(rest);
  if (tens >= 0n) left *= 10n ** tens;
  else right *= 10n ** -tens;
  left <<= BigInt(scale);
  return left < right ? -1 : left > right ? 1 : 0;
}

const pointOf = 0x2e;
const zero = 0x30;

/** Longest text that `writeFloat` writes. */
export const floatTextBytes = 24;

/**
 * Writes a finite float as a decimal of nine digits, which names it, **with a decimal point or exponent**: without, the
 * server takes a multivector of two rows for a sparse vector. Gives the new end.
 */
export function writeFloat(into: Uint8Array, at: number, float: number): number {
  let end = at;
  let size = float;
  if (float < 0 || Object.is(float, -0)) {
    into[end++] = 0x2d;
    size = -float;
  }
  if (size >= 1e-5 && size < 1e8) return writeSimple(into, end, size);
  if (size === 0) return writeText(into, end, "0.0");
  // Always with an exponent; `toPrecision` leaves the point out of nine whole digits.
  return writeText(into, end, size.toExponential(8));
}

function writeSimple(into: Uint8Array, at: number, size: number): number {
  let places = 8;
  if (size < 1) for (places = 9; size * powers[places]! < 1e8; places++);
  else while (places > 1 && size * powers[places]! >= 1e9) places--;
  // Nine digits fit into 31 bits: whole numbers of the processor from here on.
  const scaled = Math.round(size * powers[places]!) | 0;
  let end = at;
  let fraction = scaled;
  let digits = places;
  if (places > 9) {
    into[end++] = zero;
    into[end++] = pointOf;
    for (; digits > 9; digits--) into[end++] = zero;
  } else {
    const unit = powers[places]! | 0;
    const whole = (scaled / unit) | 0;
    fraction = scaled - whole * unit;
    if (whole < 10) into[end++] = zero + whole;
    else end = writeText(into, end, String(whole));
    into[end++] = pointOf;
  }
  let index = end + digits;
  for (; digits >= 2; digits -= 2) {
    const hundredth = (fraction / 100) | 0;
    const rest = fraction - hundredth * 100;
    into[--index] = units[rest]!;
    into[--index] = tens[rest]!;
    fraction = hundredth;
  }
  if (digits === 1) into[--index] = zero + fraction;
  let kept = end + (places > 9 ? 9 : places) - 1;
  while (kept > end && into[kept] === zero) kept--;
  return kept + 1;
}

/** The two digits of the numbers below a hundred. */
const tens = Uint8Array.from({ length: 100 }, (_, number) => zero + Math.floor(number / 10));
const units = Uint8Array.from({ length: 100 }, (_, number) => zero + (number % 10));

function writeText(into: Uint8Array, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) into[at + index] = text.charCodeAt(index);
  return at + text.length;
}

/** The 16-bit float with exactly this value; undefined when there is none. */
export function halfOf(float: number): number | undefined {
  single[0] = float;
  const bits = singleBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 127;
  const fraction = bits & 0x7f_ffff;
  if ((bits & 0x7fff_ffff) === 0) return sign;
  if (exponent > 15) return undefined;
  if (exponent >= -14) {
    return (fraction & 0x1fff) === 0 ? sign | ((exponent + 15) << 10) | (fraction >>> 13) : undefined;
  }
  // Subnormal: a multiple of 2^-24 below 2^-14.
  const multiple = Math.abs(float) * 2 ** 24;
  return Number.isInteger(multiple) ? sign | multiple : undefined;
}

/** The value of a 16-bit float. */
export function floatOfHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);
