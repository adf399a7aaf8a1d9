/**
 * Digests of records and collections. A collection's digest does not depend on the order in which its records
 * are read, so two engines, two page layouts or two versions of one engine give the same digest for the same
 * records, and a stream can be digested without sorting it.
 *
 * It is the sum, modulo 2^256, of the SHA-256 of every record: a multiset hash, so a record that is there twice
 * counts twice. It finds accidents, every lost, changed, added or doubled record; it is not meant to withstand
 * somebody who chooses records (a manifest is protected by the repository's encryption, not by this sum).
 */
import { hash } from "node:crypto";

const WORDS = 8;
const DIGEST_BYTES = 32;

/** SHA-256 of one record's canonical bytes, or of a text's UTF-8. */
export function recordDigest(canonical: Uint8Array | string): Buffer {
  // By way of a text: `hash` would give each digest memory of its own, which costs more than the digest; this shares a pool.
  return Buffer.from(hash("sha256", canonical, "binary"), "latin1");
}

/** An order-independent digest under construction. */
export class MultisetDigest {
  #count = 0;
  readonly #sum = new Uint32Array(WORDS);

  /** How many records went in. */
  get count(): number {
    return this.#count;
  }

  /** Adds the record whose 32-byte digest stands in `digest` at `offset`. */
  add(digest: Uint8Array, offset = 0): void {
    const sum = this.#sum;
    let carry = 0;
    for (let word = WORDS - 1; word >= 0; word--) {
      const at = offset + word * 4;
      const value =
        sum[word]! +
        (((digest[at]! << 24) | (digest[at + 1]! << 16) | (digest[at + 2]! << 8) | digest[at + 3]!) >>> 0) +
        carry;
      sum[word] = value;
      carry = value > 0xffff_ffff ? 1 : 0;
    }
    this.#count++;
  }

  /** Adds everything another digest has seen, as when a collection is read in parts. */
  merge(other: MultisetDigest): void {
    this.add(Buffer.from(other.hex(), "hex"));
    this.#count += other.#count - 1;
  }

  /** 64 lower-case hex characters; 64 zeros for no records. */
  hex(): string {
    const bytes = Buffer.alloc(DIGEST_BYTES);
    for (let word = 0; word < WORDS; word++) bytes.writeUInt32BE(this.#sum[word]!, word * 4);
    return bytes.toString("hex");
  }
}
