/**
 * Reference of a node in the dump → its new internal id. Open addressing over 64-bit hashes, 16 bytes an entry: five
 * million nodes take 134 MB. References are not kept: two of them with one hash (once in 10^6 restores of five million
 * nodes) would join an edge to the wrong node, and the comparison of digests after every restore finds that.
 */

const emptySlots = 1024;

export class KeyIndex {
  #hashes: Uint32Array = new Uint32Array(emptySlots * 2);
  /** Id plus one; 0 for a free slot. */
  #ids: Float64Array = new Float64Array(emptySlots);
  #count = 0;

  set(reference: string, id: number): void {
    if (this.#count * 3 > this.#ids.length * 2) this.#grow();
    const [low, high] = hashOf(reference);
    this.#put(low, high, id + 1);
    this.#count++;
  }

  get(reference: string): number | undefined {
    const [low, high] = hashOf(reference);
    const mask = this.#ids.length - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const id = this.#ids[slot]!;
      if (id === 0) return undefined;
      if (this.#hashes[slot * 2] === low && this.#hashes[slot * 2 + 1] === high) return id - 1;
    }
  }

  #put(low: number, high: number, idPlusOne: number): void {
    const mask = this.#ids.length - 1;
    let slot = low & mask;
    while (this.#ids[slot] !== 0) slot = (slot + 1) & mask;
    this.#ids[slot] = idPlusOne;
    this.#hashes[slot * 2] = low;
    this.#hashes[slot * 2 + 1] = high;
  }

  #grow(): void {
    const [hashes, ids] = [this.#hashes, this.#ids];
    this.#hashes = new Uint32Array(hashes.length * 2);
    this.#ids = new Float64Array(ids.length * 2);
    for (let slot = 0; slot < ids.length; slot++) {
      if (ids[slot] !== 0) this.#put(hashes[slot * 2]!, hashes[slot * 2 + 1]!, ids[slot]!);
    }
  }
}

/** Two 32-bit halves (cyrb53's mixing, public domain). */
function hashOf(text: string): [number, number] {
  let a = 0xdead_beef;
  let b = 0x41c6_ce57;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    a = Math.imul(a ^ unit, 2_654_435_761);
    b = Math.imul(b ^ unit, 1_597_334_677);
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909);
  return [a >>> 0, b >>> 0];
}
