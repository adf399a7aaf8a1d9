import { randomBytes } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { generateMasterKey } from "./master-key.ts";
import { startOpening, startSealing } from "./seal-stream.ts";
import { createSealer } from "./seal.ts";

test("a text sealed in parts is one sealed text, and opens in other parts", () => {
  const key = generateMasterKey();
  const sealer = createSealer(key);
  const noise = randomBytes(400_000);
  const sizes = fc.array(fc.oneof(fc.nat(40), fc.nat(130_000)), { maxLength: 3 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 90_000 }), (lengths, openedAtOnce) => {
      const stream = startSealing(key);
      const plain: Buffer[] = [];
      const sealedParts: Buffer[] = [];
      for (const length of lengths) {
        plain.push(noise.subarray(0, length));
        sealedParts.push(stream.update(noise.subarray(0, length)));
        sealer.seal(noise.subarray(0, 100)); // others use the unit in between
      }
      sealedParts.push(stream.finish());
      const sealed = Buffer.concat(sealedParts);
      expect(sealer.open(sealed).equals(Buffer.concat(plain))).toBe(true);

      const text = sealed.subarray(16, -16);
      const opening = startOpening(key, sealed.subarray(0, 16));
      for (let at = 0; at < text.length; at += openedAtOnce) {
        opening.authenticate(text.subarray(at, at + openedAtOnce));
      }
      opening.verify(sealed.subarray(-16));
      const opened: Buffer[] = [];
      for (let at = 0; at < text.length; at += 70_001)
        opened.push(opening.decrypt(text.subarray(at, at + 70_001)));
      expect(Buffer.concat(opened).equals(Buffer.concat(plain))).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test("nothing is decrypted before the tag is verified", () => {
  const key = generateMasterKey();
  const sealed = createSealer(key).seal(Buffer.from("a text"));
  const opening = startOpening(key, sealed.subarray(0, 16));
  opening.authenticate(sealed.subarray(16, -16));
  expect(() => opening.decrypt(sealed.subarray(16, -16))).toThrow("not verified");
  expect(() => opening.verify(Buffer.alloc(16))).toThrow("authentication tag");
  expect(() => opening.decrypt(sealed.subarray(16, -16))).toThrow("not verified");
  expect(() => opening.verify(sealed.subarray(-15))).toThrow("authentication tag");
});

test("a sealed text takes no more parts", () => {
  const stream = startSealing(generateMasterKey());
  stream.finish();
  expect(() => stream.update(Buffer.from("more"))).toThrow("already sealed");
  expect(() => stream.finish()).toThrow("already sealed");
});
