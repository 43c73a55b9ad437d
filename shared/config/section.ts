/**
 * A section of the configuration: an object whose every key is known, so that a mistyped one is not silently a default.
 *
 * @module
 */

import * as v from 'valibot'

/** A name is a likely typo of another while at most this share of its characters differs: two of "heartbeatSeconds" do, all of "port" do not. */
const TYPO_SHARE = 1 / 4

/**
 * A strict object.
 *
 * @returns a schema that refuses an unknown key with the known name that it resembles, or else with every known name
 */
export function section<const Entries extends v.ObjectEntries>(entries: Entries) {
  const known = Object.keys(entries)
  return v.strictObject(entries, (issue) => {
    if (issue.expected === 'never') return unknownSetting(String(issue.input), known)
    return issue.expected?.startsWith('"') === true ? 'this setting is required' : issue.message
  })
}

function unknownSetting(name: string, known: readonly string[]): string {
  const meant = nearest(name, known)
  const hint = meant === undefined ? `known are ${known.join(', ')}` : `did you mean "${meant}"?`
  return `there is no setting "${name}" here: ${hint}`
}

/** @returns the known name that `name` is most likely a typo of, or `undefined` where it resembles none */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)
  const [best] = ranked
  const isTypo = best !== undefined && best.distance <= Math.max(1, best.candidate.length * TYPO_SHARE)
  return isTypo ? best.candidate : undefined
}

/**
 * @returns how many slips turn one text into the other: a character too many, too few, another one, or two neighbours swapped (optimal
 *   string alignment)
 */
function editDistance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, index) => index)]
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Infinity
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    rows.push(row)
    for (let j = 1; j <= to.length; j++) {
      const other = at(i - 1, j - 1) + (from[i - 1] === to[j - 1] ? 0 : 1)
      const isSwap = from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      const swapped = isSwap ? at(i - 2, j - 2) + 1 : Infinity
      row.push(Math.min(other, swapped, at(i - 1, j) + 1, at(i, j - 1) + 1))
    }
  }
  return at(from.length, to.length)
}
