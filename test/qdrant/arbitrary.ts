/** Random collections of every kind of vector, id and payload, for property tests. Bodies are texts: numbers matter. */
import * as fc from "fast-check";
import { writeDouble } from "../../src/stores/format/json-write.ts";
import { setMember } from "../../src/stores/format/value.ts";
import type { Value, ValueMap } from "../../src/stores/format/value.ts";
import { plainJson } from "../../src/stores/qdrant/wire.ts";

export interface AnyCollection {
  readonly creation: string;
  /** Points as JSON, in any order, ids unique. */
  readonly points: readonly string[];
  readonly indexes: readonly string[];
}

interface VectorKind {
  readonly name: string;
  readonly kind: "dense" | "multi" | "sparse";
  readonly size: number;
  readonly distance: string;
  readonly datatype: string;
}

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.constantFrom("$vector", "$", "__proto__", "", "a.b", "key"),
);

const payloadValue: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom<Value>(null, true, false, -0, 2n ** 64n - 1n, -(2n ** 63n), "", 1, 1n),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    // Smaller ones are not kept by the server: settled.ts.
    fc.double({ noNaN: true, min: -1e30, max: 1e30 }).map((double) => (Math.abs(double) < 1e-5 ? 0 : double)),
    text,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(text, tie("value")), { maxLength: 4 }).map(mapOf),
  ),
})).value;

function mapOf(members: [string, Value][]): ValueMap {
  const map: ValueMap = {};
  for (const [name, value] of members) setMember(map, name, value);
  return map;
}

const payload = fc.array(fc.tuple(text, payloadValue), { maxLength: 5 }).map(mapOf);

const float = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-60000), max: 60000 }),
  fc.constantFrom(0, -0, 1, 255, Math.fround(0.1), Math.fround(1e-40)),
);

const id = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
  fc.nat(50).map(String),
  fc.uuid().map((uuid) => JSON.stringify(uuid)),
);

const kinds: fc.Arbitrary<VectorKind[]> = fc.uniqueArray(
  fc.record<VectorKind>({
    name: fc.constantFrom("text", "img", "é 1", "$x", "vectors"),
    kind: fc.constantFrom("dense", "dense", "multi", "sparse"),
    size: fc.integer({ min: 1, max: 5 }),
    distance: fc.constantFrom("Cosine", "Dot", "Euclid", "Manhattan"),
    datatype: fc.constantFrom("float32", "float16", "uint8"),
  }),
  { minLength: 1, maxLength: 4, selector: ({ name }) => name },
);

/** Up to `mostPoints` points. */
export function anyCollection(mostPoints: number): fc.Arbitrary<AnyCollection> {
  return fc
    .oneof(
      kinds.map((named) => ({ named, isUnnamed: false })),
      fc
        .record<VectorKind>({
          name: fc.constant(""),
          kind: fc.constantFrom("dense", "multi"),
          size: fc.integer({ min: 1, max: 5 }),
          distance: fc.constantFrom("Cosine", "Dot"),
          datatype: fc.constantFrom("float32", "float16", "uint8"),
        })
        .map((only) => ({ named: [only], isUnnamed: true })),
    )
    .chain(({ named, isUnnamed }) =>
      fc.record({
        creation: fc.constant(creationOf(named, isUnnamed)),
        points: fc
          .uniqueArray(fc.tuple(id, vectorsOf(named), fc.option(payload)), {
            maxLength: mostPoints,
            selector: ([of]) => of,
          })
          .map((points) =>
            points.map(
              ([of, vectors, members]) =>
                `{"id":${of},"vector":${isUnnamed ? (vectors[0] ?? '"":{}').slice(3) : `{${vectors.join(",")}}`}${members === null ? "" : `,"payload":${plainJson(members)}`}}`,
            ),
          ),
        indexes: fc.subarray([
          '"a","field_schema":"keyword"',
          '"b","field_schema":{"type":"integer","lookup":false,"range":true}',
        ]),
      }),
    );
}

function creationOf(named: readonly VectorKind[], isUnnamed: boolean): string {
  const dense = named.filter(({ kind }) => kind !== "sparse");
  const params = dense.map(({ name, kind, size, distance: drawn, datatype }) => {
    // The server normalises anew what it is given; in a handful of dimensions that moves 16-bit floats (readme.md, Numbers).
    const distance = drawn === "Cosine" && datatype === "float16" ? "Dot" : drawn;
    const multi = kind === "multi" ? ',"multivector_config":{"comparator":"max_sim"}' : "";
    const of = `{"size":${size},"distance":"${distance}","datatype":"${datatype}"${multi}}`;
    return isUnnamed ? of : `${JSON.stringify(name)}:${of}`;
  });
  const sparse = named
    .filter(({ kind }) => kind === "sparse")
    .map(({ name }) => `${JSON.stringify(name)}:{}`);
  const vectors = isUnnamed ? params[0]! : `{${params.join(",")}}`;
  return `{"vectors":${vectors},"sparse_vectors":{${sparse.join(",")}}}`;
}

/** Some of the vectors of a point, as members. */
function vectorsOf(named: readonly VectorKind[]): fc.Arbitrary<string[]> {
  return fc
    .tuple(...named.map((kind) => fc.option(vectorOf(kind), { freq: 4 })))
    .map((texts) =>
      texts.flatMap((of, index) => (of === null ? [] : [`${JSON.stringify(named[index]!.name)}:${of}`])),
    );
}

function vectorOf({ kind, size }: VectorKind): fc.Arbitrary<string> {
  const row = fc
    .array(float, { minLength: size, maxLength: size })
    .map((floats) => `[${floats.map(writeDouble).join(",")}]`);
  if (kind === "dense") return row;
  if (kind === "multi")
    return fc.array(row, { minLength: 1, maxLength: 4 }).map((rows) => `[${rows.join(",")}]`);
  return fc
    .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), float), {
      maxLength: 5,
      selector: ([index]) => index,
    })
    .map(
      (pairs) =>
        `{"indices":[${pairs.map(([index]) => index).join(",")}],"values":[${pairs.map(([, of]) => writeDouble(of)).join(",")}]}`,
    );
}
