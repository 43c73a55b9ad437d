/**
 * The fence around everything that an admin deletes: it may delete only keys under the configured roots, and no internal key of ours.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { INTERNAL_PREFIX } from '#shared/journal/journal.ts'

/** A root is a path of at least one name, with a slash at both ends. */
const ROOT = /^(?:\/[^/\s\p{Cc}]+)+\/$/u

/** @returns whether a key may be deleted */
export type Fence = (key: string) => boolean

/**
 * The reason why a text is not a valid root; `undefined` when it is valid. `/` and the empty text would be the whole store.
 */
export function whyNoRoot(root: string): string | undefined {
  if (root === '' || root === '/')
    return 'it would be the whole store: name the folders to clean, such as /ec/diss/'
  if (!ROOT.test(root)) return 'it must begin and end with a slash, such as /ec/diss/'
  if (root.split('/').some((part) => part === '.' || part === '..')) return 'it must not contain . or ..'
  if (root.startsWith(INTERNAL_PREFIX)) return `everything under ${INTERNAL_PREFIX} belongs to the services`
  return undefined
}

/**
 * Makes a fence from roots.
 *
 * @throws {AvisoError} `ERR_CONFIG` when there are no roots, or one is not valid.
 */
export function createFence(roots: readonly string[]): Fence {
  if (roots.length === 0)
    throw new AvisoError('ERR_CONFIG', 'Nothing can be cleaned without roots: name the folders to clean')
  for (const root of roots) {
    const reason = whyNoRoot(root)
    if (reason !== undefined) throw new AvisoError('ERR_CONFIG', `"${root}" is not a valid root: ${reason}`)
  }
  return (key) =>
    !key.startsWith(INTERNAL_PREFIX) && roots.some((root) => key.length > root.length && key.startsWith(root))
}
