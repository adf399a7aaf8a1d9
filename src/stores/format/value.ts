/**
 * The values of a dump, between the bytes of a file and an adaptor. Integers are `bigint` and doubles are `number`,
 * always: a JavaScript number could not tell `1` from `1.0`, nor hold 2^63.
 */

/** A map of the store. Its members may have any name, `__proto__` included: read it with `Object.keys`, set it with `setMember`. */
export interface ValueMap {
  [name: string]: Value;
}

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | readonly Value[]
  | Tagged
  | DenseVector
  | ValueMap;

/** A value that JSON has no form for: a date, a duration, a point. `tag` is its name in `docs/dump-format.md`, without `$`. */
export class Tagged {
  readonly tag: string;
  readonly value: Value;

  constructor(tag: string, value: Value) {
    this.tag = tag;
    this.value = value;
  }
}

/** Bytes of one element, by NumPy's names. All are little-endian. */
export const elementBytes = { f4: 4, f8: 8, f2: 2, u1: 1, i1: 1 } as const;
export type ElementType = keyof typeof elementBytes;

/** Rows of numbers, kept as bytes so that no bit changes. One row for a vector, several for a multivector. */
export class DenseVector {
  readonly type: ElementType;
  readonly rows: number;
  readonly columns: number;
  /** True for one that is written into the record's line in place of the `.npy` file. */
  readonly inline: boolean;
  /** Shape `[columns]` in place of `[rows, columns]`; only when `rows` is 1. */
  readonly isSingle: boolean;
  /** Undefined between the reading of the line and the reading of the vector's file. */
  bytes: Uint8Array | undefined;

  constructor(parts: {
    type: ElementType;
    columns: number;
    /** Left out: a single vector. */
    rows?: number;
    bytes?: Uint8Array;
    inline?: boolean;
  }) {
    this.type = parts.type;
    this.columns = parts.columns;
    this.rows = parts.rows ?? 1;
    this.isSingle = parts.rows === undefined;
    this.inline = parts.inline ?? false;
    this.bytes = parts.bytes;
    if (parts.bytes !== undefined && parts.bytes.length !== this.sizeBytes) {
      throw new RangeError(`a vector of ${this.sizeBytes} bytes cannot hold ${parts.bytes.length}`);
    }
  }

  get sizeBytes(): number {
    return this.rows * this.columns * elementBytes[this.type];
  }
}

/** A vector as it stands in a record, with the member that holds it. */
export interface PlacedVector {
  /** Name of the nearest member around it, without the escape. */
  readonly field: string;
  readonly vector: DenseVector;
}

/** Sets an own member of any name; a plain assignment to `__proto__` would be lost. */
export function setMember(map: ValueMap, name: string, value: Value): void {
  if (name === "__proto__") {
    Object.defineProperty(map, name, { value, enumerable: true, configurable: true, writable: true });
  } else {
    map[name] = value;
  }
}

/** Order of two texts by their UTF-8 bytes. JavaScript's own order of UTF-16 units differs above U+FFFF. */
export function compareUtf8(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    const a = left.charCodeAt(at);
    const b = right.charCodeAt(at);
    if (a === b) continue;
    // Surrogates (D800–DFFF) stand for characters above all other units.
    return rank(a) - rank(b);
  }
  return left.length - right.length;
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
