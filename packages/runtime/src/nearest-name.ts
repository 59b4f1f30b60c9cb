/** Levenshtein distance: the least number of typing mistakes between two names. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, charA] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, charB] of [...b].entries()) {
      next.push(
        Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (charA === charB ? 0 : 1)),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
};

const MOST_MISTAKES = 3;

/** The known name that a mistyped one most likely meant, if any is near. */
export const nearestName = (name: string, known: readonly string[]): string | undefined =>
  known
    .map((candidate) => ({ candidate, far: distance(name, candidate) }))
    .filter(({ far }) => far <= MOST_MISTAKES)
    .sort((a, b) => a.far - b.far)[0]?.candidate;
