/** Digests the rows of a table in a dump's stream. */
import { type Hash, createHash } from "node:crypto";
import { MemkeepError } from "../../../domain/errors.ts";
import { MultisetDigest, recordDigest } from "../../../domain/digest.ts";
import type { CollectionFacts } from "../../../domain/manifest.ts";
import { type RowShape, RowBuilder, longValue, longValueBytes } from "../canonical-row.ts";
import type { DataSink } from "./scanner.ts";

const newline = 10;
const tab = 9;

export class RowDigester implements DataSink {
  readonly #name: string;
  readonly #shape: RowShape;
  readonly #builder: RowBuilder;
  readonly #content: MultisetDigest = new MultisetDigest();
  readonly #keys: MultisetDigest = new MultisetDigest();
  readonly #cut: CutLine = new CutLine();
  #isEnded = false;

  constructor(name: string, shape: RowShape) {
    this.#name = name;
    this.#shape = shape;
    this.#builder = new RowBuilder(shape);
  }

  data(bytes: Buffer, from: number, to: number): void {
    let at = from;
    while (at < to) {
      const found = bytes.indexOf(newline, at);
      const end = found < 0 || found >= to ? -1 : found;
      if (end < 0) {
        this.#cut.append(bytes, at, to);
        return;
      }
      if (this.#cut.isEmpty) {
        this.#line(bytes, at, end);
      } else {
        this.#cut.append(bytes, at, end);
        const line = this.#cut.take();
        this.#line(line, 0, line.length);
      }
      at = end + 1;
    }
  }

  end(): void {
    if (!this.#isEnded || !this.#cut.isEmpty) throw this.#broken("its data ends in the middle");
  }

  facts(): CollectionFacts {
    return {
      name: this.#name,
      records: this.#content.count,
      ...(this.#shape.key ? { keyDigest: this.#keys.hex() } : {}),
      contentDigest: this.#content.hex(),
    };
  }

  #line(bytes: Buffer, from: number, to: number): void {
    // `\.` ends the rows; pg_dump puts empty lines behind it.
    if (this.#isEnded) return;
    if (to - from === 2 && bytes[from] === 0x5c && bytes[from + 1] === 0x2e) {
      this.#isEnded = true;
      return;
    }
    if (!this.#builder.split(bytes, from, to)) {
      throw this.#broken(
        `row ${this.#content.count + 1} does not have ${this.#shape.columns.length} columns`,
      );
    }
    this.#content.add(recordDigest(this.#builder.row(bytes)));
    const key = this.#builder.key(bytes);
    if (key) this.#keys.add(recordDigest(key));
  }

  #broken(happened: string): MemkeepError {
    return new MemkeepError("DUMP_INCOMPLETE", { tried: `read ${this.#name} in the dump`, happened });
  }
}

/** A line that came in several pieces. Values that are too long are kept as their digests only. */
class CutLine {
  #bytes: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
  #length = 0;
  #hasBegun = false;
  /** Where the value under way begins. Known once the line is long: no value of a short one is too long. */
  #valueAt: number | undefined;
  #long: Hash | undefined;

  get isEmpty(): boolean {
    return !this.#hasBegun;
  }

  append(bytes: Buffer, from: number, to: number): void {
    this.#hasBegun = true;
    if (this.#valueAt === undefined) {
      this.#put(bytes, from, to);
      if (this.#length > longValueBytes) this.#shorten();
      return;
    }
    let at = from;
    while (at < to) {
      const found = bytes.subarray(at, to).indexOf(tab);
      const end = found < 0 ? to : at + found;
      this.#value(bytes, at, end);
      if (found >= 0) this.#endValue(true);
      at = end + (found < 0 ? 0 : 1);
    }
  }

  /** The whole line; valid until the next call. */
  take(): Buffer {
    if (this.#valueAt !== undefined) this.#endValue(false);
    const line = this.#bytes.subarray(0, this.#length);
    this.#hasBegun = false;
    this.#length = 0;
    this.#valueAt = undefined;
    return line;
  }

  /** Goes over to looking at single values, with what is there. */
  #shorten(): void {
    const line = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    this.#valueAt = 0;
    this.append(line, 0, line.length);
  }

  #value(bytes: Buffer, from: number, to: number): void {
    if (!this.#long && this.#length - this.#valueAt! + (to - from) > longValueBytes) {
      this.#long = createHash("sha256").update(this.#bytes.subarray(this.#valueAt, this.#length));
      this.#length = this.#valueAt!;
    }
    if (this.#long) this.#long.update(bytes.subarray(from, to));
    else this.#put(bytes, from, to);
  }

  #endValue(withTab: boolean): void {
    if (this.#long) {
      const mark = longValue(this.#long.digest());
      this.#put(mark, 0, mark.length);
      this.#long = undefined;
    }
    if (withTab) {
      this.#put(Buffer.of(tab), 0, 1);
      this.#valueAt = this.#length;
    }
  }

  #put(bytes: Buffer, from: number, to: number): void {
    const needed = this.#length + to - from;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(needed * 2);
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    bytes.copy(this.#bytes, this.#length, from, to);
    this.#length = needed;
  }
}
