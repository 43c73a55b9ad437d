/**
 * Providers by identity and policy: what they may publish, how often they may ask, and what goes on record of them.
 *
 * @module
 */

import type { Count } from '#shared/access/identity/counters.ts'
import type { AccessControl } from '#shared/access/policy/access_control.ts'
import { createBuckets, tooMany, type Rate } from '#shared/access/quota/buckets.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { ProviderAuthoriser } from './authorise.ts'

/** What they are made of. */
export interface ProvidersParts {
  readonly access: AccessControl
  readonly clock: Clock
  readonly count: Count
  /** Requests of one identity. */
  readonly rate: Rate
}

/** An authoriser for the ingest. */
export function createProviderAuthoriser({ access, clock, count, rate }: ProvidersParts): ProviderAuthoriser {
  const requests = createBuckets(clock, rate)
  return {
    async authorise(request) {
      const requester = await access.identify(request)
      const { name, identity } = requester
      if (identity !== undefined && !requests.take(name)) {
        count('publishing_limited')
        throw access.refused(requester, tooMany('requests', requests.retryAfterSeconds(name)))
      }
      return {
        name: identity?.username ?? 'anonymous',
        requirePublish: (event, { stem }) => access.requirePublish(requester, { event, key: toBytes(stem) }),
        published: (event) => access.published(requester, event),
      }
    },
  }
}
