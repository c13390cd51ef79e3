/** How many letters must be put in, left out, changed or swapped to make one word of the other. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let row = 1; row <= a.length; row++) {
    const next = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let least = Math.min((last[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1, (last[column - 1] ?? 0) + (same ? 0 : 1));
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1])
        least = Math.min(least, (before[column - 2] ?? 0) + 1);
      next.push(least);
    }
    before = last;
    last = next;
  }
  return last[b.length] ?? 0;
}

/** The known word that somebody may have meant who wrote this one; undefined when none is near. */
export function suggest(word: string, known: readonly string[]): string | undefined {
  const near = known
    .map((name) => ({ name, distance: name.startsWith(word) && word.length > 1 ? 0 : distance(word, name) }))
    .filter((one) => one.distance <= Math.min(2, Math.floor(word.length / 3)));
  near.sort((a, b) => a.distance - b.distance || a.name.length - b.name.length);
  return near[0]?.name;
}
