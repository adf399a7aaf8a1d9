/** For tests of the format and of the adaptors built on it: values of every kind, and a dump that is kept in memory. */
import { createHash } from "node:crypto";
import * as fc from "fast-check";
import type { StoreManifest } from "../../domain/manifest.ts";
import type { DumpSink, DumpSource } from "../store.ts";
import { DenseVector, Tagged, elementBytes, setMember } from "./value.ts";
import type { ElementType, Value, ValueMap } from "./value.ts";

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
  fc.constantFrom("", "$", "$$", "$bytes", "$vector", "__proto__", "constructor", "1", "\\", '"', "\u0000"),
);

const double = fc.oneof(
  fc.double(),
  fc.constantFrom(0, -0, 1, -1, 0.1 + 0.2, 5e-324, 1e21, 1e300, 2 ** 53, NaN, Infinity, -Infinity),
);

/** Any values; members of maps have any names. Vectors are of up to 4 rows and 5 columns. */
export const anyValue: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
    double,
    text,
    fc.uint8Array({ maxLength: 20 }),
    anyVector(),
    fc.array(tie("value"), { maxLength: 4 }),
    fc
      .tuple(fc.constantFrom("date", "point", "later"), tie("value"))
      .map(([tag, value]) => new Tagged(tag, value)),
    fc.array(fc.tuple(text, tie("value")), { maxLength: 5 }).map(mapOf),
  ),
})).value;

function mapOf(members: [string, Value][]): ValueMap {
  const map: ValueMap = {};
  for (const [name, value] of members) setMember(map, name, value);
  return map;
}

function anyVector(): fc.Arbitrary<DenseVector> {
  return fc
    .record({
      type: fc.constantFrom<ElementType>("f4", "f8", "f2", "u1", "i1"),
      columns: fc.integer({ min: 0, max: 5 }),
      rows: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
      inline: fc.boolean(),
    })
    .chain(({ type, columns, rows, inline }) => {
      const size = (rows ?? 1) * columns * elementBytes[type];
      return fc
        .uint8Array({ minLength: size, maxLength: size })
        .map(
          (bytes) =>
            new DenseVector({ type, columns, inline, bytes, ...(rows === undefined ? {} : { rows }) }),
        );
    });
}

export interface MemoryDump {
  readonly sink: DumpSink;
  readonly source: DumpSource;
  readonly files: Map<string, Buffer>;
}

/** `readBytes` is the size of the pieces in which files are read back. */
export function memoryDump(manifest: StoreManifest, readBytes = 64 * 1024): MemoryDump {
  const files = new Map<string, Buffer>();
  return {
    files,
    sink: {
      async file(name, _kind, bytes) {
        const parts: Uint8Array[] = [];
        for await (const part of bytes) parts.push(Buffer.from(part));
        const whole = Buffer.concat(parts);
        files.set(name, whole);
        return { sizeBytes: whole.length, sha256: createHash("sha256").update(whole).digest("hex") };
      },
    },
    source: {
      manifest,
      async *read(name) {
        const whole = files.get(name);
        if (!whole) throw new Error(`no dump file ${name}`);
        for (let at = 0; at < whole.length; at += readBytes) yield whole.subarray(at, at + readBytes);
      },
    },
  };
}
