/**
 * Shapes of stored geometries. A notification is compared with one listener after the other, so its shape is kept until the next one.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import { readShape } from '#shared/geometry/parse.ts'
import type { Shape } from '#shared/geometry/shape.ts'

import type { StoredGeometry } from './notification.ts'

/** The shape that was read last. */
let last:
  | { readonly kind: StoredGeometry; readonly text: string; readonly shape: Shape | undefined }
  | undefined

/** The shape of a canonical text; `undefined` for a text that no version of this service stored: no place lies in it. */
export function storedShape(kind: StoredGeometry, text: string): Shape | undefined {
  if (last?.text !== text || last.kind !== kind) last = { kind, text, shape: read(kind, text) }
  return last.shape
}

function read(kind: StoredGeometry, text: string): Shape | undefined {
  try {
    return readShape(kind, text)
  } catch (error) {
    if (isAvisoError(error)) return undefined
    throw error
  }
}
