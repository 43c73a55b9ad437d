/**
 * A section of the configuration: an object whose every key is known, so that a mistyped one is not silently a default.
 *
 * @module
 */

import * as v from 'valibot'
import { closest } from '#shared/closest.ts'

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
  const meant = closest(name, known)
  const hint = meant === undefined ? `known are ${known.join(', ')}` : `did you mean "${meant}"?`
  return `there is no setting "${name}" here: ${hint}`
}
