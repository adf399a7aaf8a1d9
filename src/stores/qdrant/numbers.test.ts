/** Numbers on their way between bits and text, where a store's client is most likely to lose some. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { writeValue } from "../format/json-write.ts";
import { readValue } from "../format/json-read.ts";
import { DenseVector } from "../format/value.ts";
import type { ValueMap } from "../format/value.ts";
import { floatOfHalf, floatTextBytes, halfOf, nearestFloat, writeFloat } from "./floats.ts";
import { JsonBytes } from "./json-bytes.ts";
import { readPage } from "./page.ts";
import { compareIds, idAt, isPointId, parseKey, positionOf, recordKey } from "./point-id.ts";
import { UpsertBody, plainJson } from "./wire.ts";

const anyFloat = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: -300, max: 300 }).map((n) => Math.fround(n)),
  fc
    .constantFrom(
      0,
      -0,
      1,
      0.1,
      16777216,
      1e-45,
      1.17549435e-38,
      1.1754942e-38,
      3.4028234663852886e38,
      99999999,
      1e8,
      1e-5,
    )
    .map(Math.fround),
);

function text(float: number): string {
  const bytes = Buffer.alloc(floatTextBytes);
  return bytes.toString("latin1", 0, writeFloat(bytes, 0, float));
}

/** Of this float and the next larger one. */
function middle(float: number): number {
  const floats = Float32Array.of(float);
  new Uint32Array(floats.buffer)[0]!++;
  return Number.isFinite(floats[0]!) ? (float + floats[0]!) / 2 : float;
}

function parse(written: string): number {
  return new JsonBytes(Buffer.from(`[${written}]`)).floats()![0]!;
}

describe("a 32-bit float", () => {
  test("comes back to the last bit, through our reader and through one that rounds twice, as the server's does", () => {
    fc.assert(
      fc.property(anyFloat, (float) => {
        const written = text(float);
        expect(written.length).toBeLessThanOrEqual(floatTextBytes);
        expect(parse(written)).toBe(float);
        expect(Math.fround(Number(written))).toBe(float);
      }),
      { numRuns: 20_000 },
    );
  });

  test("in a list is the same as alone, however it is written", () => {
    const usual = fc.double({ min: 0.01, max: 9, noNaN: true }).map(Math.fround);
    const written = fc.oneof(anyFloat, usual).chain((float) =>
      fc.constantFrom(
        text(float),
        String(float),
        float.toPrecision(8),
        float.toPrecision(16),
        float.toExponential(3),
        ` ${float.toFixed(15)}`,
        // As near to the middle between two floats as 15 digits get: their double may be the middle itself, and round twice.
        middle(float).toFixed(13),
        middle(float).toPrecision(15),
        "1.00000005960464477539062500000001",
      ),
    );
    fc.assert(
      fc.property(fc.array(written, { minLength: 1, maxLength: 40 }), (list) => {
        const read = [...new JsonBytes(Buffer.from(`[${list.join(",")}]`)).floats()!];
        expect(read).toEqual(list.map(parse));
      }),
      { numRuns: 2000 },
    );
    for (const length of [4095, 4096, 4097, 8193]) {
      const list = Array.from({ length }, (_, index) => index / 8);
      const json = list.map((number) => number.toFixed(3)).join(",");
      expect([...new JsonBytes(Buffer.from(`[${json}]`)).floats()!]).toEqual(list);
      for (const broken of [`[${json},]`, `[${json}`, `[${json},`])
        expect(() => new JsonBytes(Buffer.from(broken)).floats(), broken.slice(-9)).toThrow(SyntaxError);
    }
  });

  test("trap 10: is never written without decimal point or exponent", () => {
    fc.assert(
      fc.property(anyFloat, (float) => {
        expect(text(float)).toMatch(/^-?\d+(\.\d+)?(e[+-]\d+)?$/);
        expect(text(float)).toMatch(/[.e]/);
      }),
    );
    expect([text(1), text(-0), text(255), text(0.5)]).toEqual(["1.0", "-0.0", "255.0", "0.5"]);
  });

  test("is read from any decimal, rounded once", () => {
    // The double nearest to this decimal lies in the middle between two floats, the decimal itself above it.
    expect(parse("1.00000005960464480")).toBe(1.0000001192092896);
    expect(parse("1.00000005960464470")).toBe(1);
    expect(parse("0.000000000000000000000000000000000000000000001401298464324817")).toBe(2 ** -149);
    expect(parse("7.006492321624086e-46")).toBe(2 ** -149);
    expect(parse("7.006492321624085e-46")).toBe(0);
    expect(nearestFloat(34028235, 31, () => "3.4028235e38")).toBe(3.4028234663852886e38);
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -3e38, max: 3e38 }), (double) => {
        expect(parse(writeValue(double))).toBe(Math.fround(double));
      }),
    );
  });

  test("of 16 bits keeps its bits, all 63,488 finite ones", () => {
    for (let half = 0; half <= 0xffff; half++) {
      if ((half & 0x7c00) === 0x7c00) continue;
      expect(halfOf(floatOfHalf(half))).toBe(half);
    }
    expect([halfOf(0.1), halfOf(65536), halfOf(1e-10)]).toEqual([undefined, undefined, undefined]);
  });
});

describe("an id", () => {
  const anyId = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
    fc.uuid().map((uuid) => uuid.toLowerCase()),
  );
  test("trap 9: keeps all 64 bits, and the server's order: numbers, then UUIDs", () => {
    fc.assert(
      fc.property(anyId, anyId, (a, b) => {
        expect(idAt(positionOf(a))).toBe(a);
        const [left, right] = [positionOf(a), positionOf(b)];
        expect(Math.sign(compareIds(a, b))).toBe(left < right ? -1 : left > right ? 1 : 0);
        expect(parseKey(recordKey(a, undefined))).toEqual({ id: a, shardKey: undefined });
        expect(parseKey(recordKey(a, '"x@y"'))).toEqual({ id: a, shardKey: '"x@y"' });
      }),
    );
    expect(["18446744073709551616", "-1", "01", "", "abc", "1.0"].filter(isPointId)).toEqual([]);
  });
});

describe("a page", () => {
  const reading = { types: new Map([["", "f4" as const]]), shardKey: undefined };

  test("ends where the server says so, also when the next id is 0", () => {
    const page = readPage(
      Buffer.from('{"result":{"points":[],"next_page_offset":0},"status":"ok"}'),
      reading,
    );
    expect(page.next).toBe("0");
    expect(
      readPage(Buffer.from('{"result":{"next_page_offset":null,"points":[]}}'), reading).next,
    ).toBeUndefined();
  });

  test("gives payloads exactly, and vectors whatever the order of members", () => {
    const payload = '{"a":1,"b":1.0,"c":-0.0,"d":18446744073709551615,"e":"\\"]}","f":[[{}],"\\\\"]}';
    const body = `{"time":1,"result":{"points":[ {"vector":[1.5,-0.0],"payload":${payload},"id":18446744073709551615} ]}}`;
    const [point] = readPage(Buffer.from(body), reading).points;
    expect(point!.id).toBe("18446744073709551615");
    expect(plainJson(point!.payload)).toBe(payload);
    expect((point!.vectors[""] as DenseVector).bytes).toEqual(
      Buffer.from(new Float32Array([1.5, -0]).buffer),
    );
  });

  test("trap 11: an infinite element leaves its vector out and names it", () => {
    const body =
      '{"result":{"points":[{"id":1,"vector":{"a":[null,1.0],"b":[[1.0],[null]],"c":{"indices":[1],"values":[null]}}}]}}';
    const [point] = readPage(Buffer.from(body), reading).points;
    expect(point!.infinite).toEqual(["a", "b", "c"]);
    expect(Object.keys(point!.vectors)).toEqual([]);
  });

  test.each([
    "",
    "{",
    '{"result":{}}',
    '{"result":{"points":[{}]}}',
    '{"result":{"points":[{"id":1.5}]}}',
    "<html>",
  ])("is refused when it is none: %s", (body) => {
    expect(() => readPage(Buffer.from(body), reading)).toThrow();
  });

  test("JSON of any value passes over and through", () => {
    fc.assert(
      fc.property(fc.json(), fc.integer(), (json, after) => {
        const bytes = new JsonBytes(Buffer.from(`[${json},${after}]`));
        bytes.expect(0x5b);
        bytes.skip();
        expect(bytes.takes(0x2c)).toBe(true);
        expect(bytes.value()).toBe(BigInt(after));
      }),
    );
  });
});

describe("a body", () => {
  const floats = (...numbers: number[]): Buffer => Buffer.from(new Float32Array(numbers).buffer);

  test("trap 10: a multivector of two rows has decimal points, so that it is not read as a sparse vector", () => {
    const body = new UpsertBody();
    const vectors: ValueMap = {
      m: new DenseVector({ type: "f4", rows: 2, columns: 2, bytes: floats(1, 0, 3, 4) }),
      s: {
        indices: [1n, 4294967295n],
        values: new DenseVector({ type: "f4", columns: 2, bytes: floats(1, -0), inline: true }),
      },
      e: { indices: [], values: new DenseVector({ type: "f4", columns: 0, bytes: floats(), inline: true }) },
    };
    body.add({ id: "1", payload: {}, vectors });
    body.add({ id: "f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4", payload: readValue('{"$$a":1.0}'), vectors: {} });
    expect(Buffer.from(body.finish('"eu"')).toString()).toBe(
      '{"points":[{"id":1,"payload":{},"vector":{"m":[[1.0,0.0],[3.0,4.0]],"s":{"indices":[1,4294967295],"values":[1.0,-0.0]},' +
        '"e":{"indices":[],"values":[]}}},{"id":"f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4","payload":{"$a":1.0},"vector":{}}],"shard_key":"eu"}',
    );
  });
});
