/**
 * Open access: every request may do everything, except see the service's own keys. It is for development, where the service listens on
 * loopback only.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { HandlerRequest } from '#shared/handler.ts'
import type { KeyRange } from '#shared/store/store.ts'
import type { Access, Administrator, Grant } from './access.ts'
import { recordAdministration } from './administration.ts'
import { silentAudit, type Audit } from './audit/audit.ts'
import { describeRanges } from './authorise_read.ts'
import { normalise, toInterval } from './interval.ts'
import { openRights } from './own_rights.ts'
import { withoutInternal } from './policy/decision.ts'
import { ANONYMOUS, FORBIDDEN, originOf, refuse, type AddressOf, type Requester } from './policy/requester.ts'
import { recordPublications } from './publications.ts'

/** Who sends a request, as far as open access knows. */
type Sender = Pick<Requester, 'identity' | 'from'>

/** Access that looks at no credential. @param addressOf For the audit log. @param reserved Event types that no provider may publish. */
export function createOpenAccess(
  audit: Audit = silentAudit,
  addressOf: AddressOf = ({ peer }) => peer,
  reserved: readonly string[] = [],
): Access {
  const administrator: Administrator = { name: ANONYMOUS }
  const senderOf = (request: HandlerRequest, requestId?: string): Sender => ({
    identity: undefined,
    from: originOf(addressOf(request), requestId),
  })
  return {
    forListening: (request) => {
      const sender = senderOf(request)
      return Promise.resolve({
        name: ANONYMOUS,
        address: sender.from.address,
        requireIdentity: () => {
          throw new AvisoError('ERR_NOT_FOUND', 'This service has no identities: nothing needs a ticket')
        },
        readsLeft: () => undefined,
        takeRead: () => () => undefined,
        grant: async (ranges) => grantAll(audit, sender, ranges),
        visible: async (ranges) => withoutInternal(normalise(ranges.map(toInterval))),
        explain: async (roots) => openRights(roots, reserved),
      })
    },
    forPublishing: (request, requestId) => {
      const sender = senderOf(request, requestId)
      return Promise.resolve({
        requirePublish: () => undefined,
        left: () => undefined,
        record: (outcomes) => recordPublications(audit, sender, outcomes),
      })
    },
    forAdministration: async (request) => {
      recordAdministration(audit, senderOf(request), request)
      return administrator
    },
  }
}

/** A grant of everything that is not internal. It never has a relay, because only a rule of the policy makes a requester a relay. */
function grantAll(audit: Audit, sender: Sender, ranges: readonly KeyRange[]): Grant {
  const keys = withoutInternal(normalise(ranges.map(toInterval)))
  if (keys.length === 0) {
    const forbidden = new AvisoError('ERR_FORBIDDEN', FORBIDDEN)
    throw refuse(audit, sender, forbidden, { keys: describeRanges(ranges) })
  }
  return {
    keys,
    endsAt: undefined,
    takeRead: () => () => undefined,
    left: () => undefined,
    takePlace: (subject) => {
      let isOver = false
      return {
        hold: () => {
          if (isOver) return
          const keys = describeRanges(ranges)
          audit.record({ action: 'opened', who: undefined, ...sender.from, ...subject, keys })
        },
        leave: () => {
          isOver = true
        },
      }
    },
  }
}
