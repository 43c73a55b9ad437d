/**
 * `Vary` (RFC 9110 §12.5.5): which headers of a request an answer depends on.
 *
 * @module
 */

import type { Answer } from '#shared/handler.ts'

/** Headers whose `Vary` names more fields of the request. */
export function addVary(headers: Answer['headers'], ...names: readonly string[]): Answer['headers'] {
  const { vary = '' } = headers
  const known = vary.split(',').flatMap((name) => name.trim() || [])
  const has = (name: string): boolean => known.some((one) => one.toLowerCase() === name.toLowerCase())
  return { ...headers, vary: [...known, ...names.filter((name) => !has(name))].join(', ') }
}
