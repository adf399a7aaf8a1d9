import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readFloats, writeFloats } from "./floats.ts";
import { RespReader, incomplete } from "./resp.ts";

/** As the server's `%.17g` and `%.15g` print. */
function printed(value: number, digits: number): string {
  if (Number.isNaN(value)) return "-nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const exponent = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(digits)))));
  const isLong = exponent < -4 || exponent >= digits;
  const text = isLong ? value.toExponential(digits - 1) : value.toPrecision(digits);
  const [mantissa, power] = text.split("e") as [string, string?];
  const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
  if (power === undefined) return short;
  return `${short}e${power[0]!}${power.slice(1).padStart(2, "0")}`;
}

function received(texts: readonly string[]): RespReader {
  const bytes = Buffer.from(texts.map((text) => `$${text.length}\r\n${text}\r\n`).join(""));
  const reader = new RespReader();
  reader.push(bytes);
  return reader;
}

const floats = fc.oneof(
  fc.float(),
  fc
    .integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
    .map((bits) => new Float32Array(Int32Array.of(bits).buffer)[0]!),
  fc.constantFrom(0, -0, 1, -1, 2 ** 24, 2 ** 24 + 2, 123456789, 16777217 * 1024, 1e-4, 9.9999e-5),
);

test("trap 13: every float32 comes back from the printed double", () => {
  fc.assert(
    fc.property(fc.array(floats, { minLength: 1 }), fc.constantFrom(15, 17), (values, digits) => {
      const expected = Float32Array.from(values);
      const texts = [...expected].map((value) => printed(value, digits));
      const read = readFloats(received(texts), texts.length);
      expect([...new Float32Array(read.buffer)]).toEqual([...expected]);
    }),
    { numRuns: 5000 },
  );
});

test("an answer that goes on is waited for, wherever it is cut", () => {
  const whole = received(["0.10000000149011612", "-1", "1.4012984643248171e-45"]);
  for (let end = 0; end < whole.end; end++) {
    whole.at = 0;
    const cut = new RespReader();
    cut.push(whole.bytes.subarray(0, end));
    expect(() => readFloats(cut, 3)).toThrow(expect.toSatisfy((error) => error === incomplete) as Error);
  }
});

test("nine digits are enough to write a float32", () => {
  fc.assert(
    fc.property(fc.array(floats), (values) => {
      const written = Float32Array.from(values.filter((value) => !Number.isNaN(Math.fround(value))));
      const text = Buffer.from(writeFloats(written)).toString();
      // JSON reads what the server reads, but for infinity, and tells floats by their point or exponent.
      const read = JSON.parse(text.replaceAll("1e999", "1e308")) as number[];
      expect([...Float32Array.from(read)]).toEqual([...written]);
      expect(
        text
          .slice(1, -1)
          .split(",")
          .every((literal) => literal === "" || /[.e]/.test(literal)),
      ).toBe(true);
    }),
    { numRuns: 5000 },
  );
});
