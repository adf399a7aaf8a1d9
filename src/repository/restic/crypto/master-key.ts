/**
 * The master key of a repository: what every file in it, except the key files, is sealed with. A key file holds
 * it sealed with a key made from the password; see `key-file.ts`.
 */
import { randomBytes } from "node:crypto";
import { MemkeepError } from "../../../domain/errors.ts";

/** Key material. Never logged, never part of an error. */
export interface MasterKey {
  /** AES-256 key, 32 bytes. */
  readonly encrypt: Uint8Array;
  /** AES-128 key of Poly1305-AES, 16 bytes. */
  readonly macK: Uint8Array;
  /** The r of Poly1305-AES, 16 bytes. Not clamped: current restic stores it as it is, and Poly1305 clamps it. */
  readonly macR: Uint8Array;
}

/** A new random master key. */
export function generateMasterKey(): MasterKey {
  return masterKeyOf(randomBytes(64));
}

/** Splits 64 bytes, as scrypt gives them, into the three parts in restic's order: encrypt, k, r. */
export function masterKeyOf(bytes: Uint8Array): MasterKey {
  return { encrypt: bytes.subarray(0, 32), macK: bytes.subarray(32, 48), macR: bytes.subarray(48, 64) };
}

/** The JSON that a key file holds sealed: `{"mac":{"k":…,"r":…},"encrypt":…}`, standard base64. */
export function encodeMasterKey(key: MasterKey): Buffer {
  const mac = { k: base64(key.macK), r: base64(key.macR) };
  return Buffer.from(JSON.stringify({ mac, encrypt: base64(key.encrypt) }));
}

/** The reverse. Throws `REPOSITORY_DAMAGED` for anything but three parts of the right length that are not all zero. */
export function decodeMasterKey(bytes: Uint8Array): MasterKey {
  const parsed = parseObject(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
  const mac: unknown = parsed === undefined ? undefined : Reflect.get(parsed, "mac");
  return {
    encrypt: part(parsed, "encrypt", 32),
    macK: part(mac, "k", 16),
    macR: part(mac, "r", 16),
  };
}

function parseObject(text: string): object | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged("it is not JSON"); // without the cause: its message quotes the text, which holds the key
  }
  return typeof value === "object" && value !== null ? value : undefined;
}

function part(holder: unknown, name: string, sizeBytes: number): Uint8Array {
  const text: unknown = typeof holder === "object" && holder !== null ? Reflect.get(holder, name) : undefined;
  const bytes = typeof text === "string" ? Buffer.from(text, "base64") : undefined;
  if (bytes?.length !== sizeBytes) throw damaged(`its part "${name}" does not have ${sizeBytes} bytes`);
  if (bytes.every((byte) => byte === 0)) throw damaged(`its part "${name}" is all zero`);
  return bytes;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function damaged(happened: string): MemkeepError {
  return new MemkeepError("REPOSITORY_DAMAGED", { tried: "read the master key of the repository", happened });
}
