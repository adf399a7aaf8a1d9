import { expect, test } from "vitest";
import { createNoncePool, nonceBytes } from "./nonce-pool.ts";

test("thousands of nonces, all different, none zero", () => {
  const count = 5000;
  const nonces = Buffer.alloc(count * nonceBytes);
  const pool = createNoncePool();
  pool.take(3, nonces, 0);
  pool.take(count - 3, nonces, 3 * nonceBytes);
  const seen = new Set<string>();
  for (let at = 0; at < nonces.length; at += nonceBytes)
    seen.add(nonces.toString("hex", at, at + nonceBytes));
  expect(seen.size).toBe(count);
  expect(seen.has("00".repeat(nonceBytes))).toBe(false);
});

test("an all-zero nonce from the random source is passed over", () => {
  let fills = 0;
  const pool = createNoncePool((target) => {
    fills++;
    target.fill(fills === 1 ? 0 : 1);
  });
  const nonce = Buffer.alloc(nonceBytes);
  pool.take(1, nonce, 0);
  expect(fills).toBe(2);
  expect(nonce.equals(Buffer.alloc(nonceBytes, 1))).toBe(true);
});
