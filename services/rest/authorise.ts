/**
 * The identity port of the ingest: who provides, and what they may publish.
 *
 * @module
 */

import type { NotificationKeys } from '#shared/notification/notification.ts'

/** Somebody who provides. */
export interface Provider {
  /** Name for figures, never a secret. */
  readonly name: string
  /** @throws {AvisoError} `ERR_UNAUTHENTICATED`, `ERR_FORBIDDEN`. */
  requirePublish(event: string, keys: NotificationKeys): void
  /** They have published; goes on record. */
  published(event: string): void
}

/** Tells who sends a request. It never reads the body. */
export interface ProviderAuthoriser {
  /**
   * @throws {AvisoError} `ERR_UNAUTHENTICATED`, `ERR_BAD_REQUEST`, `ERR_TOO_MANY_REQUESTS`; `ERR_VERDICT_UNAVAILABLE` when no verdict can
   *   be had. None of them lets the request through.
   */
  authorise(request: Request): Promise<Provider>
}

const OPEN_PROVIDER: Provider = {
  name: 'anonymous',
  requirePublish: () => undefined,
  published: () => undefined,
}

/** Everybody may publish everything: for development, where the service listens on loopback only. */
export const openProviderAuthoriser: ProviderAuthoriser = { authorise: () => Promise.resolve(OPEN_PROVIDER) }
