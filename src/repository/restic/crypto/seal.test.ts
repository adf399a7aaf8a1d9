import { createCipheriv, randomBytes } from "node:crypto";
import { poly1305 } from "@noble/ciphers/_poly1305.js";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { isMemkeepError } from "../../../domain/errors.ts";
import { generateMasterKey, type MasterKey } from "./master-key.ts";
import { createSealer, type Pieces, sealOverheadBytes } from "./seal.ts";

/** Sealing by the book, with none of the code under test. */
function referenceSeal(key: MasterKey, nonce: Uint8Array, plain: Uint8Array): Buffer {
  const text = createCipheriv("aes-256-ctr", key.encrypt, nonce).update(plain);
  const pad = createCipheriv("aes-128-ecb", key.macK, null).setAutoPadding(false).update(nonce);
  const tag = poly1305(text, Buffer.concat([key.macR, pad]));
  return Buffer.concat([nonce, text, tag]);
}

function piecesOf(parts: readonly Uint8Array[], shared = false): Pieces {
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const buffer = shared ? new Uint8Array(new SharedArrayBuffer(total)) : new Uint8Array(total);
  const offsets = new Uint32Array(parts.length);
  const lengths = Uint32Array.from(parts, (part) => part.length);
  let at = 0;
  for (const [index, part] of parts.entries()) {
    offsets[index] = at;
    buffer.set(part, at);
    at += part.length;
  }
  return { buffer, offsets, lengths, count: parts.length };
}

const hex = (text: string): Buffer => Buffer.from(text, "hex");

test("opens restic's own test vector", () => {
  // restic, internal/repository/crypto/crypto_int_test.go
  const sealer = createSealer({
    encrypt: hex("303e8687b1d7db18421bdc6bb8588ccadac4d59ee87b8ff70c44e635790cafef"),
    macK: hex("ef4d8824cb80b2bcc5fbff8a9b12a42c"),
    macR: hex("cc8d4b948ee0ebfe1d415de921d10353"),
  });
  const sealed = hex(
    "69fb41c62d12def4593bd71757138606338f621aeaeb39da0fe4f99233f8037a54ea63338a813bcf3f75d8c3cc75dddf8750",
  );
  expect(sealer.open(sealed).toString()).toBe("Dies ist ein Test!");
});

test("accepts the tags of the Poly1305-AES paper", () => {
  // D. J. Bernstein, "The Poly1305-AES message-authentication code", appendix B: text, r, k, nonce, tag.
  const vectors: [string, string, string, string, string][] = [
    [
      "f3f6",
      "851fc40c3467ac0be05cc20404f3f700",
      "ec074c835580741701425b623235add6",
      "fb447350c4e868c52ac3275cf9d4327e",
      "f4c633c3044fc145f84f335cb81953de",
    ],
    [
      "",
      "a0f3080000f46400d0c7e9076c834403",
      "75deaa25c09f208e1dc4ce6b5cad3fbf",
      "61ee09218d29b0aaed7e154a2c5509cc",
      "dd3fab2251f11ac759f0887129cc2ee7",
    ],
    [
      "663cea190ffb83d89593f3f476b6bc24d7e679107ea26adb8caf6652d0656136",
      "48443d0bb0d21109c89a100b5ce2c208",
      "6acb5f61a7176dd320c5c1eb2edcdc74",
      "ae212a55399729595dea458bc621ff0e",
      "0ee1c16bb73f0f4fd19881753c01cdbe",
    ],
    [
      "ab0812724a7f1e342742cbed374d94d136c6b8795d45b3819830f2c04491faf0990c62e48b8018b2c3e4a0fa3134cb67fa83e158c994d961c4cb21095c1bf9",
      "12976a08c4426d0ce8a82407c4f48207",
      "e1a5668a4d5b66a5f68cc5424ed5982d",
      "9ae831e743978d3a23527c7128149e3a",
      "5154ad0d2cb26e01274fc51148491f1b",
    ],
  ];
  for (const [text, macR, macK, nonce, tag] of vectors) {
    const sealer = createSealer({ encrypt: Buffer.alloc(32, 1), macK: hex(macK), macR: hex(macR) });
    expect(sealer.open(hex(nonce + text + tag)).length).toBe(text.length / 2);
  }
});

test("seals and opens what the reference does, for random lengths", () => {
  const key = generateMasterKey();
  const sealer = createSealer(key);
  const noise = randomBytes(70_000);
  for (let run = 0; run < 2000; run++) {
    const length = run < 300 ? run : Math.floor(Math.random() * noise.length);
    const plain = noise.subarray(0, length);
    const sealed = sealer.seal(plain);
    expect(sealed.equals(referenceSeal(key, sealed.subarray(0, 16), plain)), `length ${length}`).toBe(true);
    expect(sealer.open(sealed).equals(plain), `length ${length}`).toBe(true);
  }
});

test("the counter carries through all 128 bits", () => {
  const key = generateMasterKey();
  const sealer = createSealer(key);
  const plain = randomBytes(250_000); // more than the work area: the carry may lie in any part
  const nonces = [
    "ff".repeat(16),
    `${"ff".repeat(15)}fe`,
    `${"00".repeat(8)}${"ff".repeat(8)}`,
    `01${"ff".repeat(15)}`,
    `${"ab".repeat(8)}ffffffffffffc3ff`,
    `${"ab".repeat(8)}ffffffffffffe800`,
    `${"00".repeat(15)}01`,
    `${"00".repeat(12)}fffffff0`,
  ];
  for (const nonce of nonces) {
    for (const length of [1, 33, 16_384, plain.length]) {
      const sealed = referenceSeal(key, hex(nonce), plain.subarray(0, length));
      expect(sealer.open(sealed).equals(plain.subarray(0, length)), `${nonce} ${length}`).toBe(true);
    }
  }
});

test("a batch is the single forms one after the other, in shared memory too", () => {
  const key = generateMasterKey();
  const sealer = createSealer(key);
  const noise = randomBytes(300_000);
  const part = fc
    .tuple(fc.oneof(fc.nat(100), fc.nat(20_000), fc.nat(300_000)), fc.nat(1000))
    .map(([length, at]) => {
      return noise.subarray(at, Math.min(noise.length, at + length));
    });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), fc.boolean(), (parts, shared) => {
      const pieces = piecesOf(parts, shared);
      const total = pieces.buffer.length + parts.length * sealOverheadBytes;
      const out = new Uint8Array(shared ? new SharedArrayBuffer(total + 12) : new ArrayBuffer(total + 12));
      expect(sealer.sealBatch(pieces, out, 5)).toBe(5 + total);
      const offsets: number[] = [];
      let at = 5;
      for (const part of parts) {
        offsets.push(at);
        const sealed = Buffer.from(out.slice(at, at + part.length + sealOverheadBytes));
        expect(sealed.equals(referenceSeal(key, sealed.subarray(0, 16), part))).toBe(true);
        at += sealed.length;
      }
      expect([...out.subarray(0, 5), ...out.subarray(at)].every((byte) => byte === 0)).toBe(true);

      const lengths = parts.map((part) => part.length + sealOverheadBytes);
      const sealed = { buffer: out, offsets, lengths, count: parts.length };
      const back = new Uint8Array(pieces.buffer.length);
      expect(sealer.openBatch(sealed, back, 0)).toBe(back.length);
      expect(Buffer.compare(back, new Uint8Array(pieces.buffer))).toBe(0);
      // And in place.
      expect(sealer.openBatch(sealed, out, 5)).toBe(5 + back.length);
      expect(Buffer.compare(out.slice(5, 5 + back.length), back)).toBe(0);
    }),
    { numRuns: 100 },
  );
});

test("a batch of more pieces than the tables hold", () => {
  const sealer = createSealer(generateMasterKey());
  const parts = Array.from({ length: 2500 }, (_, index) => Buffer.from(`piece ${index}`));
  const pieces = piecesOf(parts);
  const out = new Uint8Array(pieces.buffer.length + parts.length * sealOverheadBytes);
  sealer.sealBatch(pieces, out, 0);
  const lengths = parts.map((part) => part.length + sealOverheadBytes);
  const offsets = lengths.map((_, index) => lengths.slice(0, index).reduce((sum, length) => sum + length, 0));
  const nonces = new Set(offsets.map((at) => Buffer.from(out.subarray(at, at + 16)).toString("hex")));
  expect(nonces.size).toBe(parts.length);
  const back = Buffer.alloc(pieces.buffer.length);
  sealer.openBatch({ buffer: out, offsets, lengths, count: parts.length }, back, 0);
  expect(back.equals(pieces.buffer)).toBe(true);

  // The damage is in the last table, the output stays untouched all the same.
  out[offsets[2400]! + 20]! ^= 1;
  back.fill(7);
  let thrown: unknown;
  try {
    sealer.openBatch({ buffer: out, offsets, lengths, count: parts.length }, back, 0);
  } catch (error) {
    thrown = error;
  }
  expect(isMemkeepError(thrown, "REPOSITORY_DAMAGED") && thrown.details).toEqual({ piece: 2400 });
  expect(back.every((byte) => byte === 7)).toBe(true);
});

test("any changed byte, and any cut, is found", () => {
  const sealer = createSealer(generateMasterKey());
  const sealed = sealer.seal(Buffer.from("a short message, two blocks long"));
  for (let at = 0; at < sealed.length; at++) {
    for (const bit of [1, 0x80]) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= bit;
      expect(() => sealer.open(changed), `byte ${at}`).toThrow("authentication tag");
    }
    expect(() => sealer.open(sealed.subarray(0, at)), `cut to ${at}`).toThrow("authentication tag");
    expect(() => sealer.open(sealed.subarray(at + 1)), `cut from ${at}`).toThrow("authentication tag");
  }
  expect(() => createSealer(generateMasterKey()).open(sealed)).toThrow("authentication tag");
});

test("ranges outside the buffers are refused before anything is written", () => {
  const sealer = createSealer(generateMasterKey());
  const buffer = new Uint8Array(100);
  const out = new Uint8Array(100);
  const one = (offset: number, length: number): Pieces => ({
    buffer,
    offsets: [offset],
    lengths: [length],
    count: 1,
  });
  expect(() => sealer.sealBatch(one(90, 11), out, 0)).toThrow(RangeError);
  expect(() => sealer.sealBatch(one(-1, 5), out, 0)).toThrow(RangeError);
  expect(() => sealer.sealBatch(one(Number.NaN, 5), out, 0)).toThrow(RangeError);
  expect(() => sealer.sealBatch(one(0, 69), out, 0)).toThrow(RangeError);
  expect(() => sealer.sealBatch(one(0, 60), out, 9)).toThrow(RangeError);
  expect(() => sealer.sealBatch({ ...one(0, 5), count: 2 }, out, 0)).toThrow(RangeError);
  expect(() => sealer.openBatch(one(50, 60), out, 0)).toThrow(RangeError);
  expect(out.every((byte) => byte === 0)).toBe(true);
  expect(sealer.sealBatch({ ...one(0, 0), count: 0 }, out, 7)).toBe(7);
});
