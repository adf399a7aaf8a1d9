/** Lines of text to chunks of bytes and back, with memory for one chunk and one line. */
import { isUtf8 } from "node:buffer";
import { damaged } from "./damaged.ts";

const chunkBytes = 1024 * 1024;
/** Longest line that is read; a JavaScript string could not hold twice as much. */
const maxLineBytes = 256 * 1024 * 1024;
const newline = 0x0a;

/** Collects lines into chunks of at least 1 MiB, one after another in the same memory. */
export class LineChunks {
  #chunk: Buffer = Buffer.allocUnsafeSlow(chunkBytes + 64 * 1024);
  #length = 0;

  /** Adds a line without its newline. */
  add(line: string | Uint8Array): void {
    // No UTF-16 unit needs more than three bytes.
    const most = (typeof line === "string" ? line.length * 3 : line.length) + 1;
    if (this.#length + most > this.#chunk.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.#chunk.length * 2, this.#length + most));
      this.#chunk.copy(grown, 0, 0, this.#length);
      this.#chunk = grown;
    }
    if (typeof line === "string") {
      this.#length += this.#chunk.write(line, this.#length, "utf8");
    } else {
      this.#chunk.set(line, this.#length);
      this.#length += line.length;
    }
    this.#chunk[this.#length++] = newline;
  }

  get isFull(): boolean {
    return this.#length >= chunkBytes;
  }

  /** What has been collected, good until the next line is added; begins a new chunk. */
  take(): Buffer {
    const taken = this.#chunk.subarray(0, this.#length);
    this.#length = 0;
    return taken;
  }
}

/**
 * The lines of a file, without their newlines, in batches. `DUMP_DAMAGED` for bytes that are not UTF-8, an empty line,
 * a last line without newline, and a line of more than 256 MiB.
 */
export async function* readLines(
  bytes: AsyncIterable<Uint8Array>,
  file: string,
): AsyncGenerator<readonly string[]> {
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  for await (const piece of bytes) {
    const last = piece.lastIndexOf(newline);
    if (last < 0) {
      rest.push(Buffer.from(piece));
      restBytes += piece.length;
      if (restBytes > maxLineBytes) throw damaged(file, `a line is longer than ${maxLineBytes} bytes`);
      continue;
    }
    const head = piece.subarray(0, last);
    const whole = rest.length === 0 ? toBuffer(head) : Buffer.concat([...rest, head]);
    if (!isUtf8(whole)) throw damaged(file, "it has bytes that are not UTF-8");
    const lines = whole.toString("utf8").split("\n");
    if (lines.includes("")) throw damaged(file, "it has an empty line");
    yield lines;
    // The source may use its buffer again.
    rest = last + 1 < piece.length ? [Buffer.from(piece.subarray(last + 1))] : [];
    restBytes = piece.length - last - 1;
  }
  if (restBytes > 0) throw damaged(file, "its last line has no end");
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
