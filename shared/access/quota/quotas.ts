/**
 * Quotas: what listeners and providers have taken of their limits. Several workers of one launcher have them in one place, the first worker,
 * so taking may wait for an answer.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import { createBuckets, type Buckets, type QuotaLeft, type Rate } from './buckets.ts'
import { createShares, type Reserves, type Tier } from './shares.ts'
import { createSlots, type Slots } from './slots.ts'

/** Limits of one listener. */
export interface ListenerLimits {
  /** Streams at a time. */
  readonly streams: number
  /** Streams opened. */
  readonly opens: Rate
  /** Reads of stored keys, in units of `read_cost.ts`. */
  readonly reads: Rate
}

/** Limits of listening. */
export interface ListeningQuota {
  readonly perIdentity: ListenerLimits
  /** For requesters without an identity. */
  readonly perAddress: ListenerLimits
  /** All streams, and the parts of them that are kept free. */
  readonly streams: number
  readonly reserves: Reserves
}

/** How often may be published. */
export interface PublishingQuota {
  /** Requests of one identity. */
  readonly perIdentity: Rate
  /** Notifications of one address that come without an identity: a batch or a stream holds many. */
  readonly perAddress: Rate
}

/** All limits that are counted. */
export interface QuotaLimits {
  readonly listening: ListeningQuota
  readonly publishing: PublishingQuota
}

/** Whose limits they are: how the names of their settings end. */
export type LimitOwner = 'PerPrincipal' | 'PerAddress'

/** Who takes something: an identity or an address. */
export interface Taker {
  readonly owner: LimitOwner
  readonly key: string
}

/** What is counted with a rate. */
export type Counted = 'reads' | 'opens' | 'publishes'

/** What came of taking one. */
export type Taken =
  | { readonly isTaken: true }
  /** Whole seconds until there is one again. */
  | { readonly isTaken: false; readonly retryAfterSeconds: number }

/** A stream that is wanted. */
export interface WantedStream {
  /** Absent: it has no limits of its own. */
  readonly taker?: Taker | undefined
  readonly tier: Tier
}

/** What came of taking a stream. */
export type TakenStream =
  /** `giveBack` may be called again: then it does nothing. */
  | { readonly kind: 'taken'; readonly giveBack: () => void }
  /** The taker has opened too many lately. */
  | { readonly kind: 'openings'; readonly retryAfterSeconds: number }
  /** The taker has too many open. */
  | { readonly kind: 'streams' }
  /** All streams are taken that the tier may have. */
  | { readonly kind: 'full' }

/** Takes one after another of one taker. */
export interface Takes {
  take(): Taken
}

/** Something that is there now, or must be waited for. */
export type Now<T> = T | Promise<T>

/** What is left, and how it is taken. @throws {AvisoError} `ERR_STORE_UNAVAILABLE` where they are elsewhere, and do not answer. */
export interface Quotas {
  takeRead(taker: Taker): Now<Taken>
  /** Takes units for what is already done, or gives them back if there are fewer than 0. */
  charge(taker: Taker, counted: Counted, units: number): void
  takeStream(wanted: WantedStream): Now<TakenStream>
  /** What one request of a provider takes from: an identity one for the request, an address one for each notification. */
  publishing(taker: Taker): Now<Takes>
  /** What is left of what was just taken from; `undefined` where that is not known here. */
  left(taker: Taker, counted: Counted): QuotaLeft | undefined
}

/** The buckets and slots of identities, or of addresses. */
interface Owned {
  readonly slots: Slots
  readonly buckets: Readonly<Record<Counted, Buckets>>
}

/** Quotas that are counted here. */
export function createQuotas(clock: Clock, { listening, publishing }: QuotaLimits): Quotas {
  const own = ({ streams, opens, reads }: ListenerLimits, publishes: Rate): Owned => ({
    slots: createSlots(streams),
    buckets: {
      reads: createBuckets(clock, reads),
      opens: createBuckets(clock, opens),
      publishes: createBuckets(clock, publishes),
    },
  })
  const owned: Readonly<Record<LimitOwner, Owned>> = {
    PerPrincipal: own(listening.perIdentity, publishing.perIdentity),
    PerAddress: own(listening.perAddress, publishing.perAddress),
  }
  const shares = createShares(listening.streams, listening.reserves)
  const bucketsOf = ({ owner }: Taker, counted: Counted): Buckets => owned[owner].buckets[counted]

  function take(taker: Taker, counted: Counted): Taken {
    const buckets = bucketsOf(taker, counted)
    if (buckets.take(taker.key)) return { isTaken: true }
    return { isTaken: false, retryAfterSeconds: buckets.retryAfterSeconds(taker.key) }
  }

  /** @returns what gives the stream back to its taker */
  function takeOwn(taker: Taker): (() => void) | Exclude<TakenStream, { readonly kind: 'taken' }> {
    const opened = take(taker, 'opens')
    if (!opened.isTaken) return { kind: 'openings', retryAfterSeconds: opened.retryAfterSeconds }
    return owned[taker.owner].slots.take(taker.key) ?? { kind: 'streams' }
  }

  return {
    takeRead: (taker) => take(taker, 'reads'),
    charge: (taker, counted, units) => bucketsOf(taker, counted).charge(taker.key, units),
    takeStream({ taker, tier }) {
      const giveBack = taker === undefined ? nothing : takeOwn(taker)
      if (typeof giveBack !== 'function') return giveBack
      const leaveShare = shares.take(tier)
      if (leaveShare === undefined) {
        giveBack()
        return { kind: 'full' }
      }
      if (giveBack === nothing) return { kind: 'taken', giveBack: leaveShare }
      return {
        kind: 'taken',
        giveBack: () => {
          leaveShare()
          giveBack()
        },
      }
    },
    publishing: (taker) => ({ take: () => take(taker, 'publishes') }),
    left: (taker, counted) => bucketsOf(taker, counted).left(taker.key),
  }
}

const nothing = (): void => undefined
