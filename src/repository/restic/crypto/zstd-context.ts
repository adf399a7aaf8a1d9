/**
 * A zstd context that is used again for each blob. Node documents no such thing for synchronous use: its one-shot
 * functions make a new context for each call, which for 16 KiB costs as much as the work (measured: compression
 * 1.3–2 times as fast with one context, decompression 2–5 times; documented streams, being asynchronous, are
 * slower than one-shot). So this reaches for the handle inside Node's stream object, on the versions of Node where
 * that was tried, after a test on itself; elsewhere there is no context, and the callers use the one-shot functions.
 */
import {
  constants,
  createZstdCompress,
  createZstdDecompress,
  zstdCompressSync,
  zstdDecompressSync,
} from "node:zlib";
import type { Transform } from "node:stream";

/**
 * Major versions of Node whose handle is as expected. A wrong call could end the process rather than throw, so
 * an unknown version is never tried. To add one, run the tests of this folder on it.
 */
const provenNodeVersions: ReadonlySet<string> = new Set(["24"]);

export interface ZstdContext {
  /**
   * Compresses or decompresses `input` into `output` from `outputOffset`, at most `room` bytes, and returns how
   * many it wrote. Returns -1 when it failed or did not use up the input: the content of `output` is then
   * undefined, and the context is spent; take a new one.
   */
  run(input: Uint8Array, output: Uint8Array, outputOffset: number, room: number): number;
}

interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void;
}

/** A context that compresses, or undefined where Node is not as expected. */
export function openCompressContext(level: number): ZstdContext | undefined {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  const contentOf = (frame: Buffer): Buffer => zstdDecompressSync(frame, { maxOutputLength: sample.length });
  return openContext(() => createZstdCompress({ params, chunkSize: 64 }), sample, contentOf);
}

/** A context that decompresses, or undefined where Node is not as expected. */
export function openDecompressContext(): ZstdContext | undefined {
  return openContext(
    () => createZstdDecompress({ chunkSize: 64 }),
    zstdCompressSync(sample),
    (content) => content,
  );
}

const sample = Buffer.from("a sample for the test that a context makes of itself. ".repeat(4));

function openContext(
  create: () => Transform,
  input: Buffer,
  contentOf: (output: Buffer) => Buffer,
): ZstdContext | undefined {
  const version = process.versions.node.split(".", 1)[0]!;
  if (!provenNodeVersions.has(version)) return undefined;
  const context = contextOf(create());
  const output = Buffer.alloc(sample.length * 2);
  // Twice: the second use shows that the first left the context ready.
  for (let use = 0; use < 2; use++) {
    const length = context?.run(input, output, 0, output.length) ?? -1;
    if (length < 0 || !contentOf(output.subarray(0, length)).equals(sample)) return undefined;
  }
  return context;
}

function contextOf(stream: Transform): ZstdContext | undefined {
  const foundHandle: unknown = Reflect.get(stream, "_handle");
  const foundState: unknown = Reflect.get(stream, "_writeState");
  if (!isHandle(foundHandle) || !(foundState instanceof Uint32Array) || foundState.length !== 2)
    return undefined;
  const handle = foundHandle;
  const state = foundState; // room left in the output, and input left
  let failed = false;
  stream.on("error", () => {
    failed = true; // told by the return value of `run`; without a listener Node would throw it again
  });
  const leftOver = 0xffff_ffff;

  function run(input: Uint8Array, output: Uint8Array, outputOffset: number, room: number): number {
    if (failed || stream.destroyed) return -1; // a call on a closed handle would end the process
    state[0] = leftOver;
    state[1] = leftOver;
    handle.writeSync(constants.ZSTD_e_end, input, 0, input.length, output, outputOffset, room);
    if (stream.destroyed || state[1] !== 0 || state[0] > room) {
      failed = true;
      stream.destroy();
      return -1;
    }
    return room - state[0];
  }

  return { run };
}

function isHandle(value: unknown): value is Handle {
  if (typeof value !== "object" || value === null) return false;
  const method: unknown = Reflect.get(value, "writeSync");
  return typeof method === "function";
}
