/**
 * Sealing and opening of one text too large to hold, in parts: the tree blob of a very large file can have a
 * hundred megabytes. The sealed form is that of `seal.ts`.
 */
import { type Cipheriv, createCipheriv, timingSafeEqual } from "node:crypto";
import { MemkeepError } from "../../../domain/errors.ts";
import type { MasterKey } from "./master-key.ts";
import { createNoncePool, nonceBytes } from "./nonce-pool.ts";
import { IncrementalTag } from "./poly1305.ts";

export interface SealStream {
  /** The next part of the sealed text; as long as `part`, except that the first has the nonce before it. */
  update(part: Uint8Array): Buffer;
  /** The end of the sealed text. Call it once, and nothing after it. */
  finish(): Buffer;
}

export interface OpenStream {
  /** First pass: takes the next part of the ciphertext into the tag. */
  authenticate(part: Uint8Array): void;
  /** Ends the first pass. Throws `REPOSITORY_DAMAGED` unless `tag` (16 bytes) is the text's own. */
  verify(tag: Uint8Array): void;
  /** Second pass: decrypts the next part. Throws before `verify` has succeeded: nothing unverified leaves. */
  decrypt(part: Uint8Array): Buffer;
}

/** Begins to seal. Other texts may be sealed between two parts. */
export function startSealing(key: MasterKey): SealStream {
  const nonce = Buffer.alloc(nonceBytes);
  createNoncePool().take(1, nonce, 0);
  const cipher = createCipheriv("aes-256-ctr", key.encrypt, nonce);
  const tag = new IncrementalTag(key.macR);
  let head = nonce;
  let finished = false;

  function update(part: Uint8Array): Buffer {
    if (finished) throw new TypeError("this text is already sealed");
    const text = cipher.update(part);
    tag.update(text);
    const result = head.length === 0 ? text : Buffer.concat([head, text]);
    head = Buffer.alloc(0);
    return result;
  }

  function finish(): Buffer {
    const last = update(Buffer.alloc(0));
    finished = true;
    return Buffer.concat([last, tag.finish(padOf(key, nonce))]);
  }

  return { update, finish };
}

/**
 * Begins to open. `nonce`: the first 16 bytes of the sealed text. The ciphertext, all but the first and last 16
 * bytes, is read twice: whole for the tag, and then again.
 */
export function startOpening(key: MasterKey, nonce: Uint8Array): OpenStream {
  const tag = new IncrementalTag(key.macR);
  let cipher: Cipheriv | undefined;

  function authenticate(part: Uint8Array): void {
    if (cipher !== undefined) throw new TypeError("this text is already verified");
    tag.update(part);
  }

  function verify(found: Uint8Array): void {
    const expected = tag.finish(padOf(key, nonce));
    if (found.length !== expected.length || !timingSafeEqual(expected, found)) {
      throw new MemkeepError("REPOSITORY_DAMAGED", {
        tried: "decrypt data of the repository",
        happened:
          "its authentication tag does not match: it was changed, cut short or sealed with another key",
      });
    }
    cipher = createCipheriv("aes-256-ctr", key.encrypt, nonce);
  }

  function decrypt(part: Uint8Array): Buffer {
    if (cipher === undefined) throw new TypeError("this text is not verified");
    return cipher.update(part);
  }

  return { authenticate, verify, decrypt };
}

/** What Poly1305-AES adds at the end: AES-128(k, nonce). */
function padOf(key: MasterKey, nonce: Uint8Array): Buffer {
  return createCipheriv("aes-128-ecb", key.macK, null).setAutoPadding(false).update(nonce);
}
