/**
 * Objects of a configuration whose members are all known: a misspelled member is refused with what was probably meant.
 *
 * @module
 */

import * as v from 'valibot'

import { closest } from '#shared/closest.ts'

/** Longest part of a wrong name that is shown. */
const MAX_SHOWN_LENGTH = 64

/** A valibot object without other members than `entries`. */
export function strictSection<const Entries extends v.ObjectEntries>(entries: Entries) {
  return v.strictObject(entries, (issue) => {
    const name = issue.path?.at(-1)?.key
    if (typeof name !== 'string') return 'It must be a mapping'
    if (issue.expected !== 'never') return `"${name}" is missing`
    return unknownMember(name, Object.keys(entries))
  })
}

/** Why a member cannot be used, and what to do. */
export function unknownMember(name: string, known: readonly string[]): string {
  const meant = closest(name, known)
  const hint = meant === undefined ? `use ${known.join(', ')}` : `did you mean "${meant}"?`
  return `"${name.slice(0, MAX_SHOWN_LENGTH)}" is not known here: ${hint}`
}
