/**
 * SHA-256 through `node:crypto`, which Node, Deno and Bun all have.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import type { Sha256 } from '#shared/bytes/sha256.ts'

export function newHostSha256(): Sha256 {
  const hash = createHash('sha256')
  return {
    update: (bytes) => {
      hash.update(bytes)
    },
    digest: () => new Uint8Array(hash.digest()),
  }
}
