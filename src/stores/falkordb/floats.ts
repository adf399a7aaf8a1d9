/**
 * Vectors of floats, from the text that the server prints to the bytes of a `.npy` file. This loop runs once for every
 * float of a graph: it is most of what a backup computes.
 */
import { incomplete } from "./resp.ts";
import type { RespReader } from "./resp.ts";

/** 10^n for the exponents that a double can take a product with. */
const powers = Array.from({ length: 309 }, (_, exponent) => Number(`1e${exponent}`));

/** Reads `count` strings, each a float, into little-endian float32. */
export function readFloats(reader: RespReader, count: number): Uint8Array {
  const floats = new Float32Array(count);
  const { bytes, end } = reader;
  let at = reader.at;
  for (let index = 0; index < count; index++) {
    // `$17\r\n0.10000000149011612\r\n`: a float has between one and two digits of length.
    if (at + 5 > end) throw incomplete;
    at++;
    let length = bytes[at++]! - 0x30;
    const second = bytes[at]!;
    if (second !== 0x0d) {
      length = length * 10 + second - 0x30;
      at++;
    }
    at += 2;
    const stop = at + length;
    if (stop + 2 > end) throw incomplete;
    floats[index] = parseFloatText(bytes, at, stop);
    at = stop + 2;
  }
  reader.at = at;
  return new Uint8Array(floats.buffer);
}

/**
 * The double of a decimal text, to within 10^-8 of it. That is enough here: what is printed is a float32, and halfway to
 * the nearest other one is 3 × 10^-8 away. So nine digits are read, which an integer register holds, and the rest is not.
 */
function parseFloatText(bytes: Uint8Array, start: number, stop: number): number {
  const isNegative = bytes[start] === 0x2d;
  let at = isNegative ? start + 1 : start;
  let mantissa = 0;
  let digits = 0;
  for (; at < stop && digits < 9; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) break;
    mantissa = (mantissa * 10 + digit) | 0;
    if (mantissa !== 0) digits++;
  }
  let exponent = 0;
  if (at < stop) {
    if (bytes[at] !== 0x2e)
      return Number(Buffer.from(bytes.subarray(start, stop)).toString("latin1").replace("inf", "Infinity"));
    at++;
    const point = at;
    for (; at < stop && digits < 9; at++) {
      const digit = bytes[at]! - 0x30;
      if (digit < 0 || digit > 9) break;
      mantissa = (mantissa * 10 + digit) | 0;
      if (mantissa !== 0) digits++;
    }
    exponent = point - at;
    // `e-05`: float32 have two digits of exponent.
    if (bytes[stop - 4] === 0x65) {
      const size = (bytes[stop - 2]! - 0x30) * 10 + bytes[stop - 1]! - 0x30;
      exponent += bytes[stop - 3] === 0x2d ? -size : size;
    }
  }
  const size = exponent < 0 ? mantissa / powers[-exponent]! : mantissa * powers[exponent]!;
  return isNegative ? -size : size;
}

/**
 * The list literal of float32 values, as the bytes of `[123456789e-9,…]`. Nine digits are always enough for the server to read
 * back the same float32 (IEEE 754), and finding fewer would take longer than sending them. NaN has no literal.
 */
export function writeFloats(floats: Float32Array): Uint8Array {
  // The longest, `-123456789e-53,`, has 15 bytes.
  const bytes = new Uint8Array(floats.length * 16 + 2);
  let at = 0;
  bytes[at++] = 0x5b;
  for (let index = 0; index < floats.length; index++) {
    if (index > 0) bytes[at++] = 0x2c;
    const float = floats[index]!;
    if (float < 0 || Object.is(float, -0)) bytes[at++] = 0x2d;
    at = writeSize(Math.abs(float), bytes, at);
  }
  bytes[at++] = 0x5d;
  return bytes.subarray(0, at);
}

/** Writes a number that is not negative; gives the place behind it. */
function writeSize(size: number, bytes: Uint8Array, start: number): number {
  let at = start;
  if (size === Infinity) return writeAscii("1e999", bytes, at);
  if (size === 0) return writeAscii("0.0", bytes, at);
  let exponent = 8;
  while (size * powers[exponent]! < 1e8) exponent++;
  while (exponent > 0 && size * powers[exponent]! >= 1e9) exponent--;
  // Above 10^9 the digits in front of the point are too many.
  if (exponent === 0 && size >= 1e9) return writeAscii(size.toExponential(8), bytes, at);
  let digits = Math.round(size * powers[exponent]!);
  let end = at + decimalLength(digits);
  for (let place = end; place > at;) {
    const rest = (digits / 10) | 0;
    bytes[--place] = 0x30 + digits - rest * 10;
    digits = rest;
  }
  at = end;
  bytes[at++] = 0x65;
  bytes[at++] = 0x2d;
  end = at + (exponent >= 10 ? 2 : 1);
  if (exponent >= 10) bytes[at++] = 0x30 + ((exponent / 10) | 0);
  bytes[at] = 0x30 + (exponent % 10);
  return end;
}

/** Digits of a number between 10^8 and 10^9, which rounding may have reached. */
function decimalLength(digits: number): number {
  return digits >= 1e9 ? 10 : 9;
}

function writeAscii(text: string, bytes: Uint8Array, at: number): number {
  for (let index = 0; index < text.length; index++) bytes[at + index] = text.charCodeAt(index);
  return at + text.length;
}
