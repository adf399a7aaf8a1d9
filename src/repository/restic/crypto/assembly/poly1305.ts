/**
 * Poly1305 and the two loops around AES that JavaScript is slow at. AssemblyScript, not TypeScript:
 * `npm run build:wasm` compiles it into `../poly1305.wasm.ts`; tsc and the linters skip this folder.
 *
 * The number h and the key r are five limbs of 26 bits. Four blocks at a time go through the four lanes of
 * SIMD vectors: every lane is multiplied by r^4 per step, and in the last step lane j by r^(4-j), so that the
 * sum of the lanes is what the block-by-block rule gives. WebAssembly has no 64x64->128 multiplication, and
 * one 32x32->64 vector multiplication does the work of two scalar ones. Nothing branches on secret data.
 */

/**
 * Memory is fixed: one page of state and tables, then two work areas of the same size, small enough for the
 * second-level cache. JavaScript reads these numbers from the exports.
 */
export const KEY: usize = 64; // 16 bytes in: r
export const STATE: usize = 128; // 40 bytes in or out: h, so that a half-done tag can be set aside
export const ROUND: usize = 1024; // entries in each of the three tables
export const NONCES: usize = 4096; // 16 bytes an entry, in
export const PADS: usize = NONCES + ROUND * 16; // AES-128(k, nonce), in
export const TAGS: usize = PADS + ROUND * 16; // out
export const TEXT: usize = 65536; // what is encrypted, decrypted or authenticated
export const AREA: usize = 98304; // size of TEXT and of STREAM
export const STREAM: usize = TEXT + AREA; // counter blocks, then the key stream

const POWERS: usize = 256; // 9 vectors: limbs of r^4 in all lanes; then 9 of (r^4, r^3, r^2, r)
const MIXED: usize = POWERS + 9 * 16;
const TAIL: usize = 1024; // the last, padded block
const MASK: u64 = 0x3ffffff;

let r0: u64 = 0, r1: u64 = 0, r2: u64 = 0, r3: u64 = 0, r4: u64 = 0;
let h0: u64 = 0, h1: u64 = 0, h2: u64 = 0, h3: u64 = 0, h4: u64 = 0;

/** h = h * r mod 2^130 - 5, limbs back below 2^26 (h1 a little above). */
function multiply(): void {
  const s1 = r1 * 5, s2 = r2 * 5, s3 = r3 * 5, s4 = r4 * 5;
  const d0 = h0 * r0 + h1 * s4 + h2 * s3 + h3 * s2 + h4 * s1;
  const d1 = h0 * r1 + h1 * r0 + h2 * s4 + h3 * s3 + h4 * s2;
  const d2 = h0 * r2 + h1 * r1 + h2 * r0 + h3 * s4 + h4 * s3;
  const d3 = h0 * r3 + h1 * r2 + h2 * r1 + h3 * r0 + h4 * s4;
  const d4 = h0 * r4 + h1 * r3 + h2 * r2 + h3 * r1 + h4 * r0;
  h0 = d0; h1 = d1; h2 = d2; h3 = d3; h4 = d4;
  carry();
}

function carry(): void {
  let c = h0 >> 26; h0 &= MASK; h1 += c;
  c = h1 >> 26; h1 &= MASK; h2 += c;
  c = h2 >> 26; h2 &= MASK; h3 += c;
  c = h3 >> 26; h3 &= MASK; h4 += c;
  c = h4 >> 26; h4 &= MASK; h0 += c * 5;
  c = h0 >> 26; h0 &= MASK; h1 += c;
}

/** Puts h, a power of r, into one lane of the nine vectors at `at`. */
function storeLane(at: usize, lane: usize): void {
  const p = at + lane * 4;
  store<u32>(p, <u32>h0);
  store<u32>(p, <u32>h1, 16);
  store<u32>(p, <u32>h2, 32);
  store<u32>(p, <u32>h3, 48);
  store<u32>(p, <u32>h4, 64);
  store<u32>(p, <u32>(h1 * 5), 80);
  store<u32>(p, <u32>(h2 * 5), 96);
  store<u32>(p, <u32>(h3 * 5), 112);
  store<u32>(p, <u32>(h4 * 5), 128);
}

/** Takes r from KEY, clamps it, and works out its powers. Overwrites h. */
export function loadKey(): void {
  const low = load<u64>(KEY) & 0x0ffffffc0fffffff;
  const high = load<u64>(KEY, 8) & 0x0ffffffc0ffffffc;
  r0 = low & MASK;
  r1 = (low >> 26) & MASK;
  r2 = ((low >> 52) | (high << 12)) & MASK;
  r3 = (high >> 14) & MASK;
  r4 = high >> 40;
  h0 = r0; h1 = r1; h2 = r2; h3 = r3; h4 = r4;
  storeLane(MIXED, 3);
  multiply(); storeLane(MIXED, 2);
  multiply(); storeLane(MIXED, 1);
  multiply(); storeLane(MIXED, 0);
  for (let lane: usize = 0; lane < 4; lane++) storeLane(POWERS, lane);
}

/** Begins a tag: h = 0. */
export function reset(): void {
  h0 = 0; h1 = 0; h2 = 0; h3 = 0; h4 = 0;
}

/** Copies h to STATE. */
export function saveState(): void {
  store<u64>(STATE, h0); store<u64>(STATE, h1, 8); store<u64>(STATE, h2, 16);
  store<u64>(STATE, h3, 24); store<u64>(STATE, h4, 32);
}

/** Takes h from STATE. */
export function restoreState(): void {
  h0 = load<u64>(STATE); h1 = load<u64>(STATE, 8); h2 = load<u64>(STATE, 16);
  h3 = load<u64>(STATE, 24); h4 = load<u64>(STATE, 32);
}

function block(at: usize, top: u64): void {
  const low = load<u64>(at), high = load<u64>(at, 8);
  h0 += low & MASK;
  h1 += (low >> 26) & MASK;
  h2 += ((low >> 52) | (high << 12)) & MASK;
  h3 += (high >> 14) & MASK;
  h4 += (high >> 40) | top;
  multiply();
}

/** Adds whole blocks to the tag: `length` is a multiple of 16. */
export function update(at: usize, length: usize): void {
  const end = at + length;
  if (length >= 128) {
    const groupsEnd = at + (length & ~63);
    fourLanes(at, groupsEnd);
    at = groupsEnd;
  }
  for (; at < end; at += 16) block(at, 1 << 24);
}

function fourLanes(at: usize, end: usize): void {
  const mask32 = i32x4.splat(0x3ffffff);
  const mask64 = i64x2.splat(0x3ffffff);
  const top = i32x4.splat(1 << 24);
  let a0 = i32x4.replace_lane(i32x4.splat(0), 0, <i32>h0);
  let a1 = i32x4.replace_lane(i32x4.splat(0), 0, <i32>h1);
  let a2 = i32x4.replace_lane(i32x4.splat(0), 0, <i32>h2);
  let a3 = i32x4.replace_lane(i32x4.splat(0), 0, <i32>h3);
  let a4 = i32x4.replace_lane(i32x4.splat(0), 0, <i32>h4);
  while (at < end) {
    // Four blocks in, words sorted by position: w0 holds the first words of the four blocks, and so on.
    const b0 = v128.load(at), b1 = v128.load(at, 16), b2 = v128.load(at, 32), b3 = v128.load(at, 48);
    const t0 = v128.shuffle<i32>(b0, b1, 0, 4, 1, 5);
    const t1 = v128.shuffle<i32>(b2, b3, 0, 4, 1, 5);
    const t2 = v128.shuffle<i32>(b0, b1, 2, 6, 3, 7);
    const t3 = v128.shuffle<i32>(b2, b3, 2, 6, 3, 7);
    const w0 = v128.shuffle<i64>(t0, t1, 0, 2);
    const w1 = v128.shuffle<i64>(t0, t1, 1, 3);
    const w2 = v128.shuffle<i64>(t2, t3, 0, 2);
    const w3 = v128.shuffle<i64>(t2, t3, 1, 3);
    a0 = i32x4.add(a0, v128.and(w0, mask32));
    a1 = i32x4.add(a1, v128.and(v128.or(i32x4.shr_u(w0, 26), i32x4.shl(w1, 6)), mask32));
    a2 = i32x4.add(a2, v128.and(v128.or(i32x4.shr_u(w1, 20), i32x4.shl(w2, 12)), mask32));
    a3 = i32x4.add(a3, v128.and(v128.or(i32x4.shr_u(w2, 14), i32x4.shl(w3, 18)), mask32));
    a4 = i32x4.add(a4, v128.or(i32x4.shr_u(w3, 8), top));

    at += 64;
    const p = at < end ? POWERS : MIXED;
    const q0 = v128.load(p), q1 = v128.load(p, 16), q2 = v128.load(p, 32), q3 = v128.load(p, 48);
    const q4 = v128.load(p, 64), s1 = v128.load(p, 80), s2 = v128.load(p, 96);
    const s3 = v128.load(p, 112), s4 = v128.load(p, 128);

    // Lanes 0 and 1.
    let l0 = sum5(low(a0, q0), low(a1, s4), low(a2, s3), low(a3, s2), low(a4, s1));
    let l1 = sum5(low(a0, q1), low(a1, q0), low(a2, s4), low(a3, s3), low(a4, s2));
    let l2 = sum5(low(a0, q2), low(a1, q1), low(a2, q0), low(a3, s4), low(a4, s3));
    let l3 = sum5(low(a0, q3), low(a1, q2), low(a2, q1), low(a3, q0), low(a4, s4));
    let l4 = sum5(low(a0, q4), low(a1, q3), low(a2, q2), low(a3, q1), low(a4, q0));
    // Lanes 2 and 3.
    let u0 = sum5(high(a0, q0), high(a1, s4), high(a2, s3), high(a3, s2), high(a4, s1));
    let u1 = sum5(high(a0, q1), high(a1, q0), high(a2, s4), high(a3, s3), high(a4, s2));
    let u2 = sum5(high(a0, q2), high(a1, q1), high(a2, q0), high(a3, s4), high(a4, s3));
    let u3 = sum5(high(a0, q3), high(a1, q2), high(a2, q1), high(a3, q0), high(a4, s4));
    let u4 = sum5(high(a0, q4), high(a1, q3), high(a2, q2), high(a3, q1), high(a4, q0));

    // Two carry chains side by side, so that the processor can overlap them.
    let c = i64x2.shr_u(l3, 26); l3 = v128.and(l3, mask64); l4 = i64x2.add(l4, c);
    let e = i64x2.shr_u(u3, 26); u3 = v128.and(u3, mask64); u4 = i64x2.add(u4, e);
    c = i64x2.shr_u(l0, 26); l0 = v128.and(l0, mask64); l1 = i64x2.add(l1, c);
    e = i64x2.shr_u(u0, 26); u0 = v128.and(u0, mask64); u1 = i64x2.add(u1, e);
    c = i64x2.shr_u(l4, 26); l4 = v128.and(l4, mask64);
    l0 = i64x2.add(l0, i64x2.add(c, i64x2.shl(c, 2)));
    e = i64x2.shr_u(u4, 26); u4 = v128.and(u4, mask64);
    u0 = i64x2.add(u0, i64x2.add(e, i64x2.shl(e, 2)));
    c = i64x2.shr_u(l1, 26); l1 = v128.and(l1, mask64); l2 = i64x2.add(l2, c);
    e = i64x2.shr_u(u1, 26); u1 = v128.and(u1, mask64); u2 = i64x2.add(u2, e);
    c = i64x2.shr_u(l0, 26); l0 = v128.and(l0, mask64); l1 = i64x2.add(l1, c);
    e = i64x2.shr_u(u0, 26); u0 = v128.and(u0, mask64); u1 = i64x2.add(u1, e);
    c = i64x2.shr_u(l2, 26); l2 = v128.and(l2, mask64); l3 = i64x2.add(l3, c);
    e = i64x2.shr_u(u2, 26); u2 = v128.and(u2, mask64); u3 = i64x2.add(u3, e);
    c = i64x2.shr_u(l3, 26); l3 = v128.and(l3, mask64); l4 = i64x2.add(l4, c);
    e = i64x2.shr_u(u3, 26); u3 = v128.and(u3, mask64); u4 = i64x2.add(u4, e);

    a0 = v128.shuffle<i32>(l0, u0, 0, 2, 4, 6);
    a1 = v128.shuffle<i32>(l1, u1, 0, 2, 4, 6);
    a2 = v128.shuffle<i32>(l2, u2, 0, 2, 4, 6);
    a3 = v128.shuffle<i32>(l3, u3, 0, 2, 4, 6);
    a4 = v128.shuffle<i32>(l4, u4, 0, 2, 4, 6);
  }
  h0 = sumLanes(a0); h1 = sumLanes(a1); h2 = sumLanes(a2); h3 = sumLanes(a3); h4 = sumLanes(a4);
  carry();
}

// @ts-ignore: decorator
@inline
function low(a: v128, b: v128): v128 {
  return i64x2.extmul_low_i32x4_u(a, b);
}

// @ts-ignore: decorator
@inline
function high(a: v128, b: v128): v128 {
  return i64x2.extmul_high_i32x4_u(a, b);
}

// @ts-ignore: decorator
@inline
function sum5(a: v128, b: v128, c: v128, d: v128, e: v128): v128 {
  return i64x2.add(i64x2.add(i64x2.add(a, b), i64x2.add(c, d)), e);
}

function sumLanes(a: v128): u64 {
  return <u64><u32>i32x4.extract_lane(a, 0) + <u64><u32>i32x4.extract_lane(a, 1)
    + <u64><u32>i32x4.extract_lane(a, 2) + <u64><u32>i32x4.extract_lane(a, 3);
}

/**
 * Ends a tag: the last 0 to 15 bytes at `at`, then h mod 2^130 - 5 plus entry `index` of PADS, into the same
 * entry of TAGS.
 */
export function finish(at: usize, length: usize, index: usize): void {
  if (length > 0) {
    store<u64>(TAIL, 0); store<u64>(TAIL, 0, 8);
    memory.copy(TAIL, at, length);
    store<u8>(TAIL + length, 1);
    block(TAIL, 0);
  }
  carry(); // the second since the last sum, so that every limb is below 2^26
  // g = h + 5 - 2^130; take g where it is not negative, without a branch.
  let g0 = h0 + 5; let c = g0 >> 26; g0 &= MASK;
  let g1 = h1 + c; c = g1 >> 26; g1 &= MASK;
  let g2 = h2 + c; c = g2 >> 26; g2 &= MASK;
  let g3 = h3 + c; c = g3 >> 26; g3 &= MASK;
  let g4 = h4 + c - (1 << 26);
  const keep = (g4 >> 63) - 1; // all ones when g is not negative
  h0 = (h0 & ~keep) | (g0 & keep);
  h1 = (h1 & ~keep) | (g1 & keep);
  h2 = (h2 & ~keep) | (g2 & keep);
  h3 = (h3 & ~keep) | (g3 & keep);
  h4 = (h4 & ~keep) | (g4 & keep);
  const low64 = h0 | (h1 << 26) | (h2 << 52);
  const high64 = (h2 >> 12) | (h3 << 14) | (h4 << 40);
  const padLow = load<u64>(PADS + index * 16);
  const tagLow = low64 + padLow;
  store<u64>(TAGS + index * 16, tagLow);
  store<u64>(TAGS + index * 16, high64 + load<u64>(PADS + index * 16, 8) + <u64>(tagLow < padLow), 8);
}

/**
 * Writes `count` AES-CTR counter blocks to `to`: entry `index` of NONCES as a 128-bit big-endian number, plus
 * `first`, plus one for each block.
 */
export function counters(index: usize, first: u32, to: usize, count: u32): void {
  let high = bswap<u64>(load<u64>(NONCES + index * 16));
  const start = bswap<u64>(load<u64>(NONCES + index * 16, 8));
  let low = start + <u64>first;
  high += <u64>(low < start);
  for (let i: u32 = 0; i < count; i++) {
    store<u64>(to, bswap<u64>(high));
    store<u64>(to, bswap<u64>(low), 8);
    low++;
    high += <u64>(low == 0);
    to += 16;
  }
}

/** TEXT ^= STREAM over `length` bytes, rounded up to 16. */
export function xor(length: usize): void {
  const end = TEXT + length;
  for (let at: usize = TEXT; at < end; at += 16) {
    v128.store(at, v128.xor(v128.load(at), v128.load(at, AREA)));
  }
}
