/**
 * Nonces for sealing: 16 random bytes each, never the same twice, never all zero (restic refuses that one as a
 * sign of a broken random source). They come from a pool, because one call for random bytes per blob costs more
 * than encrypting it.
 */
import { randomFillSync } from "node:crypto";

export const nonceBytes = 16;
const poolNonces = 512;

export interface NoncePool {
  /** Writes `count` fresh nonces to `target`, one after the other, from `offset`. */
  take(count: number, target: Uint8Array, offset: number): void;
}

/** `fill` overwrites a buffer with random bytes; only tests give another than the system's. */
export function createNoncePool(fill: (target: Uint8Array) => void = fillRandomly): NoncePool {
  // Never slack of Node's shared buffer pool: the memory is ours alone, and taken bytes are wiped.
  const pool = new Uint8Array(poolNonces * nonceBytes);
  let next = pool.length;

  function take(count: number, target: Uint8Array, offset: number): void {
    let taken = 0;
    while (taken < count) {
      if (next === pool.length) {
        fill(pool);
        next = 0;
      }
      const nonce = pool.subarray(next, next + nonceBytes);
      next += nonceBytes;
      if (nonce.every((byte) => byte === 0)) continue;
      target.set(nonce, offset + taken * nonceBytes);
      nonce.fill(0); // a nonce left in the pool by a mistake would be zero, and so refused
      taken++;
    }
  }

  return { take };
}

function fillRandomly(target: Uint8Array): void {
  randomFillSync(target);
}
