/**
 * Open access: every request may do everything, except see the service's own keys. It is for development, where the service listens on
 * loopback only.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { HandlerRequest } from '#shared/handler.ts'
import type { KeyRange } from '#shared/store/store.ts'
import type { Access, Administrator, Grant, StreamPlace } from './access.ts'
import { recordAdministration } from './administration.ts'
import { silentAudit, type Audit } from './audit/audit.ts'
import { describeRanges } from './authorise_read.ts'
import { normalise, toInterval } from './interval.ts'
import { openRights } from './own_rights.ts'
import { withoutInternal } from './policy/decision.ts'
import { ANONYMOUS, FORBIDDEN, originOf, refuse, type AddressOf, type Requester } from './policy/requester.ts'
import { full } from './listening_limits.ts'
import { recordPublications } from './publications.ts'
import type { Quotas } from './quota/quotas.ts'

/** Who sends a request, as far as open access knows. */
type Sender = Pick<Requester, 'identity' | 'from'>

/** What open access is made with. */
export interface OpenAccessParts {
  /** Default: none. */
  readonly audit?: Audit
  /** For the audit log. Default: the address at the other end. */
  readonly addressOf?: AddressOf
  /** Event types that no provider may publish. Default: none. */
  readonly reserved?: readonly string[]
  /** Counts the streams. Default: the hub alone bounds them. */
  readonly quotas?: Pick<Quotas, 'takeStream'>
}

const UNCOUNTED: Pick<Quotas, 'takeStream'> = {
  takeStream: () => ({ kind: 'taken', giveBack: () => undefined }),
}

/** Access that looks at no credential. */
export function createOpenAccess({
  audit = silentAudit,
  addressOf = ({ peer }) => peer,
  reserved = [],
  quotas = UNCOUNTED,
}: OpenAccessParts = {}): Access {
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
        takeRead: async () => () => undefined,
        grant: async (ranges) => grantAll({ audit, quotas }, sender, ranges),
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
function grantAll(
  { audit, quotas }: Required<Pick<OpenAccessParts, 'audit' | 'quotas'>>,
  sender: Sender,
  ranges: readonly KeyRange[],
): Grant {
  const keys = withoutInternal(normalise(ranges.map(toInterval)))
  if (keys.length === 0) {
    const forbidden = new AvisoError('ERR_FORBIDDEN', FORBIDDEN)
    throw refuse(audit, sender, forbidden, { keys: describeRanges(ranges) })
  }
  return {
    keys,
    endsAt: undefined,
    takeRead: async () => () => undefined,
    left: () => undefined,
    takePlace: async (subject) => {
      const taken = await quotas.takeStream({ tier: 'privileged' })
      if (taken.kind !== 'taken') throw refuse(audit, sender, full())
      return openPlace(taken.giveBack, () => {
        const keys = describeRanges(ranges)
        audit.record({ action: 'opened', who: undefined, ...sender.from, ...subject, keys })
      })
    },
  }
}

/** A place that forgets how it is recorded once it was: a stream keeps it as long as it lives. */
function openPlace(giveBack: () => void, record: () => void): StreamPlace {
  let opening: (() => void) | undefined = record
  return {
    hold: () => {
      opening?.()
      opening = undefined
    },
    leave: () => {
      opening = undefined
      giveBack()
    },
  }
}
