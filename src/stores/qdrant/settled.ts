/**
 * Numbers that the server itself does not keep. It stores payloads as JSON text and reads them with serde_json without
 * `float_roundtrip` (1.18, 1.19: `payload_storage_impl.rs`): the digits become a double, which is then multiplied or divided
 * by a power of ten, and each step rounds. From 1e-6 upwards what it prints reads back as itself. Smaller numbers of 16 or
 * 17 digits may become their neighbour each time a segment is read and written, so two readings of one point can differ in
 * the last bit. A comparison must not take that for damage: it holds the numbers against each other where they settle.
 */
import { contentDigest } from "../format/digest.ts";
import { writeDouble } from "../format/json-write.ts";
import { setMember } from "../format/value.ts";
import type { PlacedVector, Value, ValueMap } from "../format/value.ts";
import { isMap } from "./schema.ts";
import { recordOf } from "./page.ts";
import type { Point } from "./page.ts";

/** Most of them settle after a few readings. */
const mostReadings = 64;
const largestSignificand = 2n ** 64n;

/** What the server's JSON reader makes of a number's text. */
export function readInSteps(text: string): number {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text);
  if (!match) throw new TypeError("not a number");
  const [, sign, whole, fraction = "", power = "0"] = match;
  const digits = whole! + fraction;
  // 19 digits always fit into 64 bits; a twentieth may.
  let kept = Math.min(19, digits.length);
  let significand = BigInt(digits.slice(0, kept));
  for (; kept < digits.length; kept++) {
    const next = significand * 10n + BigInt(digits[kept]!);
    if (next >= largestSignificand) break;
    significand = next;
  }
  let size = Number(significand);
  let exponent = Number(power) + whole!.length - kept;
  for (; exponent < -308 && size !== 0; exponent += 308) size /= 1e308;
  // Constants: a power that is computed may be another double.
  const scale = Number(`1e${Math.abs(exponent)}`);
  size = exponent >= 0 ? size * scale : size / scale;
  return sign === "-" ? -size : size;
}

/** The number that repeated reading ends at; where it goes back and forth between two, the smaller one. */
export function settle(double: number): number {
  let before = double;
  let settled = double;
  for (let reading = 0; reading < mostReadings; reading++) {
    const next = readInSteps(writeDouble(settled));
    if (next === settled) break;
    if (next === before) return Math.min(settled, next);
    before = settled;
    settled = next;
  }
  return settled;
}

/**
 * The digest of a record with all its numbers settled; of nearly all records it is `digest`, that of the record itself.
 */
export function settledDigest(
  line: string,
  digest: Buffer,
  vectors: readonly PlacedVector[],
  point: () => Pick<Point, "key" | "payload" | "vectors" | "shardKey">,
): Buffer {
  // Only numbers that are written with an exponent can be meant.
  if (!line.includes("e-") && !line.includes("e+")) return digest;
  const { payload, ...rest } = point();
  const settled = settleAll(payload);
  return settled === payload ? digest : contentDigest(recordOf({ ...rest, payload: settled }).line, vectors);
}

/** The value itself where nothing changes. */
function settleAll(value: Value): Value {
  if (typeof value === "number") {
    const settled = settle(value);
    return Object.is(settled, value) ? value : settled;
  }
  if (Array.isArray(value)) {
    const items = (value as Value[]).map(settleAll);
    return items.some((item, index) => !Object.is(item, (value as Value[])[index])) ? items : value;
  }
  if (!isMap(value)) return value;
  const map: ValueMap = {};
  let hasChanged = false;
  for (const name of Object.keys(value)) {
    const member = settleAll(value[name]!);
    hasChanged ||= !Object.is(member, value[name]);
    setMember(map, name, member);
  }
  return hasChanged ? map : value;
}
