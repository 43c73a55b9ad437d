/**
 * The identity port of the listening service: who asks, and which keys they may see.
 *
 * @module
 */

import type { KeyRange } from '#shared/store/store.ts'

/** Somebody who listens. */
export interface Principal {
  /** Name for audit records, never a secret. */
  readonly name: string
  /** Keys they may see. Keys of the service itself are never among them. */
  readonly allowed: 'everything' | readonly KeyRange[]
}

/** Tells who sends a request. It never reads the body. */
export interface Authoriser {
  /**
   * @throws {AvisoError} `ERR_UNAUTHENTICATED`, `ERR_FORBIDDEN`; `ERR_STORE_UNAVAILABLE` or `ERR_OVERLOADED` when no verdict
   *   can be had. Any other failure is answered 500. None of them lets the request through.
   */
  authorise(request: Request): Promise<Principal>
}

/** Everybody may see everything: for development, where the service listens on loopback only. */
export const openAuthoriser: Authoriser = {
  authorise: () => Promise.resolve({ name: 'anonymous', allowed: 'everything' }),
}
