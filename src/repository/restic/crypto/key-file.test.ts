import { createCipheriv, hash, scryptSync } from "node:crypto";
import { poly1305 } from "@noble/ciphers/_poly1305.js";
import { expect, test } from "vitest";
import { isMemkeepError } from "../../../domain/errors.ts";
import { buildKeyFile, defaultScryptCost, openKeyFile } from "./key-file.ts";
import { decodeMasterKey, encodeMasterKey, generateMasterKey } from "./master-key.ts";

const label = { created: "2026-11-21T03:00:00.5Z", username: "memkeep", hostname: "host" };
const cheap = { N: 16, r: 8, p: 1 };

function base64Of(byte: number, length: number): string {
  return Buffer.alloc(length, byte).toString("base64");
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "none",
    (error: unknown) => (isMemkeepError(error) ? error.code : String(error)),
  );
}

test("a key file opens with its password only, and has restic's shape", async () => {
  const key = generateMasterKey();
  const file = await buildKeyFile(key, "pässword", label);
  expect(file.name).toBe(hash("sha256", file.bytes));
  const text = file.bytes.toString();
  expect(Object.keys(JSON.parse(text) as object)).toEqual(
    "created username hostname kdf N r p salt data".split(" "),
  );
  expect(text).toContain(`"kdf":"scrypt","N":${defaultScryptCost.N},"r":8,"p":3,"salt":"`);
  expect(encodeMasterKey(await openKeyFile(file.bytes, "pässword")).equals(encodeMasterKey(key))).toBe(true);
  expect(await codeOf(openKeyFile(file.bytes, "password"))).toBe("PASSWORD_WRONG");
});

test("opens a key file made by the book", async () => {
  const salt = Buffer.alloc(64, 3);
  const derived = scryptSync("geheim", salt, 64, { N: 32_768, r: 8, p: 1, maxmem: 2 ** 26 });
  const nonce = Buffer.alloc(16, 5);
  const plain = Buffer.from(
    `{"mac":{"k":"${base64Of(1, 16)}","r":"${base64Of(2, 16)}"},"encrypt":"${base64Of(4, 32)}"}`,
  );
  const sealed = createCipheriv("aes-256-ctr", derived.subarray(0, 32), nonce).update(plain);
  const pad = createCipheriv("aes-128-ecb", derived.subarray(32, 48), null)
    .setAutoPadding(false)
    .update(nonce);
  const tag = poly1305(sealed, Buffer.concat([derived.subarray(48), pad]));
  const file = {
    created: "2015-01-02T18:10:13.48307196+01:00",
    username: "fd0",
    hostname: "kasimir",
    kdf: "scrypt",
    N: 32_768,
    r: 8,
    p: 1,
    salt: salt.toString("base64"),
    data: Buffer.concat([nonce, sealed, tag]).toString("base64"),
    unknown: "fields of later versions do not matter",
  };
  const key = await openKeyFile(Buffer.from(JSON.stringify(file, null, 2)), "geheim");
  expect(encodeMasterKey(key).equals(plain)).toBe(true);
});

test("a key file that asks for too much, or for nonsense, is an error and not a crash", async () => {
  const { bytes } = await buildKeyFile(generateMasterKey(), "p", label, cheap);
  const fields = JSON.parse(bytes.toString()) as Record<string, unknown>;
  const changes: Record<string, unknown>[] = [
    { N: 2 ** 30 },
    { N: 2 ** 30, r: 1 },
    { r: 2 ** 30 },
    { p: 2 ** 30 },
    { N: 2 ** 19, r: 8, p: 1 }, // memory alone
    { N: 2 ** 15, r: 8, p: 2 ** 14 }, // time alone
    { N: Number.MAX_SAFE_INTEGER, r: Number.MAX_SAFE_INTEGER, p: Number.MAX_SAFE_INTEGER },
    { N: 1e300 },
    { N: 0 },
    { N: 1 },
    { N: 24 },
    { N: -16 },
    { N: 16.5 },
    { N: "16" },
    { r: 0 },
    { p: null },
    { kdf: "none" },
    { salt: "AAAA" },
    { salt: "*" },
    { data: 5 },
  ];
  for (const change of changes) {
    const changed = Buffer.from(JSON.stringify({ ...fields, ...change }));
    expect(await codeOf(openKeyFile(changed, "p")), JSON.stringify(change)).toBe("REPOSITORY_DAMAGED");
  }
  for (const text of ["", "null", "[]", "{", '"scrypt"']) {
    expect(await codeOf(openKeyFile(Buffer.from(text), "p"))).toBe("REPOSITORY_DAMAGED");
  }
  expect(await codeOf(openKeyFile(Buffer.from(JSON.stringify({ ...fields, data: "AAAA" })), "p"))).toBe(
    "PASSWORD_WRONG",
  );
});

test("master keys of a wrong shape are refused, without a word of what they hold", () => {
  const good = JSON.parse(encodeMasterKey(generateMasterKey()).toString()) as {
    mac: object;
    encrypt: string;
  };
  const bad = [
    "{}",
    "null",
    '"secret',
    JSON.stringify({ ...good, encrypt: "c2VjcmV0" }),
    JSON.stringify({ ...good, encrypt: Buffer.alloc(32).toString("base64") }),
    JSON.stringify({ ...good, mac: { ...good.mac, r: 7 } }),
  ];
  for (const text of bad) {
    let thrown: unknown;
    try {
      decodeMasterKey(Buffer.from(text));
    } catch (error) {
      thrown = error;
    }
    expect(isMemkeepError(thrown, "REPOSITORY_DAMAGED"), text).toBe(true);
    expect(`${String(thrown)} ${JSON.stringify(thrown)} ${String((thrown as Error).cause)}`).not.toContain(
      "secret",
    );
  }
});
