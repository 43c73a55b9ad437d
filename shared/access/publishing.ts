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
import { refuse, subjectOf, type Identify } from './policy/requester.ts'
import { createBuckets, tooMany, type Rate } from './quota/buckets.ts'

/** Everything that the publishing side works with. */
export interface PublishingParts {
  readonly identify: Identify
  readonly policy: () => Policy
  readonly audit: Audit
  readonly clock: Clock
  readonly count: Count
  /** Requests of one identity. */
  readonly quota: Rate
}

/** The publishing side of access control. */
export function createPublishing(parts: PublishingParts): Access['forPublishing'] {
  const { identify, policy, audit, clock, count, quota } = parts
  const requests = createBuckets(clock, quota)
  return async (request) => {
    const requester = await identify(request)
    const { name, identity } = requester
    if (identity !== undefined && !requests.take(name)) {
      count('publishing_limited')
      throw refuse(audit, identity, tooMany('requests', requests.retryAfterSeconds(name)))
    }
    return {
      requirePublish(event, key) {
        if (policy().mayPublish(identity, { event, key: toBytes(key) })) return
        throw refuse(audit, identity, requester.refusal(), { event, keys: [key] })
      },
      published: (event) => audit.published(subjectOf(identity), event),
    }
  }
}
