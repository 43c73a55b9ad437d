/**
 * The fence around everything that an admin deletes: no key outside the configured roots, none of our own.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { INTERNAL_PREFIX } from '#shared/journal/journal.ts'

/** Whether a text can be a root: a path of at least one name that begins and ends with a slash. */
const ROOT = /^(?:\/[^/\s\p{Cc}]+)+\/$/u

/** Answers whether a key may be deleted. */
export type Fence = (key: string) => boolean

/**
 * Why a root cannot be one, or `undefined` where it can. `/` and the empty text would be the whole store.
 */
export function whyNoRoot(root: string): string | undefined {
  if (root === '' || root === '/')
    return 'it would be the whole store: name the folders to clean, such as /ec/diss/'
  if (!ROOT.test(root)) return 'a root begins and ends with a slash, such as /ec/diss/'
  if (root.split('/').some((part) => part === '.' || part === '..')) return 'a root is no relative path'
  if (root.startsWith(INTERNAL_PREFIX)) return `everything under ${INTERNAL_PREFIX} is the services' own`
  return undefined
}

/**
 * A fence of some roots.
 *
 * @throws {AvisoError} `ERR_CONFIG` for no roots at all, and for any that cannot be one.
 */
export function createFence(roots: readonly string[]): Fence {
  if (roots.length === 0)
    throw new AvisoError('ERR_CONFIG', 'Nothing can be cleaned without roots: name the folders to clean')
  for (const root of roots) {
    const reason = whyNoRoot(root)
    if (reason !== undefined)
      throw new AvisoError('ERR_CONFIG', `The root "${root}" cannot be used: ${reason}`)
  }
  return (key) =>
    !key.startsWith(INTERNAL_PREFIX) && roots.some((root) => key.length > root.length && key.startsWith(root))
}
