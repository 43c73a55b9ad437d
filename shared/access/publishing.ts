/**
 * Access for publishing: what a provider may publish, how often it may ask, and what the audit log records.
 *
 * @module
 */

import { toBytes } from '#shared/bytes/bytes.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Access } from './access.ts'
import type { Audit } from './audit/audit.ts'
import type { Count } from './identity/counters.ts'
import type { Policy } from './policy/policy.ts'
import { networkIn, refuse, type Identify } from './policy/requester.ts'
import { recordPublications } from './publications.ts'
import { createBuckets, rateText, tooMany, type Rate } from './quota/buckets.ts'

/** How often may be published. */
export interface PublishingQuota {
  /** Requests of one identity. */
  readonly perIdentity: Rate
  /** Notifications of one address that come without an identity: a batch or a stream holds many. */
  readonly perAddress: Rate
}

/** Everything that the publishing side works with. */
export interface PublishingParts {
  readonly identify: Identify
  readonly policy: () => Policy
  readonly audit: Audit
  readonly clock: Clock
  readonly count: Count
  readonly quota: PublishingQuota
}

/** The bucket of all whose address is not known. */
const UNKNOWN_ADDRESS = 'unknown'

/** The publishing side of access control. */
export function createPublishing(parts: PublishingParts): Access['forPublishing'] {
  const { identify, policy, audit, clock, count, quota } = parts
  const requests = createBuckets(clock, quota.perIdentity)
  const notifications = createBuckets(clock, quota.perAddress)

  /** Takes one notification of a sender without an identity. */
  function takeNameless(network: string): void {
    if (notifications.take(network)) return
    count('address_publishing_limited')
    throw tooMany('notifications without an identity', notifications.retryAfterSeconds(network), {
      setting: 'vars.quota.publishesPerAddress',
      most: rateText(quota.perAddress),
    })
  }

  return async (request, requestId) => {
    const requester = await identify(request, requestId)
    const { name, identity, from } = requester
    if (identity !== undefined && !requests.take(name)) {
      count('publishing_limited')
      const limit = { setting: 'vars.quota.publishesPerPrincipal', most: rateText(quota.perIdentity) }
      throw refuse(audit, requester, tooMany('requests', requests.retryAfterSeconds(name), limit))
    }
    return {
      requirePublish(event, key) {
        if (!policy().mayPublish(identity, { event, key: toBytes(key) })) throw requester.refusal()
        if (identity === undefined) takeNameless(networkIn(from) ?? UNKNOWN_ADDRESS)
      },
      left: () =>
        identity === undefined ? notifications.left(networkIn(from) ?? UNKNOWN_ADDRESS) : requests.left(name),
      record: (outcomes) => recordPublications(audit, requester, outcomes),
    }
  }
}
