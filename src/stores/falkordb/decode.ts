/** Rows of answers (`--compact`) to nodes and edges with exact values. */
import { isUtf8 } from "node:buffer";
import { MemkeepError } from "../../domain/errors.ts";
import { DenseVector, Tagged, compareUtf8, setMember } from "../format/value.ts";
import type { Value, ValueMap } from "../format/value.ts";
import { exactDouble, readPrinted } from "./exact.ts";
import type { ExactColumn } from "./exact.ts";
import type { GraphEdge, GraphNode } from "../graph/records.ts";
import { readFloats } from "./floats.ts";
import type { Names } from "./graph-names.ts";
import type { RespReader } from "./resp.ts";
import { temporalValue } from "./temporal-values.ts";

/** The server's type numbers (https://docs.falkordb.com/design/client-spec.html). */
const types = {
  null: 1,
  string: 2,
  integer: 3,
  boolean: 4,
  double: 5,
  array: 6,
  edge: 7,
  node: 8,
  map: 10,
  point: 11,
  vector: 12,
};

/** A double of which only 15 digits are known yet. */
interface Pending {
  readonly property: string;
  readonly path: readonly number[];
  readonly tiny: boolean;
  readonly printed: number;
  readonly set: (exact: number) => void;
}

type Mantissas = string | null | readonly Mantissas[];

/** Decodes the rows of one page. `columns` are those that the query asked for beside the node or edge. */
export class RowDecoder {
  readonly #names: Names;
  readonly #columns: readonly ExactColumn[];
  #pending: Pending[] = [];
  /** Columns that the page lacks: it must be asked again with them. */
  readonly missing = new Map<string, ExactColumn>();
  /** Bytes that the server printed, roughly. */
  printedBytes = 0;

  constructor(names: Names, columns: readonly ExactColumn[]) {
    this.#names = names;
    this.#columns = columns;
  }

  node(reader: RespReader): GraphNode {
    this.#begin(reader, types.node);
    reader.array();
    const id = reader.integer();
    const labels: string[] = [];
    for (let left = reader.array(); left > 0; left--) labels.push(this.#names.label(reader.integer()));
    const properties = this.#properties(reader);
    this.#settle(reader);
    return { id, labels: labels.sort(compareUtf8), properties };
  }

  edge(reader: RespReader): GraphEdge {
    this.#begin(reader, types.edge);
    reader.array();
    const id = reader.integer();
    const type = this.#names.type(reader.integer());
    const source = reader.integer();
    const target = reader.integer();
    const properties = this.#properties(reader);
    this.#settle(reader);
    return { id, type, source, target, properties };
  }

  /** The value of one more column of the row. */
  more(reader: RespReader): Value {
    reader.array();
    return this.#value(reader, "", [], () => undefined);
  }

  #begin(reader: RespReader, type: number): void {
    this.#pending = [];
    reader.array();
    reader.array();
    if (reader.integer() !== type) throw new TypeError("the server answered another type than was asked for");
  }

  #properties(reader: RespReader): ValueMap {
    const properties: ValueMap = {};
    for (let left = reader.array(); left > 0; left--) {
      reader.array();
      const name = this.#names.property(reader.integer());
      const set = (value: Value): void => setMember(properties, name, value);
      set(this.#value(reader, name, [], set));
    }
    return properties;
  }

  /** A value; `set` puts the exact double in its place later. */
  #value(reader: RespReader, property: string, path: readonly number[], set: (exact: number) => void): Value {
    const type = reader.integer();
    this.printedBytes += 20;
    switch (type) {
      case types.string: {
        const bytes = reader.bulk();
        this.printedBytes += bytes.length;
        return isUtf8(bytes) ? bytes.toString("utf8") : Buffer.from(bytes);
      }
      case types.integer:
        return BigInt(reader.integerText());
      case types.boolean:
        return reader.text() === "true";
      case types.double: {
        const { value, need } = readPrinted(reader.text());
        if (need !== "nothing")
          this.#pending.push({ property, path, tiny: need === "tiny", printed: value, set });
        return value;
      }
      case types.array: {
        const items: Value[] = [];
        const count = reader.array();
        for (let index = 0; index < count; index++) {
          reader.array();
          items.push(this.#value(reader, property, [...path, index], (exact) => (items[index] = exact)));
        }
        return items;
      }
      case types.vector: {
        const columns = reader.array();
        this.printedBytes += 25 * columns;
        return new DenseVector({ type: "f4", columns, bytes: readFloats(reader, columns) });
      }
      case types.point: {
        reader.array();
        // The server keeps float32.
        const latitude = Math.fround(Number(reader.text()));
        return new Tagged("point", [4326n, Math.fround(Number(reader.text())), latitude]);
      }
      case types.null:
        reader.skip();
        return null;
      case 13:
      case 14:
      case 15:
      case 16:
        return temporalValue(type, BigInt(reader.integerText()));
      default:
        throw new MemkeepError("STORE_UNSUPPORTED", {
          tried: "read a graph",
          happened: `FalkorDB answered a property of type ${type}, which this memkeep does not know`,
          next: "Use a newer memkeep.",
        });
    }
  }

  /** Reads the columns of mantissas and puts the exact doubles in. */
  #settle(reader: RespReader): void {
    const found = new Map<string, Mantissas>();
    for (const column of this.#columns) {
      reader.array();
      found.set(columnName(column), mantissas(reader));
    }
    for (const { property, path, tiny, printed, set } of this.#pending) {
      const column = { property, depth: path.length, tiny };
      const name = columnName(column);
      if (!found.has(name)) {
        this.missing.set(name, column);
        continue;
      }
      let mantissa: Mantissas | undefined = found.get(name);
      for (const index of path) mantissa = typeof mantissa === "object" ? mantissa?.[index] : undefined;
      const exact = typeof mantissa === "string" ? exactDouble(printed, mantissa, tiny) : undefined;
      if (exact === undefined) {
        throw new MemkeepError("STORE_CHANGED", {
          tried: "read a double exactly",
          happened: "the server's digits and its mantissa do not belong together",
          next: "Report this: memkeep does not store a value that it could not read.",
        });
      }
      set(exact);
    }
  }
}

export function columnName({ property, depth, tiny }: ExactColumn): string {
  return `${depth}${tiny ? "t" : ""} ${property}`;
}

function mantissas(reader: RespReader): Mantissas {
  const type = reader.integer();
  if (type === types.integer) return reader.integerText();
  if (type !== types.array) {
    reader.skip();
    return null;
  }
  const items: Mantissas[] = [];
  for (let left = reader.array(); left > 0; left--) {
    reader.array();
    items.push(mantissas(reader));
  }
  return items;
}
