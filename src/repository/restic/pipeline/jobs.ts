/**
 * What the main thread asks of the workers. Bytes travel in shared memory; messages hold only places in it.
 */

/** Chunks of one slab: chunk `i` ends before `ends[i]` and begins where the one before it ends. */
export interface Chunks {
  readonly input: SharedArrayBuffer;
  readonly ends: Uint32Array;
}

/** SHA-256 of every chunk into `ids`, 32 bytes each. */
export interface HashJob extends Chunks {
  readonly op: "hash";
  readonly ids: SharedArrayBuffer;
}

/**
 * Adds the slab's first `length` bytes to the SHA-256 of a whole file. All jobs of one `stream` go to one worker, in
 * order. With `final` the answer is the digest.
 */
export interface DigestJob {
  readonly op: "digest";
  readonly stream: number;
  readonly input: SharedArrayBuffer;
  readonly length: number;
  readonly final: boolean;
}

/**
 * Compresses the chunks that any target wants, once, and seals them per target. `wanted[i]` has bit `t` set where
 * target `t` lacks chunk `i`. Target `t`'s sealed chunks stand one after another in `outputs[t]`.
 */
export interface SealJob extends Chunks {
  readonly op: "seal";
  readonly wanted: Uint8Array;
  readonly level: number;
  /** The number of each target's key. */
  readonly keys: readonly number[];
  readonly outputs: readonly SharedArrayBuffer[];
}

export interface SealAnswer {
  /** Sealed length of each wanted chunk, 0 for the others. The same for every target. */
  readonly lengths: Uint32Array;
  /** 1 where the chunk was compressed. */
  readonly compressed: Uint8Array;
}

/**
 * Opens sealed blobs: checks the MAC, unpacks, and checks the SHA-256 against `ids`. `places` holds four numbers a
 * blob: offset and length in `input`, uncompressed length (0: stored as it is), offset in `output`.
 */
export interface OpenJob {
  readonly op: "open";
  readonly key: number;
  readonly input: SharedArrayBuffer;
  readonly places: Uint32Array;
  readonly ids: Uint8Array;
  /** Undefined when the blobs are only to be checked. */
  readonly output: SharedArrayBuffer | undefined;
  /** Seals each sound blob anew with the key of this number, in its place in `input`; compressed as it is. */
  readonly sealWith?: number;
}

export interface OpenAnswer {
  /** Numbers of the blobs that are not what they should be. */
  readonly damaged: readonly number[];
}

/** Reads a whole pack against its name and its own header; gives the header and what is damaged in it. */
export interface VerifyPackJob {
  readonly op: "verify-pack";
  readonly key: number;
  readonly input: SharedArrayBuffer;
  readonly length: number;
}

export interface VerifyPackAnswer {
  readonly sha256: string;
  /** The plain header, or undefined when it cannot be opened or does not describe the whole file. */
  readonly header: Uint8Array | undefined;
  /** Numbers of the header's entries whose blob is damaged. */
  readonly damaged: readonly number[];
}

export type Job = HashJob | DigestJob | SealJob | OpenJob | VerifyPackJob;

/** The answer to each job. */
export interface Answers {
  hash: undefined;
  digest: string | undefined;
  seal: SealAnswer;
  open: OpenAnswer;
  "verify-pack": VerifyPackAnswer;
}
