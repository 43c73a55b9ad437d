/**
 * The identity port of the listening service: who asks, what of it they may see, and for how long.
 *
 * @module
 */

import type { IntervalSet } from '#shared/access/interval.ts'
import type { RelayGrant, WideRange } from '#shared/access/policy/access_control.ts'
import type { KeyRange } from '#shared/store/store.ts'
import type { CloseReason } from '#shared/hub/hub.ts'

/** Somebody who listens. */
export interface Principal {
  /** Name for figures, never a secret. */
  readonly name: string
  /**
   * What they may see of ranges.
   *
   * @param wide How a range that reaches too far is answered.
   * @throws {AvisoError} `ERR_UNAUTHENTICATED`, `ERR_FORBIDDEN`, `ERR_VERDICT_UNAVAILABLE`.
   */
  grant(ranges: readonly KeyRange[], wide: WideRange): Promise<Grant>
}

/** A right to see keys. */
export interface Grant {
  /** Normalised; never keys of the service itself. Empty for a relay only. */
  readonly keys: IntervalSet
  /** Absent for everybody but a relay. */
  readonly relay?: RelayGrant | undefined
  /** When it ends by itself, in milliseconds since the epoch; absent: never. */
  readonly endsAt: number | undefined
  /** One read of what is stored. @throws {AvisoError} `ERR_TOO_MANY_REQUESTS` where they read too often. */
  takeRead(): void
  /** @throws {AvisoError} `ERR_TOO_MANY_REQUESTS` where they have as many streams as they may, or open them too often. */
  takePlace(about: StreamSubject): StreamPlace
}

/** What a stream is about, for the audit log. */
export interface StreamSubject {
  readonly requestId: string
  readonly event?: string
}

/** The place of one stream among those a principal may have. */
export interface StreamPlace {
  /** The stream stands: `end` is called when the right to it is lost. */
  hold(end: (reason: CloseReason) => void): void
  /** The stream is over, or was never opened. Idempotent. */
  leave(): void
}

/** Tells who sends a request. It never reads the body. */
export interface Authoriser {
  /**
   * @throws {AvisoError} `ERR_UNAUTHENTICATED`, `ERR_BAD_REQUEST`, `ERR_TOO_MANY_REQUESTS`; `ERR_VERDICT_UNAVAILABLE` when no verdict can
   *   be had. Any other failure is answered 500. None of them lets the request through.
   */
  authorise(request: Request): Promise<Principal>
}
