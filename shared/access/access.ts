/**
 * The access port: it says who sends a request, and what the sender may do. Each kind of service asks one question.
 *
 * Flow: request → **access** → hub, store, journal
 *
 * @module
 */

import type { AvisoErrorCode } from '#shared/errors.ts'
import type { HandlerRequest } from '#shared/handler.ts'
import type { KeyRange } from '#shared/store/store.ts'
import type { IntervalSet } from './interval.ts'
import type { QuotaLeft } from './quota/buckets.ts'
import type { ReadCost } from './quota/read_cost.ts'

/**
 * Answers for one request at a time. It never reads the body.
 *
 * Every question throws `AvisoError` when the sender is refused: `ERR_UNAUTHENTICATED` (`details.challenge`), `ERR_BAD_REQUEST` or
 * `ERR_TOO_MANY_REQUESTS`. It throws `ERR_VERDICT_UNAVAILABLE` when no server can say who the sender is. Any other failure is answered 500.
 * No failure lets the request through.
 */
export interface Access {
  /** Who wants to listen or to read. {@link Listener.grant} then says what the listener may see. */
  forListening(request: HandlerRequest): Promise<Listener>
  /**
   * Who wants to publish. {@link Provider.requirePublish} then decides for each notification.
   *
   * @param requestId For the audit log.
   */
  forPublishing(request: HandlerRequest, requestId?: string): Promise<Provider>
  /**
   * Who administrates. A request that changes something is recorded in the audit log before it is carried out.
   *
   * @throws {AvisoError} Also `ERR_FORBIDDEN` when the sender is not an administrator.
   */
  forAdministration(request: HandlerRequest): Promise<Administrator>
}

/** Sender of a request to listen or to read. */
export interface Listener {
  /** Name for figures, never a secret. */
  readonly name: string
  /** Address of the client, as far as it is known. */
  readonly address: string | undefined
  /**
   * The identity, for what only an identity may have.
   *
   * @throws {AvisoError} `ERR_UNAUTHENTICATED` for a sender without one; `ERR_NOT_FOUND` where there are no identities.
   */
  requireIdentity(): ListenerIdentity
  /** What is left of the listener's reads; `undefined` where they are not counted. */
  readsLeft(): QuotaLeft | undefined
  /**
   * Begins reads of stored keys whose rights are checked afterwards. As {@link Grant.takeRead}.
   *
   * @throws {AvisoError} `ERR_TOO_MANY_REQUESTS`.
   */
  takeRead(): Promise<ChargeRead>
  /**
   * The right to see ranges of keys.
   *
   * @param wide How a range that reaches too far is answered.
   * @throws {AvisoError} `ERR_UNAUTHENTICATED`, `ERR_FORBIDDEN`, `ERR_VERDICT_UNAVAILABLE`.
   */
  grant(ranges: readonly KeyRange[], wide: WideRange): Promise<Grant>
  /**
   * The part of ranges of keys that the listener may see: normalised, perhaps none. It is for lists of what there is, so it never refuses.
   *
   * @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE`.
   */
  visible(ranges: readonly KeyRange[]): Promise<IntervalSet>
  /**
   * Who the listener is, what it may do, and which part of the configuration says so.
   *
   * @param roots Event type → the literal prefix of its keys.
   */
  explain(roots: ReadonlyMap<string, string>): Promise<OwnRights>
}

/** What a sender may do. */
export interface OwnRights {
  /** Absent: the sender has no identity, or there are none. */
  readonly user:
    | { readonly username: string; readonly realm: string; readonly roles: readonly string[] }
    | undefined
  /** When the credential ends, in milliseconds since the epoch; absent: never. */
  readonly endsAt: number | undefined
  readonly rights: readonly OwnRight[]
  readonly administer: Verdict
  readonly relay: Verdict
  /** Whether rights may be missing, because a server that lists destinations does not answer. */
  readonly isIncomplete: boolean
}

/** A right to listen or to publish. */
export interface OwnRight {
  readonly right: 'listen' | 'publish'
  /** Absent: keys that belong to no event type. */
  readonly event?: string
  /** All keys of the event type, or prefixes of keys. */
  readonly keys: 'everything' | readonly string[]
  /** The place in the configuration. */
  readonly by: string
}

/** Whether something is allowed, and the places in the configuration that allow it. */
export interface Verdict {
  readonly allowed: boolean
  readonly by: readonly string[]
}

/** A sender that was identified. */
export interface ListenerIdentity {
  /** Different for each user of each realm, never a secret. */
  readonly principal: string
  /** As {@link Grant.endsAt}. */
  readonly endsAt: number | undefined
}

/**
 * What happens to a range that reaches beyond the sender's rights.
 *
 * `refuse`: the request is refused. `narrow`: the prefix of a 1.x client is cut down to what the client may see; any other range is
 * refused. Every range of a relay is cut down, because the hub of the relay asks for all possible keys.
 */
export type WideRange = 'refuse' | 'narrow'

/** A right to see keys. */
export interface Grant {
  /** Normalised; never keys of the service itself. Empty for a relay only. */
  readonly keys: IntervalSet
  /** Present for a relay only. */
  readonly relay?: RelayGrant | undefined
  /** When the credential ends, in milliseconds since the epoch; absent: never. */
  readonly endsAt: number | undefined
  /**
   * Begins a read of stored keys. The cost is known afterwards, and may exceed what is left: then the next read has to wait.
   *
   * @returns a function that takes the cost. A read that fails before it costs one unit.
   * @throws {AvisoError} `ERR_TOO_MANY_REQUESTS` when the listener has read too much.
   */
  takeRead(): Promise<ChargeRead>
  /** What is left of the listener's reads, or of the streams that it may open; `undefined` where they are not counted. */
  left(counted: 'reads' | 'opens'): QuotaLeft | undefined
  /** @throws {AvisoError} `ERR_TOO_MANY_REQUESTS` when the listener has too many streams open, or opens streams too often. */
  takePlace(about: StreamSubject): Promise<StreamPlace>
}

/** Takes the cost of a read. */
export type ChargeRead = (cost: ReadCost) => void

/** What a relay may read. A relay is another Aviso whose hub (its shared reader of the store) reads from this service. */
export interface RelayGrant {
  /** The service's own keys that the relay asked for and needs: normalised, perhaps none. */
  readonly keys: IntervalSet
  /** All keys that the relay may see, whatever it asked for: the journals that it reads name no other keys. */
  readonly visible: IntervalSet
}

/** What the audit log says about a stream. */
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
  /** No server could confirm the right for too long. */
  | 'auth_unavailable'

/** Sender of notifications. */
export interface Provider {
  /**
   * @param key The notification's key as text, e.g. `/ec/diss/MACI/…`.
   * @throws {AvisoError} `ERR_UNAUTHENTICATED`, `ERR_FORBIDDEN`, and `ERR_TOO_MANY_REQUESTS` for a sender without an identity. They are not
   *   yet on record.
   */
  requirePublish(event: string, key: string): void
  /** What is left of the sender's publishing; `undefined` where it is not counted. */
  left(): QuotaLeft | undefined
  /** Records in the audit log what became of notifications of one request. */
  record(outcomes: readonly PublishOutcome[]): void
}

/** What became of a notification. */
export type PublishOutcome =
  | {
      readonly kind: 'published'
      readonly event: string
      readonly key: string
      readonly sequence: bigint
    }
  /** Refused, or not surely stored. Event type and key are there as far as they were read; the event type is the sender's own text. */
  | {
      readonly kind: 'refused'
      readonly code: AvisoErrorCode
      readonly event?: string | undefined
      readonly key?: string | undefined
    }

/** Sender of an administrative request. */
export interface Administrator {
  /** Name for logs, never a secret. */
  readonly name: string
}
