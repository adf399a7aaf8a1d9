/**
 * The `chunker_polynomial` of a repository's config: an irreducible polynomial over GF(2) of degree 53. Stock restic cuts
 * with it and refuses a reducible one; memkeep derives its gear table from it.
 */
import { randomBytes } from "node:crypto";

const degree = 53n;

/** A random irreducible polynomial, in the config's form: hex without prefix. */
export function randomPolynomial(): string {
  for (;;) {
    const bits = randomBytes(8).readBigUInt64BE() & ((1n << (degree + 1n)) - 1n);
    const candidate = bits | (1n << degree) | 1n;
    if (isIrreducible(candidate)) return candidate.toString(16);
  }
}

/** Ben-Or's test (Gao and Panario, "Tests and constructions of irreducible polynomials over finite fields", 1997). */
export function isIrreducible(polynomial: bigint): boolean {
  const n = degreeOf(polynomial);
  if (n < 1) return false;
  let power = 2n;
  for (let step = 1; step <= n >> 1; step++) {
    power = square(power, polynomial);
    if (gcd(polynomial, power ^ 2n) !== 1n) return false;
  }
  return true;
}

function degreeOf(polynomial: bigint): number {
  return polynomial.toString(2).length - 1;
}

function remainder(dividend: bigint, divisor: bigint): bigint {
  const n = degreeOf(divisor);
  let rest = dividend;
  while (rest !== 0n && degreeOf(rest) >= n) rest ^= divisor << BigInt(degreeOf(rest) - n);
  return rest;
}

function square(value: bigint, modulus: bigint): bigint {
  // Squaring over GF(2) puts a zero between any two bits.
  const spread = value.toString(2).split("").join("0");
  return remainder(BigInt(`0b${spread}`), modulus);
}

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, remainder(x, y)];
  return x;
}
