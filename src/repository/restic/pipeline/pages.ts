/**
 * Large memory that goes back to the system when it is given back. What was `malloc`ed often stays with the process: glibc takes
 * a piece of up to 32 MB for one to be kept once such a piece was freed (law 11). V8 maps the pages of a resizable buffer by
 * itself. Its bytes are slower to read one by one from JavaScript: for memory that native code works on.
 */
export function takePages(lengthBytes: number): Buffer<ArrayBuffer> {
  return Buffer.from(new ArrayBuffer(lengthBytes, { maxByteLength: lengthBytes }));
}

/** Nobody may use it afterwards: it has no bytes any more. */
export function givePagesBack(pages: Buffer<ArrayBuffer>): void {
  pages.buffer.transferToFixedLength(0);
}
