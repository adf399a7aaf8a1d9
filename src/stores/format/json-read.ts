/**
 * JSON text → values, exactly. A parser of its own, because `JSON.parse` rounds integers and forgets `1.0`; its reviver
 * with source text keeps both, at a third of the speed (`bench/format.ts`).
 */
import { MemkeepError } from "../../domain/errors.ts";
import { maxDepth } from "./json-write.ts";
import { DenseVector, Tagged, elementBytes, setMember } from "./value.ts";
import type { ElementType, PlacedVector, Value, ValueMap } from "./value.ts";

/**
 * The value of one JSON text. Vectors whose bytes stand in a file are added to `vectors` in the order of their markers,
 * without bytes. Whatever the text is, the outcome is a value or a `DUMP_DAMAGED`.
 */
export function readValue(text: string, vectors: PlacedVector[] = []): Value {
  return new Parser(text, vectors).all();
}

/** The text of a JSON reader that knows only plain JSON keeps its meaning: text that a store sent as JSON (no tags in it). */
export function readPlainJson(text: string): Value {
  return new Parser(text, undefined).all();
}

const quote = 0x22;
const backslash = "\\";
const control = /[^ -\uffff]/;
const shapePattern = /^(f4|f8|f2|u1|i1)\[(?:(0|[1-9]\d{0,8}),)?(0|[1-9]\d{0,8})\]$/;
const base64Pattern = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

class Parser {
  readonly #text: string;
  readonly #vectors: PlacedVector[] | undefined;
  #at = 0;
  #depth = 0;
  #field = "";

  constructor(text: string, vectors: PlacedVector[] | undefined) {
    this.#text = text;
    this.#vectors = vectors;
  }

  all(): Value {
    const value = this.#value();
    if (this.#skipSpace() < this.#text.length) throw this.#damaged("has something after its value");
    return value;
  }

  #skipSpace(): number {
    let at = this.#at;
    for (;;) {
      const unit = this.#text.charCodeAt(at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) break;
      at++;
    }
    return (this.#at = at);
  }

  #value(): Value {
    const unit = this.#text.charCodeAt(this.#skipSpace());
    switch (unit) {
      case quote:
        return this.#string();
      case 0x7b:
        return this.#object();
      case 0x5b:
        return this.#array();
      case 0x74:
        return this.#word("true", true);
      case 0x66:
        return this.#word("false", false);
      case 0x6e:
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  #word(word: string, value: Value): Value {
    if (!this.#text.startsWith(word, this.#at)) throw this.#damaged("has an unknown word");
    this.#at += word.length;
    return value;
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at + 1;
    let end = text.indexOf('"', start);
    if (end < 0) throw this.#damaged("has a text without an end");
    let inner = text.slice(start, end);
    if (!inner.includes(backslash)) {
      if (control.test(inner)) throw this.#damaged("has a control character in a text");
      this.#at = end + 1;
      return inner;
    }
    while (isEscaped(text, start, end)) {
      end = text.indexOf('"', end + 1);
      if (end < 0) throw this.#damaged("has a text without an end");
    }
    this.#at = end + 1;
    inner = text.slice(start - 1, end + 1);
    try {
      return JSON.parse(inner) as string;
    } catch {
      throw this.#damaged("has an unknown escape in a text");
    }
  }

  #number(): bigint | number {
    const text = this.#text;
    const start = this.#at;
    let at = start;
    let isDouble = false;
    if (text.charCodeAt(at) === 0x2d) at++;
    const first = at;
    at = digits(text, at);
    if (at === first || (at > first + 1 && text.charCodeAt(first) === 0x30)) {
      throw this.#damaged("has something that is no JSON value");
    }
    if (text.charCodeAt(at) === 0x2e) {
      isDouble = true;
      const end = digits(text, at + 1);
      if (end === at + 1) throw this.#damaged("has a number without digits after its point");
      at = end;
    }
    if ((text.charCodeAt(at) | 0x20) === 0x65) {
      isDouble = true;
      const sign = text.charCodeAt(at + 1);
      const from = sign === 0x2b || sign === 0x2d ? at + 2 : at + 1;
      const end = digits(text, from);
      if (end === from) throw this.#damaged("has a number without digits in its exponent");
      at = end;
    }
    this.#at = at;
    const slice = text.slice(start, at);
    if (isDouble) return Number(slice);
    return at - start <= 15 ? BigInt(Number(slice)) : BigInt(slice);
  }

  #array(): Value[] {
    this.#enter();
    const items: Value[] = [];
    this.#at++;
    if (this.#text.charCodeAt(this.#skipSpace()) === 0x5d) {
      this.#at++;
    } else {
      for (;;) {
        items.push(this.#value());
        const unit = this.#text.charCodeAt(this.#skipSpace());
        this.#at++;
        if (unit === 0x5d) break;
        if (unit !== 0x2c) throw this.#damaged("has an array that goes wrong");
      }
    }
    this.#depth--;
    return items;
  }

  #object(): Value {
    this.#enter();
    const around = this.#field;
    const map: ValueMap = {};
    this.#at++;
    if (this.#text.charCodeAt(this.#skipSpace()) === 0x7d) {
      this.#at++;
    } else {
      for (let isFirst = true; ; isFirst = false) {
        if (this.#text.charCodeAt(this.#skipSpace()) !== quote) throw this.#damaged("has an unnamed member");
        const written = this.#string();
        if (this.#text.charCodeAt(this.#skipSpace()) !== 0x3a)
          throw this.#damaged("has a name without colon");
        this.#at++;
        if (this.#vectors !== undefined && written.charCodeAt(0) === 0x24 && written.charCodeAt(1) !== 0x24) {
          if (!isFirst) throw this.#damaged("has a tag that is not the first member");
          const tagged = this.#tagged(written.slice(1), this.#value());
          this.#field = around;
          this.#depth--;
          return tagged;
        }
        const name =
          this.#vectors !== undefined && written.charCodeAt(0) === 0x24 ? written.slice(1) : written;
        this.#field = name;
        const value = this.#value();
        if (Object.hasOwn(map, name)) throw this.#damaged("has two members of one name");
        setMember(map, name, value);
        const unit = this.#text.charCodeAt(this.#skipSpace());
        this.#at++;
        if (unit === 0x7d) break;
        if (unit !== 0x2c) throw this.#damaged("has an object that goes wrong");
      }
    }
    this.#field = around;
    this.#depth--;
    return map;
  }

  /** What a tag means. A tag that this version does not know stays a `Tagged`. */
  #tagged(tag: string, value: Value): Value {
    if (tag === "vector") return this.#vector(value);
    if (this.#text.charCodeAt(this.#skipSpace()) !== 0x7d)
      throw this.#damaged("has a tag beside other members");
    this.#at++;
    if (tag === "bytes") return this.#base64(value);
    if (tag !== "double") return new Tagged(tag, value);
    if (value === "NaN") return NaN;
    if (value === "Infinity") return Infinity;
    if (value === "-Infinity") return -Infinity;
    throw this.#damaged("has an unknown $double");
  }

  #vector(marker: Value): DenseVector {
    const shape = typeof marker === "string" ? shapePattern.exec(marker) : null;
    if (!shape) throw this.#damaged("has a vector of an unknown shape");
    const type = shape[1] as ElementType;
    const columns = Number(shape[3]);
    const rows = shape[2] === undefined ? {} : { rows: Number(shape[2]) };
    let bytes: Uint8Array | undefined;
    let unit = this.#text.charCodeAt(this.#skipSpace());
    if (unit === 0x2c) {
      this.#at++;
      this.#skipSpace();
      if (this.#text.charCodeAt(this.#at) !== quote || this.#string() !== "data") {
        throw this.#damaged("has a vector with an unknown member");
      }
      if (this.#text.charCodeAt(this.#skipSpace()) !== 0x3a) throw this.#damaged("has a name without colon");
      this.#at++;
      bytes = this.#base64(this.#value());
      if (bytes.length !== (rows.rows ?? 1) * columns * elementBytes[type]) {
        throw this.#damaged("has a vector whose bytes do not fit its shape");
      }
      unit = this.#text.charCodeAt(this.#skipSpace());
    }
    if (unit !== 0x7d) throw this.#damaged("has a vector that goes wrong");
    this.#at++;
    if (bytes !== undefined) return new DenseVector({ type, columns, ...rows, bytes, inline: true });
    const vector = new DenseVector({ type, columns, ...rows });
    this.#vectors!.push({ field: this.#field, vector });
    return vector;
  }

  #base64(value: Value): Buffer {
    if (typeof value !== "string" || !base64Pattern.test(value))
      throw this.#damaged("has bytes that are no Base64");
    return Buffer.from(value, "base64");
  }

  #enter(): void {
    if (++this.#depth > maxDepth) throw this.#damaged(`is nested deeper than ${maxDepth}`);
  }

  #damaged(happened: string): MemkeepError {
    return new MemkeepError("DUMP_DAMAGED", {
      tried: "read a record of a dump",
      happened: `its line ${happened} (at character ${this.#at})`,
      next: "Run `memkeep verify --level stored` on this snapshot, and restore another one.",
    });
  }
}

function digits(text: string, from: number): number {
  let at = from;
  for (;;) {
    const unit = text.charCodeAt(at);
    // Also ends at the end of the text, where the unit is NaN.
    if (!(unit >= 0x30 && unit <= 0x39)) return at;
    at++;
  }
}

/** True when an odd number of backslashes stands before `at`. */
function isEscaped(text: string, start: number, at: number): boolean {
  let count = 0;
  while (at - count > start && text.charCodeAt(at - count - 1) === 0x5c) count++;
  return count % 2 === 1;
}
