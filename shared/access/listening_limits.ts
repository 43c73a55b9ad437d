/**
 * The limits of listening: how much each identity or address may read and have open, and whose streams go first.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { ChargeRead } from './access.ts'
import {
  createAllowances,
  type Allowances,
  type Counted,
  type Excess,
  type ListenerLimits,
  type RefuseExcess,
} from './allowance.ts'
import type { Audit } from './audit/audit.ts'
import type { Count, CounterName } from './identity/counters.ts'
import type { Policy } from './policy/policy.ts'
import { networkIn, refuse, type Requester } from './policy/requester.ts'
import type { QuotaLeft } from './quota/buckets.ts'
import { createShares, type Reserves, type Tier } from './quota/shares.ts'

/** Limits of listening. */
export interface ListeningQuota {
  readonly perIdentity: ListenerLimits
  /** For requesters without an identity. */
  readonly perAddress: ListenerLimits
  /** Streams of this process, and the parts of them that are kept free. */
  readonly streams: number
  readonly reserves: Reserves
}

export interface ListeningLimitsParts {
  readonly policy: () => Policy
  readonly audit: Audit
  readonly clock: Clock
  readonly count: Count
  readonly quota: ListeningQuota
}

export interface RelayOption {
  /** Whether the request is of a relay. It has no limits of its own: many listeners are behind it, and its hub bounds what it asks for. */
  readonly isRelay: boolean
}

/** Takes from what requesters may have. Both throw `ERR_TOO_MANY_REQUESTS`, and are recorded and counted. */
export interface ListeningLimits {
  /** As `Grant.takeRead`. */
  takeRead(requester: Requester, options: RelayOption): ChargeRead
  /** @returns a function that gives the stream back. @throws {AvisoError} Also `ERR_OVERLOADED` when the rest is kept for others. */
  takeStream(requester: Requester, options: RelayOption): () => void
  /** What is left of the requester's allowance; `undefined` for who has none. */
  left(requester: Requester, counted: Counted, options: RelayOption): QuotaLeft | undefined
}

/** Counters of refusals, for an identity and for an address. */
const IDENTITY_COUNTERS: Readonly<Record<Excess, CounterName>> = {
  reads: 'reads_limited',
  openings: 'openings_limited',
  streams: 'streams_limited',
}
const ADDRESS_COUNTERS: Readonly<Record<Excess, CounterName>> = {
  reads: 'address_reads_limited',
  openings: 'address_openings_limited',
  streams: 'address_streams_limited',
}
const nothing = (): void => undefined

/** The limits of one process. */
export function createListeningLimits(parts: ListeningLimitsParts): ListeningLimits {
  const { audit, clock, count, policy, quota } = parts
  const identities = createAllowances(clock, quota.perIdentity, 'PerPrincipal')
  const addresses = createAllowances(clock, quota.perAddress, 'PerAddress')
  const shares = createShares(quota.streams, quota.reserves)

  /**
   * Takes something from the allowance of a requester: its identity's, or without an identity its address's. An address that is not known
   * has none, because all such requesters would share it.
   */
  function take<Taken>(
    requester: Requester,
    takeFrom: (allowances: Allowances, key: string, refuseExcess: RefuseExcess) => Taken,
  ): Taken | undefined {
    const { name, identity, from } = requester
    const isNameless = identity === undefined
    const key = isNameless ? networkIn(from) : name
    if (key === undefined) return undefined
    const counters = isNameless ? ADDRESS_COUNTERS : IDENTITY_COUNTERS
    return takeFrom(isNameless ? addresses : identities, key, (excess, error) => {
      count(counters[excess])
      return refuse(audit, requester, error)
    })
  }

  function takeRead(requester: Requester, { isRelay }: RelayOption): ChargeRead {
    if (isRelay) return nothing
    return (
      take(requester, (allowances, key, refuseExcess) => allowances.takeRead(key, refuseExcess)) ?? nothing
    )
  }

  function takeStream(requester: Requester, options: RelayOption): () => void {
    const giveBack = takeOwnStream(requester, options)
    const tier = tierOf(requester, options)
    const leaveShare = shares.take(tier)
    if (leaveShare !== undefined) {
      return () => {
        leaveShare()
        giveBack()
      }
    }
    giveBack()
    count(tier === 'nameless' ? 'nameless_share_full' : 'identity_share_full')
    throw refuse(audit, requester, full())
  }

  function takeOwnStream(requester: Requester, { isRelay }: RelayOption): () => void {
    if (isRelay) return nothing
    return (
      take(requester, (allowances, key, refuseExcess) => allowances.takeStream(key, refuseExcess)) ?? nothing
    )
  }

  function tierOf({ identity }: Requester, { isRelay }: RelayOption): Tier {
    if (identity === undefined) return 'nameless'
    return isRelay || policy().isAdmin(identity) ? 'privileged' : 'identified'
  }

  function left(requester: Requester, counted: Counted, { isRelay }: RelayOption): QuotaLeft | undefined {
    return isRelay ? undefined : take(requester, (allowances, key) => allowances.left(key, counted))
  }

  return { takeRead, takeStream, left }
}

/** The refusal (503) of a stream whose share is used up: the text is the hub's, which refuses when all streams are taken. */
function full(): AvisoError {
  return new AvisoError('ERR_OVERLOADED', 'This service has reached its limit of streams; try again later')
}
