/**
 * Reads answers in the Redis protocol, version 2, from bytes as they come
 * (https://redis.io/docs/latest/develop/reference/protocol-spec/). A client library would build an object for each of the
 * millions of floats of a graph; here the decoder takes them straight from the received bytes.
 */

/** Thrown when the answer goes on behind the bytes that have come so far: set `at` back, wait for more, begin again. */
export const incomplete: unique symbol = Symbol("incomplete");

/** An error that the server answered. The connection can be used on, unless it stood within a larger answer. */
export class ServerError extends Error {
  override readonly name = "ServerError";
  isNested = false;
}

export type Reply = Buffer | bigint | null | readonly Reply[];

/** Room for what arrives while a page is decoded, and a row. */
const firstCapacity = 1024 * 1024;

const dollar = 0x24;
const star = 0x2a;
const colon = 0x3a;
const plus = 0x2b;
const minus = 0x2d;

export class RespReader {
  /** What was received stands between `at` and `end`; the rest is to be filled. */
  bytes: Buffer = Buffer.allocUnsafeSlow(firstCapacity);
  at = 0;
  end = 0;

  /** Adds received bytes, which are copied. What was read before `at` is forgotten when room is needed. */
  push(chunk: Uint8Array): void {
    const rest = this.end - this.at;
    if (this.end + chunk.length > this.bytes.length) {
      if (rest + chunk.length > this.bytes.length) {
        const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, rest + chunk.length));
        this.bytes.copy(grown, 0, this.at, this.end);
        this.bytes = grown;
      } else {
        this.bytes.copyWithin(0, this.at, this.end);
      }
      this.at = 0;
      this.end = rest;
    }
    this.bytes.set(chunk, this.end);
    this.end += chunk.length;
  }

  /** The number of items of an array; -1 for a null one. Throws `ServerError` when an error stands in its place. */
  array(): number {
    this.#expect(star);
    return this.#number();
  }

  /** An integer that is known to be small (an id, a type, a count). */
  integer(): number {
    this.#expect(colon);
    return this.#number();
  }

  /** An integer of 64 bits as text. */
  integerText(): string {
    this.#expect(colon);
    const start = this.at;
    const end = this.#lineEnd();
    return this.bytes.toString("latin1", start, end);
  }

  /** A string's bytes: a view of what was received, valid until the next `push`. */
  bulk(): Buffer {
    this.#expect(dollar);
    const length = this.#number();
    if (length < 0) throw new TypeError("the server answered null where a string belongs");
    if (this.at + length + 2 > this.end) throw incomplete;
    const start = this.at;
    this.at += length + 2;
    return this.bytes.subarray(start, start + length);
  }

  /** A string of ASCII. */
  text(): string {
    this.#expect(dollar);
    const length = this.#number();
    if (this.at + length + 2 > this.end) throw incomplete;
    const start = this.at;
    this.at += length + 2;
    return this.bytes.toString("latin1", start, start + length);
  }

  /** Any answer as a tree. Strings are copies. */
  reply(): Reply {
    if (this.at >= this.end) throw incomplete;
    const type = this.bytes[this.at];
    if (type === star) {
      const count = this.array();
      if (count < 0) return null;
      const items: Reply[] = [];
      try {
        for (let index = 0; index < count; index++) items.push(this.reply());
      } catch (error) {
        if (error instanceof ServerError) error.isNested = true;
        throw error;
      }
      return items;
    }
    if (type === dollar) {
      // `$-1` is null.
      if (this.bytes[this.at + 1] === minus) {
        this.at++;
        this.#number();
        return null;
      }
      return Buffer.from(this.bulk());
    }
    if (type === colon) return BigInt(this.integerText());
    if (type === plus) {
      this.at++;
      const start = this.at;
      return Buffer.from(this.bytes.subarray(start, this.#lineEnd()));
    }
    this.#expect(plus);
    return null;
  }

  /** Passes over one answer of any kind. */
  skip(): void {
    if (this.at >= this.end) throw incomplete;
    const type = this.bytes[this.at];
    if (type === star) {
      for (let left = this.array(); left > 0; left--) this.skip();
    } else if (type === dollar) {
      this.at++;
      const length = this.#number();
      if (length >= 0) this.at += length + 2;
      if (this.at > this.end) throw incomplete;
    } else {
      this.at++;
      this.#lineEnd();
    }
  }

  #expect(type: number): void {
    if (this.at >= this.end) throw incomplete;
    const found = this.bytes[this.at]!;
    if (found === type) {
      this.at++;
      return;
    }
    const start = this.at + 1;
    const end = this.#lineEnd();
    const line = this.bytes.toString("utf8", start, end);
    if (found === minus) throw new ServerError(line);
    throw new TypeError(
      `the server answered a ${String.fromCharCode(found)} where a ${String.fromCharCode(type)} belongs`,
    );
  }

  /** A decimal number up to the end of its line. */
  #number(): number {
    const { bytes, end } = this;
    let at = this.at;
    const isNegative = bytes[at] === minus;
    if (isNegative) at++;
    let value = 0;
    for (;;) {
      if (at >= end) throw incomplete;
      const byte = bytes[at++]!;
      if (byte === 0x0d) break;
      value = value * 10 + (byte - 0x30);
    }
    if (at >= end) throw incomplete;
    this.at = at + 1;
    return isNegative ? -value : value;
  }

  /** Where the line ends; moves behind it. */
  #lineEnd(): number {
    const end = this.bytes.indexOf(0x0d, this.at);
    if (end < 0 || end + 1 >= this.end) throw incomplete;
    this.at = end + 2;
    return end;
  }
}

/** A command as an array of strings. */
export function encodeCommand(words: readonly (string | Uint8Array)[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === "string" ? Buffer.from(word, "utf8") : word;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}
