/**
 * NumPy's `.npy` files, format version 1.0, C order, two dimensions
 * (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). The header has always 128 bytes, so a
 * changed number of rows moves no data, and rows stay where the repository's chunks expect them.
 */
import { damaged } from "./damaged.ts";
import { elementBytes } from "./value.ts";
import type { ElementType } from "./value.ts";

export interface Matrix {
  readonly type: ElementType;
  readonly rows: number;
  readonly columns: number;
}

const magic = Buffer.from("\x93NUMPY\x01\x00", "latin1");
const headerBytes = 128;
const descriptions = { f4: "<f4", f8: "<f8", f2: "<f2", u1: "|u1", i1: "|i1" } as const;

/** The first 128 bytes of a file. */
export function npyHeader({ type, rows, columns }: Matrix): Buffer {
  const header = Buffer.alloc(headerBytes, " ");
  magic.copy(header);
  header.writeUInt16LE(headerBytes - 10, 8);
  header.write(
    `{'descr': '${descriptions[type]}', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`,
    10,
    "latin1",
  );
  header[headerBytes - 1] = 0x0a;
  return header;
}

/** A whole file. Rejects when the rows are not as many as the header says: a short file must not be stored. */
export async function* npyFile(matrix: Matrix, rows: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield npyHeader(matrix);
  const expected = matrix.rows * matrix.columns * elementBytes[matrix.type];
  let written = 0;
  for await (const piece of rows) {
    written += piece.length;
    yield piece;
  }
  if (written !== expected) {
    throw new RangeError(`${written} bytes of vectors were given for ${expected}`);
  }
}

/** Reads a file from front to back. `DUMP_DAMAGED` for whatever is not such a file. */
export class NpyReader implements AsyncDisposable {
  readonly matrix: Matrix;
  readonly #file: string;
  readonly #source: AsyncIterator<Uint8Array>;
  #buffer: Buffer;
  #at = 0;

  private constructor(file: string, source: AsyncIterator<Uint8Array>, matrix: Matrix, buffer: Buffer) {
    this.#file = file;
    this.#source = source;
    this.matrix = matrix;
    this.#buffer = buffer;
  }

  /** Reads the header. */
  static async open(file: string, bytes: AsyncIterable<Uint8Array>): Promise<NpyReader> {
    const source = bytes[Symbol.asyncIterator]();
    let start: Buffer = Buffer.alloc(0);
    async function has(count: number): Promise<void> {
      while (start.length < count) {
        const next = await source.next();
        if (next.done === true) throw damaged(file, "it ends within its header");
        start = Buffer.concat([start, next.value]);
      }
    }
    await has(10);
    if (!start.subarray(0, magic.length).equals(magic))
      throw damaged(file, "it is no .npy file of version 1.0");
    const length = 10 + start.readUInt16LE(8);
    await has(length);
    const matrix = parseHeader(start.toString("latin1", 10, length));
    if (!matrix) throw damaged(file, "its header is not one that memkeep writes");
    return new NpyReader(file, source, matrix, start.subarray(length));
  }

  /** The next bytes, in a buffer that nobody else changes; a promise only when more must be read. */
  take(count: number): Buffer | Promise<Buffer> {
    if (this.#buffer.length - this.#at < count) return this.#takeSlowly(count);
    const taken = this.#buffer.subarray(this.#at, this.#at + count);
    this.#at += count;
    return taken;
  }

  async #takeSlowly(count: number): Promise<Buffer> {
    const parts = [this.#buffer.subarray(this.#at)];
    let have = parts[0]!.length;
    while (have < count) {
      const next = await this.#source.next();
      if (next.done === true) throw damaged(this.#file, "it has fewer rows than the records name");
      const copy = Buffer.from(next.value);
      parts.push(copy);
      have += copy.length;
    }
    this.#buffer = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    this.#at = count;
    return this.#buffer.subarray(0, count);
  }

  /** Rejects when rows are left over, or bytes behind them. */
  async expectEnd(): Promise<void> {
    let left = this.#buffer.length - this.#at;
    while (left === 0) {
      const next = await this.#source.next();
      if (next.done === true) return;
      left = next.value.length;
    }
    throw damaged(this.#file, "it has more rows than the records name");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.();
  }
}

const headerPattern =
  /^\{'descr': '(?:[<|])(f4|f8|f2|u1|i1)', 'fortran_order': False, 'shape': \((\d{1,15}), (\d{1,9})\), \} *\n$/;

function parseHeader(text: string): Matrix | undefined {
  const match = headerPattern.exec(text);
  if (!match) return undefined;
  return { type: match[1] as ElementType, rows: Number(match[2]), columns: Number(match[3]) };
}
