/**
 * The primitives of pg_dump's custom format (`pg_backup_archiver.c`, WriteInt and WriteStr): an integer is a sign byte
 * and `intSize` bytes, lowest first; a string is its length and its bytes, -1 for none.
 */

/** Thrown when the bytes read so far end in the middle of something; more may follow. */
export class NeedMore extends Error {}

export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;
  /** Set from the header before the first integer is read. */
  intSize = 4;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get at(): number {
    return this.#at;
  }

  byte(): number {
    if (this.#at >= this.#bytes.length) throw new NeedMore();
    return this.#bytes[this.#at++]!;
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new NeedMore();
    return this.#bytes.subarray(this.#at, (this.#at += length));
  }

  int(): number {
    const negative = this.byte() !== 0;
    let value = 0;
    let weight = 1;
    for (const byte of this.take(this.intSize)) {
      value += byte * weight;
      weight *= 256;
    }
    return negative ? -value : value;
  }

  string(): string | undefined {
    const length = this.int();
    return length < 0 ? undefined : this.take(length).toString("utf8");
  }
}
