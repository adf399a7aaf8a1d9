/**
 * A walk over the bytes of JSON that the server printed. Most bytes of a page are decimals of vectors: they go from
 * bytes to floats without a text between. Whatever is no JSON throws `SyntaxError`.
 */
import { readPlainJson } from "../format/json-read.ts";
import type { Value } from "../format/value.ts";
import { exactFloat, nearestFloat } from "./floats.ts";

const quote = 0x22;
const backslash = 0x5c;
/** As distances from the digit 0. */
const point = 0x2e - 0x30;
const comma = 0x2c - 0x30;

export class JsonBytes {
  readonly #bytes: Buffer;
  #at = 0;
  #floats = new Float32Array(4096);

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** The next byte that is no space; it is not taken. */
  peek(): number {
    const bytes = this.#bytes;
    for (let at = this.#at; ; at++) {
      const byte = bytes[at];
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) continue;
      this.#at = at;
      if (byte === undefined) throw new SyntaxError("the answer ends early");
      return byte;
    }
  }

  /** Takes the byte if it is the next one. */
  takes(byte: number): boolean {
    if (this.peek() !== byte) return false;
    this.#at++;
    return true;
  }

  /** The byte behind the next one: what the array or object that begins here begins with. Nothing is taken. */
  nextInside(): number {
    this.peek();
    const start = this.#at++;
    const inside = this.peek();
    this.#at = start;
    return inside;
  }

  expect(byte: number): void {
    if (!this.takes(byte)) {
      throw new SyntaxError(`the answer has no ${String.fromCharCode(byte)} at byte ${this.#at}`);
    }
  }

  /** Calls `member` for each member of an object; it must take the value. */
  object(member: (name: string) => void): void {
    this.expect(0x7b);
    if (this.takes(0x7d)) return;
    do {
      const name = this.string();
      this.expect(0x3a);
      member(name);
    } while (this.takes(0x2c));
    this.expect(0x7d);
  }

  /** Calls `item` for each item of an array; it must take the value. */
  array(item: () => void): void {
    this.expect(0x5b);
    if (this.takes(0x5d)) return;
    do item();
    while (this.takes(0x2c));
    this.expect(0x5d);
  }

  string(): string {
    this.peek();
    const start = this.#at;
    this.#skipString();
    const inner = this.#bytes.toString("utf8", start + 1, this.#at - 1);
    return inner.includes("\\") ? (JSON.parse(`"${inner}"`) as string) : inner;
  }

  /** Any value, exactly. */
  value(): Value {
    return readPlainJson(this.text());
  }

  /** The text of any value. */
  text(): string {
    this.peek();
    const start = this.#at;
    this.skip();
    return this.#bytes.toString("utf8", start, this.#at);
  }

  /** Passes over a value. */
  skip(): void {
    const bytes = this.#bytes;
    let depth = 0;
    this.peek();
    do {
      const byte = bytes[this.#at];
      if (byte === quote) {
        this.#skipString();
        continue;
      }
      if (byte === undefined) throw new SyntaxError("the answer ends early");
      if (byte === 0x7b || byte === 0x5b) depth++;
      else if (byte === 0x7d || byte === 0x5d) depth--;
      else if (depth === 0) {
        this.#skipWord();
        return;
      }
      this.#at++;
    } while (depth > 0);
  }

  /** A number, `true`, `false` or `null` that stands alone. */
  #skipWord(): void {
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined || byte === 0x2c || byte === 0x7d || byte === 0x5d || byte <= 0x20) return;
      this.#at++;
    }
  }

  #skipString(): void {
    const bytes = this.#bytes;
    if (bytes[this.#at] !== quote) throw new SyntaxError(`the answer has no text at byte ${this.#at}`);
    for (let end = this.#at + 1; ; end++) {
      end = bytes.indexOf(quote, end);
      if (end < 0) throw new SyntaxError("the answer ends within a text");
      let before = end - 1;
      while (bytes[before] === backslash) before--;
      if ((end - before) % 2 === 1) {
        this.#at = end + 1;
        return;
      }
    }
  }

  /**
   * An array of numbers as floats, in a buffer that the next call uses again; `undefined` when one of them is `null`,
   * which is how the server prints infinities and NaN.
   */
  floats(): Float32Array | undefined {
    this.expect(0x5b);
    if (this.takes(0x5d)) return this.#floats.subarray(0, 0);
    let floats = this.#floats;
    let count = 0;
    let isFinite = true;
    for (;;) {
      if (count === floats.length) {
        this.#floats = new Float32Array(count * 2);
        this.#floats.set(floats);
        floats = this.#floats;
      }
      count = this.#plainFloats(floats, count);
      // Full; the comma is taken, so that another number must follow.
      if (count === floats.length) continue;
      if (this.peek() === 0x6e) {
        this.skip();
        isFinite = false;
      } else {
        floats[count++] = this.#float();
      }
      if (!this.takes(0x2c)) break;
    }
    this.expect(0x5d);
    return isFinite ? floats.subarray(0, count) : undefined;
  }

  /**
   * The numbers that stand next, each followed by a comma, as far as they are of the usual kind: few digits, a point among
   * them, nothing between. Most of the time of a backup is spent here. Gives the new count; the rest is left to `#float`.
   */
  #plainFloats(floats: Float32Array, from: number): number {
    const bytes = this.#bytes;
    let count = from;
    let at = this.#at;
    for (; count < floats.length; count++) {
      const isNegative = bytes[at] === 0x2d;
      const start = isNegative ? at + 1 : at;
      let end = start;
      let mantissa = 0;
      let digit = bytes[end]! - 0x30;
      for (; digit >= 0 && digit <= 9; digit = bytes[++end]! - 0x30) mantissa = mantissa * 10 + digit;
      if (digit !== point || end === start) break;
      const places = end + 1;
      digit = bytes[++end]! - 0x30;
      for (; digit >= 0 && digit <= 9; digit = bytes[++end]! - 0x30) mantissa = mantissa * 10 + digit;
      // An exponent, the last number, a space.
      if (digit !== comma) break;
      const float = exactFloat(mantissa, end - places);
      if (Number.isNaN(float)) break;
      floats[count] = isNegative ? -float : float;
      at = end + 1;
    }
    this.#at = at;
    return count;
  }

  #float(): number {
    const bytes = this.#bytes;
    const isNegative = bytes[this.#at] === 0x2d;
    const start = isNegative ? this.#at + 1 : this.#at;
    let at = start;
    let mantissa = 0;
    let exponent = 0;
    let byte = bytes[at]!;
    for (; byte >= 0x30 && byte <= 0x39; byte = bytes[++at]!) mantissa = mantissa * 10 + byte - 0x30;
    if (at === start) throw new SyntaxError(`the answer has no number at byte ${at}`);
    if (byte === 0x2e) {
      const before = at;
      for (byte = bytes[++at]!; byte >= 0x30 && byte <= 0x39; byte = bytes[++at]!) {
        mantissa = mantissa * 10 + byte - 0x30;
      }
      exponent = before + 1 - at;
    }
    if (byte === 0x65 || byte === 0x45) {
      const from = ++at;
      while (isExponent(bytes[at])) at++;
      exponent += Number(bytes.toString("latin1", from, at));
    }
    this.#at = at;
    const size = nearestFloat(mantissa, exponent, () => bytes.toString("latin1", start, at));
    return isNegative ? -size : size;
  }
}

function isExponent(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 0x30 && byte <= 0x39) || byte === 0x2b || byte === 0x2d);
}
