/** How many single edits (insert, delete, replace, swap of neighbours) turn `a` into `b`, ignoring case. */
export function editDistance(a: string, b: string): number {
  const from = a.toLowerCase();
  const to = b.toLowerCase();
  const rows: number[][] = Array.from({ length: from.length + 1 }, (_, row) => [row]);
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Number.POSITIVE_INFINITY;
  for (let column = 1; column <= to.length; column++) rows[0]?.push(column);
  for (let row = 1; row <= from.length; row++) {
    for (let column = 1; column <= to.length; column++) {
      const replace = from[row - 1] === to[column - 1] ? 0 : 1;
      let least = Math.min(at(row - 1, column) + 1, at(row, column - 1) + 1, at(row - 1, column - 1) + replace);
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) least = Math.min(least, at(row - 2, column - 2) + 1);
      rows[row]?.push(least);
    }
  }
  return at(from.length, to.length);
}

/** The candidate that was most likely meant, or undefined when none is near. Ties go to the first. */
export function nearest(written: string, candidates: readonly string[]): string | undefined {
  const tolerated = Math.max(1, Math.floor(written.length / 3));
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(written, candidate);
    if (distance <= tolerated && distance < (best?.distance ?? Number.POSITIVE_INFINITY)) best = { candidate, distance };
  }
  return best?.candidate;
}

/** ": did you mean `paths`?", or a list of what is possible, or nothing when there is nothing to choose from. */
export function suggestion(written: string, candidates: readonly string[], quote = "`"): string {
  const meant = nearest(written, candidates);
  if (meant !== undefined) return `: did you mean ${quote}${meant}${quote}?`;
  return candidates.length === 0 ? "" : `: possible are ${candidates.map((name) => `${quote}${name}${quote}`).join(", ")}`;
}
