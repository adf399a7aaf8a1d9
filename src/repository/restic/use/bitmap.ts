/** A set of small numbers, one bit each: which entries of an index are used, say. 125 KB for a million. */
export class Bitmap {
  /** Numbers in the set are below. */
  readonly size: number;
  readonly #words: Uint32Array;

  constructor(size: number) {
    this.size = size;
    this.#words = new Uint32Array(Math.ceil(size / 32));
  }

  has(number: number): boolean {
    return (this.#words[number >>> 5]! & (1 << (number & 31))) !== 0;
  }

  /** True when it was not in the set before. */
  add(number: number): boolean {
    const word = number >>> 5;
    const bit = 1 << (number & 31);
    if ((this.#words[word]! & bit) !== 0) return false;
    this.#words[word]! |= bit;
    return true;
  }
}
