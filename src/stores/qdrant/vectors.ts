/**
 * Vectors between the server's JSON and the dump. Dense and multi vectors become bytes of the collection's own datatype;
 * sparse ones `{"indices":[…],"values":<vector in place>}`.
 */
import { DenseVector } from "../format/value.ts";
import type { ElementType, Value, ValueMap } from "../format/value.ts";
import { floatOfHalf, halfOf } from "./floats.ts";
import type { JsonBytes } from "./json-bytes.ts";

/** Datatypes of the server; `turbo4` and others to come are printed as the floats that they stand for. */
export function elementTypeOf(datatype: unknown): ElementType {
  return datatype === "float16" ? "f2" : datatype === "uint8" ? "u1" : "f4";
}

/** One vector as it stands next; undefined when an element is infinite. */
export function readVector(json: JsonBytes, type: ElementType): Value | undefined {
  if (json.peek() === 0x7b) return readSparse(json);
  if (json.nextInside() !== 0x5b) {
    const floats = json.floats();
    return floats && dense([floats], type, false);
  }
  const rows: Float32Array[] = [];
  let isFinite = true;
  json.array(() => {
    const row = json.floats();
    if (row) rows.push(row.slice());
    else isFinite = false;
  });
  return isFinite ? dense(rows, type, true) : undefined;
}

function readSparse(json: JsonBytes): ValueMap | undefined {
  let indices: Value = [];
  let values: Float32Array | undefined;
  let isFinite = true;
  json.object((name) => {
    if (name === "indices") indices = json.value();
    else if (name === "values") {
      values = json.floats()?.slice();
      isFinite = values !== undefined;
    } else json.skip();
  });
  if (!isFinite) return undefined;
  const columns = values?.length ?? 0;
  return {
    indices,
    values: new DenseVector({
      type: "f4",
      columns,
      bytes: bytesOf(values ?? new Float32Array()),
      inline: true,
    }),
  };
}

function dense(rows: readonly Float32Array[], wanted: ElementType, isMulti: boolean): DenseVector {
  const columns = rows[0]?.length ?? 0;
  if (rows.some((row) => row.length !== columns))
    throw new SyntaxError("a multivector has rows of several sizes");
  const shape = { columns, ...(isMulti ? { rows: rows.length } : {}) };
  const narrow = wanted === "f4" ? undefined : narrowed(rows, wanted);
  if (narrow) return new DenseVector({ ...shape, type: wanted, bytes: narrow });
  const bytes = rows.length === 1 ? bytesOf(rows[0]!) : Buffer.concat(rows.map(bytesOf));
  return new DenseVector({ ...shape, type: "f4", bytes });
}

/** The rows as elements of a smaller type; undefined where one of them would change, which no server is known to print. */
function narrowed(rows: readonly Float32Array[], type: ElementType): Buffer | undefined {
  const count = rows.reduce((sum, row) => sum + row.length, 0);
  const bytes = claim(type === "f2" ? count * 2 : count);
  let at = 0;
  for (const row of rows) {
    for (const float of row) {
      if (type === "f2") {
        const half = halfOf(float);
        if (half === undefined) return undefined;
        at = bytes.writeUInt16LE(half, at);
      } else {
        if (!Number.isInteger(float) || float < 0 || float > 255 || Object.is(float, -0)) return undefined;
        bytes[at++] = float;
      }
    }
  }
  return bytes;
}

function bytesOf(floats: Float32Array): Buffer {
  const bytes = claim(floats.byteLength);
  bytes.set(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength));
  return bytes;
}

const slabBytes = 1024 * 1024;
let slab = Buffer.alloc(0);
let claimed = 0;

/** Memory for one vector out of a larger piece: an allocation each would cost more than the parsing. */
function claim(byteCount: number): Buffer {
  if (byteCount > slabBytes / 4) return Buffer.allocUnsafeSlow(byteCount);
  if (claimed + byteCount > slab.length) {
    slab = Buffer.allocUnsafeSlow(slabBytes);
    claimed = 0;
  }
  const bytes = slab.subarray(claimed, claimed + byteCount);
  // The next one begins where floats can be read in place.
  claimed += (byteCount + 3) & ~3;
  return bytes;
}

/** The elements, row after row; perhaps the vector's own memory. */
export function elementsOf({ type, bytes }: DenseVector): Float32Array | Uint8Array {
  if (bytes === undefined) throw new TypeError("a vector was not read before it was written");
  if (type === "u1") return bytes;
  if (type === "f4") {
    if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    return new Float32Array(Uint8Array.from(bytes).buffer);
  }
  if (type !== "f2") throw new TypeError(`Qdrant has no vectors of ${type}`);
  const floats = new Float32Array(bytes.length / 2);
  for (let at = 0; at < floats.length; at++)
    floats[at] = floatOfHalf(bytes[at * 2]! | (bytes[at * 2 + 1]! << 8));
  return floats;
}
