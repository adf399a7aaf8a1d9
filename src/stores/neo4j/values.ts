/**
 * Values between the driver and the dump. Integers are `bigint` on both sides, floats are `number`; a JavaScript number
 * that is written is always a FLOAT.
 */
import neo4j from "neo4j-driver";
import type { Vector } from "neo4j-driver";
import { MemkeepError } from "../../domain/errors.ts";
import { DenseVector, Tagged, setMember } from "../format/value.ts";
import type { Value, ValueMap } from "../format/value.ts";
import { driverTemporal, taggedValue } from "./temporal-values.ts";

/** A date and time that the driver could not make: its table of zones ends at the year 275,760. It must be asked for by parts. */
export class BrokenValue extends Error {}

/**
 * The properties of a node or relationship, by the driver, as values of the dump. Names of properties with a broken value
 * are added to `broken`, and those properties left out.
 */
export function propertiesOf(properties: Readonly<Record<string, unknown>>, broken: string[]): ValueMap {
  const map: ValueMap = {};
  for (const name of Object.keys(properties)) {
    try {
      setMember(map, name, valueOf(properties[name]));
    } catch (error) {
      if (!(error instanceof BrokenValue)) throw error;
      broken.push(name);
    }
  }
  return map;
}

export function valueOf(value: unknown): Value {
  if (typeof value === "string" || typeof value === "number" || typeof value === "bigint") return value;
  if (typeof value === "boolean" || value === null) return value;
  if (typeof value === "object") return objectOf(value);
  throw unknownType(typeof value);
}

function objectOf(value: object): Value {
  if (Array.isArray(value)) return listOf(value);
  try {
    return structureOf(value);
  } catch (cause) {
    // The driver hands out an object that throws its own failure when it is looked at.
    if (!(cause instanceof RangeError)) throw cause;
    throw new BrokenValue("a zone beyond the driver's table", { cause });
  }
}

function structureOf(value: object): Value {
  if (value instanceof Int8Array) return new Uint8Array(value.buffer, value.byteOffset, value.length);
  const tagged = taggedValue(value);
  if (tagged !== undefined) return tagged;
  if (neo4j.isVector(value)) return vectorOf(value);
  throw unknownType(neo4j.isUnsupportedType(value) ? value.name : value.constructor.name);
}

/** Lengths that embeddings have; lists of other lengths stay in the line, so that there are never many files of vectors. */
function isVectorLength(length: number): boolean {
  return (length % 64 === 0 && length <= 16_384) || [32, 50, 96, 100, 200, 300].includes(length);
}

/** Neo4j's lists are of one type: when the first is a float, all are. */
function listOf(list: readonly unknown[]): Value {
  if (list.length >= 32 && isVectorLength(list.length) && list.every((item) => typeof item === "number")) {
    return floatsOf(list);
  }
  return list.map(valueOf);
}

/** Four bytes a number where that loses nothing, which is so for what a model gave; otherwise eight. */
function floatsOf(list: readonly number[]): DenseVector {
  const columns = list.length;
  const doubles = Float64Array.from(list);
  const floats = Float32Array.from(list);
  const isExact = floats.every((float, index) => Object.is(float, doubles[index]));
  const kept = isExact ? floats : doubles;
  const bytes = new Uint8Array(kept.buffer, 0, kept.byteLength);
  return new DenseVector({ type: isExact ? "f4" : "f8", columns, bytes });
}

type AnyVector = Vector<Float32Array | Float64Array | Int8Array | Int16Array | Int32Array | BigInt64Array>;

/** A VECTOR (Neo4j 2025.10 and later, not on Community Edition) is no list, and is told apart by its tag. */
function vectorOf(vector: AnyVector): Tagged {
  const numbers = vector.asTypedArray();
  const columns = numbers.length;
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength).slice();
  const type = ({ FLOAT32: "f4", FLOAT64: "f8", INT8: "i1" } as const)[vector.getType() as string];
  if (type !== undefined) return new Tagged("vectorValue", new DenseVector({ type, columns, bytes }));
  return new Tagged("vectorValue", [vector.getType(), Array.from(numbers, BigInt)]);
}

/** Properties as the driver takes them. `STORE_UNSUPPORTED` for a value that Neo4j does not have. */
export function driverProperties(properties: ValueMap): Record<string, unknown> {
  const map: Record<string, unknown> = {};
  for (const name of Object.keys(properties)) {
    const value = driverValue(properties[name]!);
    if (name === "__proto__") Object.defineProperty(map, name, { value, enumerable: true });
    else map[name] = value;
  }
  return map;
}

export function driverValue(value: Value): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return (value as readonly Value[]).map(driverValue);
  if (value instanceof Uint8Array) return new Int8Array(value.buffer, value.byteOffset, value.length);
  if (value instanceof DenseVector) return Array.from(numbersOf(value));
  if (!(value instanceof Tagged)) throw unknownType("a map");
  const written = value.tag === "vectorValue" ? driverVector(value.value) : driverTemporal(value);
  if (written === undefined) throw unknownType(`a $${value.tag} of this kind`);
  return written;
}

function driverVector(value: Value): unknown {
  if (value instanceof DenseVector) return neo4j.vector(numbersOf(value));
  if (!Array.isArray(value)) return undefined;
  const [type, items] = value as readonly Value[];
  if (!Array.isArray(items)) return undefined;
  const numbers = items as readonly bigint[];
  if (type === "INT16") return neo4j.vector(Int16Array.from(numbers, Number));
  if (type === "INT32") return neo4j.vector(Int32Array.from(numbers, Number));
  return type === "INT64" ? neo4j.vector(BigInt64Array.from(numbers)) : undefined;
}

function numbersOf({ type, bytes, columns }: DenseVector): Float32Array | Float64Array | Int8Array {
  if (bytes === undefined) throw new TypeError("a vector was not read before it was written");
  // Rows of a file need not lie where a typed array may begin.
  const own = new Uint8Array(bytes).buffer;
  if (type === "f4") return new Float32Array(own, 0, columns);
  if (type === "f8") return new Float64Array(own, 0, columns);
  if (type === "i1") return new Int8Array(own, 0, columns);
  throw unknownType(`a vector of ${type}`);
}

/** True where the record holds a VECTOR, which not every server can hold. */
export function holdsVectorType(properties: ValueMap): boolean {
  return Object.keys(properties).some((name) => {
    const value = properties[name];
    return value instanceof Tagged && value.tag === "vectorValue";
  });
}

function unknownType(what: string): MemkeepError {
  return new MemkeepError("STORE_UNSUPPORTED", {
    tried: "carry a value of Neo4j",
    happened: `this memkeep does not know ${what}`,
    next: "Use a newer memkeep.",
  });
}
