/**
 * The limits of listening: how much each identity or address may read and have open, and whose streams go first.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { ChargeRead } from './access.ts'
import type { Audit } from './audit/audit.ts'
import type { Count, CounterName } from './identity/counters.ts'
import type { Policy } from './policy/policy.ts'
import { networkIn, refuse, type Requester } from './policy/requester.ts'
import { rateText, tooMany, type QuotaLeft } from './quota/buckets.ts'
import type { Counted, ListenerLimits, ListeningQuota, LimitOwner, Quotas, Taker } from './quota/quotas.ts'
import { unitsOf } from './quota/read_cost.ts'
import type { Tier } from './quota/shares.ts'

export interface ListeningLimitsParts {
  readonly policy: () => Policy
  readonly audit: Audit
  readonly count: Count
  /** The limits, for what refusals say. */
  readonly quota: ListeningQuota
  readonly quotas: Quotas
}

export interface RelayOption {
  /** Whether the request is of a relay. It has no limits of its own: many listeners are behind it, and its hub bounds what it asks for. */
  readonly isRelay: boolean
}

/** Takes from what requesters may have. Both throw `ERR_TOO_MANY_REQUESTS`, and are recorded and counted. */
export interface ListeningLimits {
  /** As `Grant.takeRead`. */
  takeRead(requester: Requester, options: RelayOption): Promise<ChargeRead>
  /** @returns a function that gives the stream back. @throws {AvisoError} Also `ERR_OVERLOADED` when the rest is kept for others. */
  takeStream(requester: Requester, options: RelayOption): Promise<() => void>
  /** What is left of the requester's quota; `undefined` for who has none. */
  left(requester: Requester, counted: Counted, options: RelayOption): QuotaLeft | undefined
}

/** What a listener has too much of. */
type Excess = 'reads' | 'openings' | 'streams'

/** Counters of refusals, for an identity and for an address. */
const COUNTERS: Readonly<Record<LimitOwner, Readonly<Record<Excess, CounterName>>>> = {
  PerPrincipal: { reads: 'reads_limited', openings: 'openings_limited', streams: 'streams_limited' },
  PerAddress: {
    reads: 'address_reads_limited',
    openings: 'address_openings_limited',
    streams: 'address_streams_limited',
  },
}

/** How long a client with too many streams must wait: long enough that a client which keeps trying costs nothing. */
const RETRY_AFTER_SECONDS = 30

const nothing = (): void => undefined

/** The limits of listening. */
export function createListeningLimits(parts: ListeningLimitsParts): ListeningLimits {
  const { audit, count, policy, quota, quotas } = parts

  /** Makes the refusal of a requester, and counts and records it. */
  function refuseExcess(
    requester: Requester,
    owner: LimitOwner,
    { excess, retryAfterSeconds }: { readonly excess: Excess; readonly retryAfterSeconds: number },
  ): AvisoError {
    count(COUNTERS[owner][excess])
    const limits = owner === 'PerPrincipal' ? quota.perIdentity : quota.perAddress
    const { what, setting, most } = EXCESSES[excess](limits)
    const limit = { setting: `vars.quota.${setting}${owner}`, most }
    return refuse(audit, requester, tooMany(what, retryAfterSeconds, limit))
  }

  async function takeRead(requester: Requester, { isRelay }: RelayOption): Promise<ChargeRead> {
    const taker = isRelay ? undefined : takerOf(requester)
    if (taker === undefined) return nothing
    const taken = await quotas.takeRead(taker)
    if (!taken.isTaken) throw refuseExcess(requester, taker.owner, { excess: 'reads', ...taken })
    // One unit is taken already, so that reads at the same time are bounded too.
    return (cost) => quotas.charge(taker, 'reads', unitsOf(cost) - 1)
  }

  async function takeStream(requester: Requester, options: RelayOption): Promise<() => void> {
    const taker = options.isRelay ? undefined : takerOf(requester)
    const tier = tierOf(requester, options)
    const taken = await quotas.takeStream({ taker, tier })
    if (taken.kind === 'taken') return taken.giveBack
    if (taken.kind === 'full' || taker === undefined) {
      count(tier === 'nameless' ? 'nameless_share_full' : 'identity_share_full')
      throw refuse(audit, requester, full())
    }
    const retryAfterSeconds = taken.kind === 'openings' ? taken.retryAfterSeconds : RETRY_AFTER_SECONDS
    throw refuseExcess(requester, taker.owner, { excess: taken.kind, retryAfterSeconds })
  }

  function tierOf({ identity }: Requester, { isRelay }: RelayOption): Tier {
    if (identity === undefined) return 'nameless'
    return isRelay || policy().isAdmin(identity) ? 'privileged' : 'identified'
  }

  function left(requester: Requester, counted: Counted, { isRelay }: RelayOption): QuotaLeft | undefined {
    const taker = isRelay ? undefined : takerOf(requester)
    return taker && quotas.left(taker, counted)
  }

  return { takeRead, takeStream, left }
}

/**
 * Whose quota a request takes from: its identity's, or without an identity its address's. An address that is not known has none, because
 * all such requesters would share it.
 */
function takerOf({ name, identity, from }: Requester): Taker | undefined {
  if (identity !== undefined) return { owner: 'PerPrincipal', key: name }
  const key = networkIn(from)
  return key === undefined ? undefined : { owner: 'PerAddress', key }
}

/** What refusals call an excess, the begin of its setting, and what that allows. */
const EXCESSES: Readonly<
  Record<
    Excess,
    (limits: ListenerLimits) => { readonly what: string; readonly setting: string; readonly most: string }
  >
> = {
  reads: ({ reads }) => ({ what: 'reads', setting: 'reads', most: `${rateText(reads)}, in units` }),
  openings: ({ opens }) => ({ what: 'streams opened', setting: 'opens', most: rateText(opens) }),
  streams: ({ streams }) => ({ what: 'streams', setting: 'streams', most: `${streams} open` }),
}

/** The refusal (503) of a stream whose share is used up: the text is the hub's, which refuses when all streams are taken. */
export function full(): AvisoError {
  return new AvisoError('ERR_OVERLOADED', 'This service has reached its limit of streams; try again later')
}
