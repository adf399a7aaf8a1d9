/** Memories of an agent that does not exist: the same every time, with words as common as in real text. */

/** xorshift32. Its quality does not matter, that it repeats does. */
export function randomSource(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const syllables = "ka lo mi ren su tor vel an du fe gra hi jo kel ni ost pra qui sen tu".split(" ");
const vocabulary = Array.from({ length: 6000 }, (_, n) => {
  const next = randomSource(n + 7);
  return Array.from({ length: 1 + Math.floor(next() * 4) }, () => syllables[Math.floor(next() * 20)]!).join(
    "",
  );
});

export interface Memory {
  readonly id: string;
  readonly content: string;
  readonly tags: readonly string[];
  readonly score: number;
  readonly updatedAt: string;
}

/** Memory `number`; with `changed` it has another score and time, as after it was recalled. */
export function memoryOf(number: number, changed: boolean): Memory {
  const next = randomSource(number * 2_654_435_761);
  const hex = (digits: number): string =>
    Math.floor(next() * 16 ** digits)
      .toString(16)
      .padStart(digits, "0");
  const id = `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(8)}${hex(4)}`;
  const words = 40 + Math.floor(next() * 60);
  const content = Array.from({ length: words }, () => vocabulary[Math.floor(6000 * next() ** 3)]!).join(" ");
  const tags = Array.from({ length: 3 }, () => vocabulary[Math.floor(next() * 200)]!);
  const score = (changed ? randomSource(number + 99)() : next()).toFixed(6);
  const day = changed ? 27 : 1 + Math.floor(next() * 26);
  return {
    id,
    content,
    tags,
    score: Number(score),
    updatedAt: `2026-10-${String(day).padStart(2, "0")}T08:15:00Z`,
  };
}

/** An embedding of 384 dimensions. */
export function embeddingOf(number: number, changed: boolean): Float32Array {
  const next = randomSource(number * 40_503 + (changed ? 13 : 1));
  return Float32Array.from({ length: 384 }, () => (next() + next() + next() - 1.5) * 0.1);
}
