/** Which vectors go into which file: one file for each field, element type and number of columns of a collection. */
import type { ElementType, PlacedVector } from "./value.ts";

export interface VectorGroup {
  readonly id: number;
  readonly field: string;
  readonly type: ElementType;
  readonly columns: number;
  readonly rows: number;
}

/** The vectors of one record by their shapes alone; most records of a collection share one. */
export class Signature {
  readonly id: number;
  /** Of all vectors together. */
  readonly bytes: number;
  /** Group and bytes of each vector, in the order of the markers. */
  readonly parts: readonly { readonly group: number; readonly bytes: number }[];
  readonly #byGroup: ReadonlyMap<number, number>;

  constructor(id: number, parts: Signature["parts"]) {
    this.id = id;
    this.parts = parts;
    this.bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
    const byGroup = new Map<number, number>();
    for (const { group, bytes } of parts) byGroup.set(group, (byGroup.get(group) ?? 0) + bytes);
    this.#byGroup = byGroup;
  }

  bytesOf(group: number): number {
    return this.#byGroup.get(group) ?? 0;
  }
}

const none: readonly Uint8Array[] = [];

export class VectorGroups {
  readonly #groups = new Map<string, VectorGroup & { rows: number }>();
  readonly #signatures: Signature[] = [new Signature(0, [])];
  readonly #byName = new Map<string, Signature>();

  get size(): number {
    return this.#groups.size;
  }

  /** Counts a record's vectors and gives their signature and bytes. */
  place(vectors: readonly PlacedVector[]): { signature: Signature; bytes: readonly Uint8Array[] } {
    if (vectors.length === 0) return { signature: this.#signatures[0]!, bytes: none };
    const parts: { group: number; bytes: number }[] = [];
    const bytes: Uint8Array[] = [];
    let name = "";
    for (const { field, vector } of vectors) {
      if (vector.bytes === undefined) throw new TypeError("a vector was not read before it was stored");
      const group = this.#group(field, vector.type, vector.columns);
      group.rows += vector.rows;
      parts.push({ group: group.id, bytes: vector.sizeBytes });
      bytes.push(vector.bytes);
      name += `${group.id}:${vector.sizeBytes},`;
    }
    let signature = this.#byName.get(name);
    if (!signature) {
      signature = new Signature(this.#signatures.length, parts);
      this.#signatures.push(signature);
      this.#byName.set(name, signature);
    }
    return { signature, bytes };
  }

  #group(field: string, type: ElementType, columns: number): VectorGroup & { rows: number } {
    const name = `${type}[${columns}]${field}`;
    let group = this.#groups.get(name);
    if (!group) {
      group = { id: this.#groups.size, field, type, columns, rows: 0 };
      this.#groups.set(name, group);
    }
    return group;
  }

  signature(id: number): Signature {
    return this.#signatures[id]!;
  }

  /** By type, columns and field, so that equal data gives equal files. */
  sorted(): VectorGroup[] {
    return [...this.#groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
  }
}
