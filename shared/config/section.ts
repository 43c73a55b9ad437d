/**
 * Makes sections of the configuration: objects that allow only known keys. So a mistyped key is an error, and does not silently leave the
 * default in place.
 *
 * @module
 */

import * as v from 'valibot'
import { closest } from '#shared/closest.ts'

/**
 * Makes a strict object.
 *
 * @returns a schema that refuses an unknown key. Its message suggests the known name that the key resembles, or lists all known names.
 */
export function section<const Entries extends v.ObjectEntries>(entries: Entries) {
  const known = Object.keys(entries)
  return v.strictObject(entries, (issue) => {
    if (issue.expected === 'never') return unknownSetting(String(issue.input), known)
    return issue.expected?.startsWith('"') === true ? 'this setting is required' : issue.message
  })
}

function unknownSetting(name: string, known: readonly string[]): string {
  const meant = closest(name, known)
  const hint = meant === undefined ? `known are ${known.join(', ')}` : `did you mean "${meant}"?`
  return `there is no setting "${name}" here: ${hint}`
}
