/** Ids that were seen, a bit each, with their number by page. Five million take less than a megabyte where they are dense. */

export const pageIds = 32_768;

export class IdSet {
  readonly #pages = new Map<number, { readonly bits: Uint32Array; count: number }>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** False when it was there already. */
  add(id: number): boolean {
    const number = Math.floor(id / pageIds);
    let page = this.#pages.get(number);
    if (!page) {
      page = { bits: new Uint32Array(pageIds / 32), count: 0 };
      this.#pages.set(number, page);
    }
    const at = id - number * pageIds;
    const bit = 1 << (at & 31);
    if ((page.bits[at >> 5]! & bit) !== 0) return false;
    page.bits[at >> 5]! |= bit;
    page.count++;
    this.#size++;
    return true;
  }

  has(id: number): boolean {
    const number = Math.floor(id / pageIds);
    const at = id - number * pageIds;
    return ((this.#pages.get(number)?.bits[at >> 5] ?? 0) & (1 << (at & 31))) !== 0;
  }

  countOf(page: number): number {
    return this.#pages.get(page)?.count ?? 0;
  }
}
