import { randomBytes } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMemkeepError } from "../../../domain/errors.ts";
import { compressBound, createCompressor, createDecompressor } from "./compression.ts";
import { openCompressContext, openDecompressContext } from "./zstd-context.ts";
import { readZstdFrame } from "./zstd-frame.ts";

const text = Buffer.from("memory ".repeat(3000));
const damaged = (error: unknown): boolean => isMemkeepError(error, "REPOSITORY_DAMAGED");

function failureOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

test("this version of Node has reusable contexts", () => {
  expect(openCompressContext(3)).toBeDefined();
  expect(openDecompressContext()).toBeDefined();
});

test("a failed context stays failed, and does not end the process", () => {
  const context = openDecompressContext()!;
  const out = Buffer.alloc(100);
  for (let run = 0; run < 3; run++)
    expect(context.run(Buffer.from("not a frame"), out, 0, out.length)).toBe(-1);
});

const ways = [
  { way: "with a context", compressContext: openCompressContext, decompressContext: openDecompressContext },
  { way: "without", compressContext: () => undefined, decompressContext: () => undefined },
];

describe.each(ways)("$way", ({ compressContext, decompressContext }) => {
  test("round trip, in shared memory too, as frames that stock zstd reads", () => {
    for (const level of [1, 3, 19]) {
      const compressor = createCompressor(level, compressContext);
      const decompressor = createDecompressor(decompressContext);
      const repeated = fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 50 }), fc.nat(4000))
        .map(([bytes, times]) => {
          return Buffer.alloc(bytes.length * times, bytes);
        });
      fc.assert(
        fc.property(fc.oneof(repeated, fc.uint8Array({ maxLength: 3000 })), (plain) => {
          const shared = new Uint8Array(new SharedArrayBuffer(plain.length));
          shared.set(plain);
          const out = new Uint8Array(new SharedArrayBuffer(compressBound(plain.length) + 3));
          const length = compressor.compressInto(shared, out, 3);
          const whole = compressor.compress(plain);
          expect(whole?.length ?? 0).toBe(length);
          if (whole === undefined) return;
          expect(length).toBeLessThan(plain.length);
          expect(zstdDecompressSync(whole).equals(plain)).toBe(true);
          expect(decompressor.decompress(out.subarray(3, 3 + length), plain.length).equals(plain)).toBe(true);
          const back = new Uint8Array(new SharedArrayBuffer(plain.length + 2));
          decompressor.decompressInto(out.subarray(3, 3 + length), plain.length, back, 1);
          expect(Buffer.from(back).equals(Buffer.concat([Buffer.alloc(1), plain, Buffer.alloc(1)]))).toBe(
            true,
          );
        }),
        { numRuns: 60 },
      );
    }
  });

  test("what does not shrink is left as it is", () => {
    const compressor = createCompressor(3, compressContext);
    for (const length of [0, 1, 2, 15, 16_384, 3_000_000]) {
      expect(compressor.compress(randomBytes(length))).toBeUndefined();
    }
    // A large text after it shows that the context is as before.
    const large = Buffer.concat([text, randomBytes(2_000_000), text]);
    expect(zstdDecompressSync(compressor.compress(large)!).equals(large)).toBe(true);
    expect(() => compressor.compressInto(text, Buffer.alloc(text.length), 0)).toThrow(RangeError);
  });

  test("a frame that gives more or less than it should is refused, and the next blob is not harmed", () => {
    const decompressor = createDecompressor(decompressContext);
    const checksum = { [constants.ZSTD_c_checksumFlag]: 1 };
    const frames = {
      sized: zstdCompressSync(text, { pledgedSrcSize: text.length }),
      unsized: zstdCompressSync(text),
      checked: zstdCompressSync(text, { params: checksum, pledgedSrcSize: text.length }),
      uncheckedSize: zstdCompressSync(text, {
        params: { ...checksum, [constants.ZSTD_c_contentSizeFlag]: 0 },
      }),
      empty: zstdCompressSync(Buffer.alloc(0)),
    };
    const good = (): void => {
      for (const [name, frame] of Object.entries(frames)) {
        const expected = name === "empty" ? Buffer.alloc(0) : text;
        expect(decompressor.decompress(frame, expected.length).equals(expected), name).toBe(true);
      }
    };
    good();
    for (const frame of Object.values(frames)) {
      expect(failureOf(() => decompressor.decompress(frame, 2 ** 50))).toSatisfy(damaged);
    }
    for (const [name, frame] of Object.entries(frames)) {
      const length = name === "empty" ? 0 : text.length;
      for (const wrong of [length - 1, length + 1, 2 * length + 5].filter((size) => size >= 0)) {
        expect(
          failureOf(() => decompressor.decompress(frame, wrong)),
          `${name} as ${wrong}`,
        ).toSatisfy(damaged);
      }
      const before = Buffer.alloc(length + 8, 7);
      for (let cut = 0; cut < frame.length; cut++) {
        const into = (): unknown => decompressor.decompressInto(frame.subarray(0, cut), length, before, 4);
        expect(failureOf(into), `${name} cut to ${cut}`).toSatisfy(damaged);
        good();
      }
      const longer = Buffer.concat([frame, Buffer.alloc(1)]);
      expect(
        failureOf(() => decompressor.decompress(longer, length)),
        `${name} and a byte`,
      ).toSatisfy(damaged);
      expect(
        before.subarray(0, 4).equals(Buffer.alloc(4, 7)) && before.subarray(-4).equals(Buffer.alloc(4, 7)),
      ).toBe(true);
    }
  });

  test("damaged frames are refused or give the wanted length, and the next blob is not harmed", () => {
    const decompressor = createDecompressor(decompressContext);
    const frame = zstdCompressSync(randomBytes(200).toString("hex").repeat(3), { pledgedSrcSize: 1200 });
    const good = decompressor.decompress(frame, 1200);
    for (let at = 0; at < frame.length; at++) {
      for (const bit of [1, 4, 0x20, 0x80]) {
        const changed = Buffer.from(frame);
        changed[at]! ^= bit;
        const failure = failureOf(() => decompressor.decompress(changed, 1200));
        if (failure !== undefined) expect(failure).toSatisfy(damaged);
        expect(decompressor.decompress(frame, 1200).equals(good)).toBe(true);
      }
    }
    expect(failureOf(() => decompressor.decompress(Buffer.concat([frame, frame]), 1200))).toSatisfy(damaged);
    expect(failureOf(() => decompressor.decompress(randomBytes(500), 1200))).toSatisfy(damaged);
  });

  test("a bomb is stopped at the wanted length", () => {
    const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024));
    const decompressor = createDecompressor(decompressContext);
    expect(failureOf(() => decompressor.decompress(bomb, 16_384))).toSatisfy(damaged);
    // 16 KiB stated in the header (single segment, 4 bytes of size), and a run of 120 KiB in the only block.
    const lying = Buffer.from("28b52ffda00040000003000f41", "hex");
    expect(readZstdFrame(lying)).toEqual({ frameBytes: lying.length, contentBytes: 16_384 });
    expect(failureOf(() => decompressor.decompress(lying, 16_384))).toSatisfy(damaged);
  });
});

test("the outline of frames", () => {
  for (const length of [0, 1, 255, 256, 65_791, 65_792, 400_000]) {
    for (const content of [Buffer.alloc(length, 1), randomBytes(length)]) {
      const sized = zstdCompressSync(content, { pledgedSrcSize: length });
      expect(readZstdFrame(sized)).toEqual({ frameBytes: sized.length, contentBytes: length });
      expect(readZstdFrame(Buffer.concat([sized, sized]))?.frameBytes).toBe(sized.length);
      expect(readZstdFrame(sized.subarray(0, -1))).toBeUndefined();
    }
  }
  const magic = Buffer.from("28b52ffd", "hex");
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      // Never past the end, whatever follows the magic number.
      expect(readZstdFrame(bytes)).toBeUndefined();
      const outline = readZstdFrame(Buffer.concat([magic, bytes]));
      expect(outline?.frameBytes ?? 0).toBeLessThanOrEqual(bytes.length + magic.length);
    }),
  );
});
