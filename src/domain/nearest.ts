/** The known name that somebody who wrote another most likely meant. */

/** The nearest of `known` by edits (a swap of two neighbours counts as one), or undefined when none is near enough. */
export function nearestName(written: string, known: Iterable<string>): string | undefined {
  // Names from outside may be endless; nobody misspells that much.
  if (written.length > 64) return undefined;
  const folded = written.toLowerCase();
  let best: string | undefined;
  let bestEdits = Math.max(1, Math.floor(written.length * 0.4)) + 1;
  for (const name of known) {
    if (name === written) continue;
    const edits = editDistance(folded, name.toLowerCase());
    if (edits < bestEdits) {
      best = name;
      bestEdits = edits;
    }
  }
  return best;
}

/** Restricted Damerau-Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let edits = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, before[j - 2]! + 1);
      }
      row.push(edits);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length]!;
}
