/**
 * Internal id → canonical key of each node, for the ends of edges. UUIDs and digests are packed into 16 bytes, so five
 * million nodes take about 130 MB.
 */

const pageIds = 4096;
const arenaBytes = 1024 * 1024;
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const digestPattern = /^#[0-9a-f]{32}$/;

/** How the bytes of a key are kept. */
const form = { text: 0, uuid: 1, digest: 2 } as const;

interface Page {
  /** Place in the arenas plus one; 0 for an id that no node has. */
  readonly places: Float64Array;
  ordinals: Uint32Array | undefined;
}

export class KeyTable {
  readonly #pages = new Map<number, Page>();
  readonly #arenas: Buffer[] = [];
  #used = arenaBytes;

  set(id: number, key: Uint8Array): void {
    const text = Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
    const kind = uuidPattern.test(text) ? form.uuid : digestPattern.test(text) ? form.digest : form.text;
    const bytes = kind === form.text ? key : Buffer.from(text.replaceAll(/[#-]/g, ""), "hex");
    const place = this.#store(kind, bytes);
    this.#page(id).places[id % pageIds] = place + 1;
  }

  /** Says that the node is the n-th of several with one key. */
  setOrdinal(id: number, ordinal: number): void {
    const page = this.#page(id);
    page.ordinals ??= new Uint32Array(pageIds);
    page.ordinals[id % pageIds] = ordinal;
  }

  /** Key and ordinal, or undefined for an id that was not set. */
  get(id: number): { readonly key: Buffer; readonly ordinal: number } | undefined {
    const page = this.#pages.get(Math.floor(id / pageIds));
    const place = page?.places[id % pageIds] ?? 0;
    if (!page || place === 0) return undefined;
    return { key: this.#load(place - 1), ordinal: page.ordinals?.[id % pageIds] ?? 0 };
  }

  #page(id: number): Page {
    const number = Math.floor(id / pageIds);
    let page = this.#pages.get(number);
    if (!page) {
      page = { places: new Float64Array(pageIds), ordinals: undefined };
      this.#pages.set(number, page);
    }
    return page;
  }

  /** One byte of form, four of length for text, the bytes. A key longer than an arena gets one of its own. */
  #store(kind: number, bytes: Uint8Array): number {
    const header = kind === form.text ? 5 : 1;
    if (this.#used + header + bytes.length > arenaBytes) {
      this.#arenas.push(Buffer.allocUnsafeSlow(Math.max(arenaBytes, header + bytes.length)));
      this.#used = 0;
    }
    const arena = this.#arenas[this.#arenas.length - 1]!;
    const start = this.#used;
    arena[start] = kind;
    if (kind === form.text) arena.writeUInt32LE(bytes.length, start + 1);
    arena.set(bytes, start + header);
    this.#used += header + bytes.length;
    return (this.#arenas.length - 1) * arenaBytes + start;
  }

  #load(place: number): Buffer {
    const arena = this.#arenas[Math.floor(place / arenaBytes)]!;
    const at = place % arenaBytes;
    if (arena[at] === form.text) return arena.subarray(at + 5, at + 5 + arena.readUInt32LE(at + 1));
    const hex = arena.toString("hex", at + 1, at + 17);
    if (arena[at] === form.digest) return Buffer.from(`#${hex}`);
    return Buffer.from(hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"));
  }
}
