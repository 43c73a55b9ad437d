/**
 * Stands for `detect.ts` in bundles for workerd (`imports` of `package.json`, condition `workerd`), where no other runtime can be. A worker
 * asks for its runtime only when nothing hosts it.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Platform } from './runtime.ts'

/** @throws {AvisoError} `ERR_CONFIG`, because a worker alone has no memory that its requests share. */
export function detectPlatform(): Promise<Platform> {
  return Promise.reject(
    new AvisoError(
      'ERR_CONFIG',
      'The binding AVISO_HOST is missing: bind the Durable Object class AvisoHost under this name (durable_objects.bindings)',
    ),
  )
}
