/** Reads a range of an entry into memory that is there, without a copy where the storage can do so. */
import type { Storage } from "../../../storages/storage.ts";

/** The range's bytes stand at the start of `target`. */
export async function readInto(
  storage: Storage,
  name: string,
  { offset, length }: { readonly offset: number; readonly length: number },
  target: ArrayBufferLike,
): Promise<void> {
  const room = Buffer.from(target, 0, length);
  const bytes = await storage.read(name, { offset, length }, room);
  if (bytes.buffer !== target) room.set(bytes);
}
