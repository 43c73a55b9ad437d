/**
 * Open access: every request may do everything, except see the service's own keys. It is for development, where the service listens on
 * loopback only.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { KeyRange } from '#shared/store/store.ts'
import type { Access, Administrator, Grant, Listener, Provider } from './access.ts'
import { recordAdministration } from './administration.ts'
import { silentAudit, type Audit } from './audit/audit.ts'
import { describeRanges } from './authorise_read.ts'
import { normalise, toInterval } from './interval.ts'
import { withoutInternal } from './policy/decision.ts'
import { ANONYMOUS, FORBIDDEN, refuse } from './policy/requester.ts'

/** Access that looks at no credential. */
export function createOpenAccess(audit: Audit = silentAudit): Access {
  const listener: Listener = {
    name: ANONYMOUS,
    grant: async (ranges) => grantAll(audit, ranges),
  }
  const provider: Provider = {
    requirePublish: () => undefined,
    published: (event) => audit.published(undefined, event),
  }
  const administrator: Administrator = { name: ANONYMOUS }
  return {
    forListening: () => Promise.resolve(listener),
    forPublishing: () => Promise.resolve(provider),
    forAdministration: async (request) => {
      recordAdministration(audit, undefined, request)
      return administrator
    },
  }
}

/** A grant of everything that is not internal. It never has a relay, because only a rule of the policy makes a requester a relay. */
function grantAll(audit: Audit, ranges: readonly KeyRange[]): Grant {
  const keys = withoutInternal(normalise(ranges.map(toInterval)))
  if (keys.length === 0) {
    const forbidden = new AvisoError('ERR_FORBIDDEN', FORBIDDEN)
    throw refuse(audit, undefined, forbidden, { keys: describeRanges(ranges) })
  }
  return {
    keys,
    endsAt: undefined,
    takeRead: () => undefined,
    takePlace: (subject) => {
      let isOver = false
      return {
        hold: () => {
          if (isOver) return
          audit.record({ action: 'opened', who: undefined, ...subject, keys: describeRanges(ranges) })
        },
        leave: () => {
          isOver = true
        },
      }
    },
  }
}
