/**
 * Access for publishing: what a provider may publish, how often it may ask, and what the audit log records.
 *
 * @module
 */

import { toBytes } from '#shared/bytes/bytes.ts'
import type { Access } from './access.ts'
import type { Audit } from './audit/audit.ts'
import type { Count } from './identity/counters.ts'
import type { Policy } from './policy/policy.ts'
import { networkIn, refuse, type Identify } from './policy/requester.ts'
import { recordPublications } from './publications.ts'
import { rateText, tooMany } from './quota/buckets.ts'
import type { PublishingQuota, Quotas, Taker, Takes } from './quota/quotas.ts'

/** Everything that the publishing side works with. */
export interface PublishingParts {
  readonly identify: Identify
  readonly policy: () => Policy
  readonly audit: Audit
  readonly count: Count
  /** The limits, for what refusals say. */
  readonly quota: PublishingQuota
  readonly quotas: Quotas
}

/** The bucket of all whose address is not known. */
const UNKNOWN_ADDRESS = 'unknown'

/** The publishing side of access control. */
export function createPublishing(parts: PublishingParts): Access['forPublishing'] {
  const { identify, policy, audit, count, quota, quotas } = parts

  /** Takes one notification of a sender without an identity. */
  function takeNameless(takes: Takes): void {
    const taken = takes.take()
    if (taken.isTaken) return
    count('address_publishing_limited')
    throw tooMany('notifications without an identity', taken.retryAfterSeconds, {
      setting: 'vars.quota.publishesPerAddress',
      most: rateText(quota.perAddress),
    })
  }

  return async (request, requestId) => {
    const requester = await identify(request, requestId)
    const { name, identity, from } = requester
    const taker: Taker =
      identity === undefined
        ? { owner: 'PerAddress', key: networkIn(from) ?? UNKNOWN_ADDRESS }
        : { owner: 'PerPrincipal', key: name }
    const takes = await quotas.publishing(taker)
    const taken = identity === undefined ? undefined : takes.take()
    if (taken?.isTaken === false) {
      count('publishing_limited')
      const limit = { setting: 'vars.quota.publishesPerPrincipal', most: rateText(quota.perIdentity) }
      throw refuse(audit, requester, tooMany('requests', taken.retryAfterSeconds, limit))
    }
    return {
      requirePublish(event, key) {
        if (!policy().mayPublish(identity, { event, key: toBytes(key) })) throw requester.refusal()
        if (identity === undefined) takeNameless(takes)
      },
      left: () => quotas.left(taker, 'publishes'),
      record: (outcomes) => recordPublications(audit, requester, outcomes),
    }
  }
}
