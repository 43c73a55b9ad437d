/**
 * The access port: who sends a request, and what the sender may do. Each kind of service asks one question of its own.
 *
 * Flow: request → **access** → hub, store, journal
 *
 * @module
 */

import type { KeyRange } from '#shared/store/store.ts'
import type { IntervalSet } from './interval.ts'

/**
 * Answers for one request at a time. It never reads the body.
 *
 * Every question throws `AvisoError` where the sender is refused: `ERR_UNAUTHENTICATED` (`details.challenge`), `ERR_BAD_REQUEST`,
 * `ERR_TOO_MANY_REQUESTS`; `ERR_VERDICT_UNAVAILABLE` when no verdict can be had. Any other failure is answered 500. None of them lets the
 * request through.
 */
export interface Access {
  /** Who wants to listen or to read. What the listener may see is asked next, by {@link Listener.grant}. */
  forListening(request: Request): Promise<Listener>
  /** Who wants to publish. Whether the provider may is asked for each notification, by {@link Provider.requirePublish}. */
  forPublishing(request: Request): Promise<Provider>
  /**
   * Who administrates. A request that changes something is recorded in the audit log before it is carried out.
   *
   * @throws {AvisoError} Also `ERR_FORBIDDEN`: a listener's token is no administrator's.
   */
  forAdministration(request: Request): Promise<Administrator>
}

/** Sender of a request to listen or to read. */
export interface Listener {
  /** Name for figures, never a secret. */
  readonly name: string
  /**
   * The right to see ranges of keys.
   *
   * @param wide How a range that reaches too far is answered.
   * @throws {AvisoError} `ERR_UNAUTHENTICATED`, `ERR_FORBIDDEN`, `ERR_VERDICT_UNAVAILABLE`.
   */
  grant(ranges: readonly KeyRange[], wide: WideRange): Promise<Grant>
}

/**
 * How a range that reaches too far is answered: by a refusal; or a 1.x client's prefix is cut down to what it may see (and any other
 * range is refused all the same). A relay's range is cut down whatever it is: its hub asks for all keys there might be.
 */
export type WideRange = 'refuse' | 'narrow'

/** A right to see keys. */
export interface Grant {
  /** Normalised; never keys of the service itself. Empty for a relay only. */
  readonly keys: IntervalSet
  /** Present for a relay only. */
  readonly relay?: RelayGrant | undefined
  /** When it ends by itself, in milliseconds since the epoch; absent: never. */
  readonly endsAt: number | undefined
  /** Counts one read of what is stored. @throws {AvisoError} `ERR_TOO_MANY_REQUESTS` where the listener reads too often. */
  takeRead(): void
  /** @throws {AvisoError} `ERR_TOO_MANY_REQUESTS` where the listener has as many streams as it may, or opens them too often. */
  takePlace(about: StreamSubject): StreamPlace
}

/** What another Aviso may have, so that its hub can stand on this one. */
export interface RelayGrant {
  /** Those of the service's own keys that it needs, among those it asked for: normalised, perhaps none. */
  readonly keys: IntervalSet
  /** Everything it may see, whatever it asked for: journals name nothing else to it. */
  readonly visible: IntervalSet
}

/** What a stream is about, for the audit log. */
export interface StreamSubject {
  readonly requestId: string
  readonly event?: string
}

/** The place of one stream among those that a listener may have. */
export interface StreamPlace {
  /** The stream is open: `end` is called when the right to it is lost. */
  hold(end: (reason: LostRight) => void): void
  /** The stream is over, or was never opened. Idempotent. */
  leave(): void
}

/** Why a stream lost its right: the reason that its client reads. */
export type LostRight =
  /** The credential has ended; a new one may go on. */
  | 'auth_expired'
  /** The credential, a destination or a rule was taken away. */
  | 'auth_revoked'
  /** For too long no server could tell whether the right still stands. */
  | 'auth_unavailable'

/** Sender of notifications. */
export interface Provider {
  /**
   * @param key The notification's key as text, e.g. `/ec/diss/MACI/…`.
   * @throws {AvisoError} `ERR_UNAUTHENTICATED`, `ERR_FORBIDDEN`.
   */
  requirePublish(event: string, key: string): void
  /** Records one published notification in the audit log. */
  published(event: string): void
}

/** Sender of an administrative request. */
export interface Administrator {
  /** Name for logs, never a secret. */
  readonly name: string
}
