/**
 * Gives one stream to several readers, which go in step: the next piece is asked for when every reader has asked for it, so a
 * piece's memory may be used again by the source as it may with one reader, and nothing is kept for a slow one.
 */

interface Waiting {
  resolve(result: IteratorResult<Uint8Array>): void;
  reject(error: unknown): void;
}

/** A reader that leaves (`return`) does not hold the others up. An error of the source reaches all. */
export function splitStream(
  source: AsyncIterable<Uint8Array>,
  readers: number,
): readonly AsyncIterable<Uint8Array>[] {
  const pieces = source[Symbol.asyncIterator]();
  let reading = readers;
  let waiting: Waiting[] = [];

  function pullWhenAllWait(): void {
    if (waiting.length < reading || reading === 0) return;
    const all = waiting;
    waiting = [];
    pieces.next().then(
      (result) => all.forEach((reader) => reader.resolve(result)),
      (error: unknown) => all.forEach((reader) => reader.reject(error)),
    );
  }

  function reader(): AsyncIterator<Uint8Array> {
    return {
      next: () =>
        new Promise((resolve, reject) => {
          waiting.push({ resolve, reject });
          pullWhenAllWait();
        }),
      return: async () => {
        reading--;
        if (reading === 0) await pieces.return?.();
        else pullWhenAllWait();
        return { done: true, value: undefined };
      },
    };
  }

  return Array.from({ length: readers }, () => ({ [Symbol.asyncIterator]: reader }));
}
