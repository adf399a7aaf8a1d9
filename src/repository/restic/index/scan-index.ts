/**
 * A scan of the one form in which restic and memkeep print index files. `JSON.parse` would make six objects and
 * strings a blob: for a million blobs that is seconds and hundreds of megabytes.
 */
import type { BlobIndex } from "./blob-index.ts";

const blobKey = Buffer.from('{"id":"');
const packsKey = Buffer.from('{"packs":[');
const typeKey = Buffer.from('","type":"');
const offsetKey = Buffer.from(',"offset":');
const lengthKey = Buffer.from(',"length":');
const uncompressedKey = Buffer.from(',"uncompressed_length":');
const blobsKey = Buffer.from('","blobs":[');
const dataWord = Buffer.from('data"');
const treeWord = Buffer.from('tree"');

const comma = 0x2c;
const bracket = 0x5d;
const brace = 0x7d;

interface Cursor {
  at: number;
}

interface ScannedBlob {
  readonly id: Buffer;
  type: "data" | "tree";
  pack: number;
  offset: number;
  length: number;
  uncompressedLength: number;
}

/**
 * Adds blobs until the end, or until the first byte that is not in this form. `blobs` says how many were added, in the
 * file's order, so that another reader can go on behind them.
 */
export function scanIndex(json: Buffer, index: BlobIndex): { complete: boolean; blobs: number } {
  const before = index.size;
  const complete = walk(json, index);
  return { complete, blobs: index.size - before };
}

function walk(json: Buffer, index: BlobIndex): boolean {
  const cursor: Cursor = { at: 0 };
  const blob: ScannedBlob = {
    id: Buffer.alloc(32),
    type: "data",
    pack: 0,
    offset: 0,
    length: 0,
    uncompressedLength: 0,
  };
  if (!skip(json, cursor, packsKey)) return false;
  if (json[cursor.at] === bracket) return true;
  for (;;) {
    if (!skip(json, cursor, blobKey)) return false;
    const id = json.toString("latin1", cursor.at, cursor.at + 64);
    if (!/^[0-9a-f]{64}$/.test(id)) return false;
    cursor.at += 64;
    if (!skip(json, cursor, blobsKey)) return false;
    blob.pack = index.packNumber(id);
    while (json[cursor.at] !== bracket) {
      if (!readBlob(json, cursor, blob)) return false;
      index.add(blob.id, 0, blob.type, blob);
      if (json[cursor.at] === comma) cursor.at++;
      else if (json[cursor.at] !== bracket) return false;
    }
    cursor.at++;
    if (json[cursor.at++] !== brace) return false;
    const next = json[cursor.at++];
    if (next === bracket) return json[cursor.at] === brace;
    if (next !== comma) return false;
  }
}

function readBlob(json: Buffer, cursor: Cursor, blob: ScannedBlob): boolean {
  if (!skip(json, cursor, blobKey)) return false;
  if (!readId(json, cursor.at, blob.id)) return false;
  cursor.at += 64;
  if (!skip(json, cursor, typeKey)) return false;
  if (skip(json, cursor, dataWord)) blob.type = "data";
  else if (skip(json, cursor, treeWord)) blob.type = "tree";
  else return false;
  if (!skip(json, cursor, offsetKey)) return false;
  blob.offset = readNumber(json, cursor);
  if (!skip(json, cursor, lengthKey)) return false;
  blob.length = readNumber(json, cursor);
  blob.uncompressedLength = skip(json, cursor, uncompressedKey) ? readNumber(json, cursor) : 0;
  return json[cursor.at++] === brace;
}

function skip(json: Buffer, cursor: Cursor, word: Buffer): boolean {
  for (let index = 0; index < word.length; index++) {
    if (json[cursor.at + index] !== word[index]) return false;
  }
  cursor.at += word.length;
  return true;
}

function readNumber(json: Buffer, cursor: Cursor): number {
  let value = 0;
  for (;;) {
    const digit = json[cursor.at]! - 0x30;
    if (!(digit >= 0 && digit <= 9)) return value;
    value = value * 10 + digit;
    cursor.at++;
  }
}

function readId(json: Buffer, at: number, id: Buffer): boolean {
  for (let byte = 0; byte < 32; byte++) {
    const high = hexDigit(json[at + byte * 2]!);
    const low = hexDigit(json[at + byte * 2 + 1]!);
    if (high < 0 || low < 0) return false;
    id[byte] = (high << 4) | low;
  }
  return true;
}

function hexDigit(character: number): number {
  if (character >= 0x30 && character <= 0x39) return character - 0x30;
  return character >= 0x61 && character <= 0x66 ? character - 0x57 : -1;
}
