/**
 * "Did you mean …?"
 *
 * @module
 */

/** A word may differ from what was meant by one letter in three. */
const LETTERS_PER_MISTAKE = 3

/** @returns The candidate that `word` is most likely a misspelling of; `undefined` where none is close. */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let fewest = Math.floor(word.length / LETTERS_PER_MISTAKE) + 1
  for (const candidate of candidates) {
    const mistakes = distance(word, candidate)
    if (mistakes >= fewest) continue
    fewest = mistakes
    best = candidate
  }
  return best
}

/** What was most likely meant: `did you mean "flight"?`, or what there is: `known are flight, mars`. */
export function hint(word: string, known: Iterable<string>): string {
  const names = [...new Set(known)]
  const meant = closest(word, names)
  if (meant !== undefined) return `did you mean "${meant}"?`
  return names.length === 0 ? 'there is none' : `known are ${names.toSorted().join(', ')}`
}

/** @returns How many letters must be put in, left out, replaced, or swapped with their neighbour to make `b` of `a`. */
export function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)]
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Infinity
  for (let row = 1; row <= a.length; row++) {
    rows.push([row])
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1]
      const isSwapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      rows[row]?.push(
        Math.min(
          at(row - 1, column) + 1,
          at(row, column - 1) + 1,
          at(row - 1, column - 1) + (isSame ? 0 : 1),
          isSwapped ? at(row - 2, column - 2) + 1 : Infinity,
        ),
      )
    }
  }
  return at(a.length, b.length)
}
