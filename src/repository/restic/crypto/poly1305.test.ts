import { readFile } from "node:fs/promises";
import { poly1305 } from "@noble/ciphers/_poly1305.js";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { poly1305File, poly1305ModuleText } from "../../../../scripts/build-wasm.ts";
import { IncrementalTag } from "./poly1305.ts";

test("the committed module is what its source compiles to", async () => {
  const committed = await readFile(poly1305File, "utf8");
  expect(committed === (await poly1305ModuleText()), "run `npm run build:wasm`").toBe(true);
});

function tagOf(key: Uint8Array, parts: readonly Uint8Array[]): string {
  const tag = new IncrementalTag(key.subarray(0, 16));
  for (const part of parts) tag.update(part);
  return tag.finish(key.subarray(16)).toString("hex");
}

function expectedTag(key: Uint8Array, text: Uint8Array): string {
  return Buffer.from(poly1305(text, key)).toString("hex");
}

test("tags equal those of @noble/ciphers for every short length", () => {
  const key = Buffer.alloc(32, 0x5c);
  const text = Buffer.from(Array.from({ length: 700 }, (_, i) => (i * 37) & 255));
  for (let length = 0; length <= text.length; length++) {
    expect(tagOf(key, [text.subarray(0, length)])).toBe(expectedTag(key, text.subarray(0, length)));
  }
});

test("tags equal those of @noble/ciphers where every carry happens", () => {
  // Bits all set make the largest limbs and products; zeros make h stay small, next to the modulus.
  for (const keyByte of [0xff, 0x00, 0x01]) {
    for (const textByte of [0xff, 0x00, 0xfe]) {
      const key = Buffer.alloc(32, keyByte);
      for (const length of [0, 15, 16, 17, 63, 64, 127, 128, 129, 4096, 70_000, 200_000]) {
        const text = Buffer.alloc(length, textByte);
        expect(tagOf(key, [text])).toBe(expectedTag(key, text));
      }
    }
  }
});

test("tags of text in parts equal those of the whole, also with other tags in between", () => {
  const bytes = fc.uint8Array({ maxLength: 300, size: "max" });
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.array(bytes, { maxLength: 20 }),
      (key, parts) => {
        const tag = new IncrementalTag(key.subarray(0, 16));
        for (const part of parts) {
          tag.update(part);
          tagOf(Buffer.alloc(32, 9), [Buffer.alloc(500, 7)]);
        }
        expect(tag.finish(key.subarray(16)).toString("hex")).toBe(expectedTag(key, Buffer.concat(parts)));
      },
    ),
    { numRuns: 500 },
  );
});

test("the vectors of the RFC and of the edges of the modulus", () => {
  // RFC 8439, 2.5.2 and appendix A.3, vectors 7 to 11: r, s, text, tag.
  const vectors: [string, string, string, string][] = [
    [
      "85d6be7857556d337f4452fe42d506a8",
      "0103808afb0db2fd4abff6af4149f51b",
      Buffer.from("Cryptographic Forum Research Group").toString("hex"),
      "a8061dc1305136c6c22b8baf0c0127a9",
    ],
    ["02", "", "f".repeat(32), "03"],
    ["02", "f".repeat(32), "02".padEnd(32, "0"), "03"],
    ["01", "", `${"f".repeat(32)}f0${"f".repeat(30)}11${"0".repeat(30)}`, "05"],
    ["01", "", `${"f".repeat(32)}fb${"fe".repeat(15)}${"01".repeat(16)}`, ""],
    ["02", "", `fd${"f".repeat(30)}`, `fa${"f".repeat(30)}`],
  ];
  for (const [r, s, text, tag] of vectors) {
    const key = Buffer.from(r.padEnd(32, "0") + s.padEnd(32, "0"), "hex");
    expect(tagOf(key, [Buffer.from(text, "hex")])).toBe(tag.padEnd(32, "0"));
  }
});
