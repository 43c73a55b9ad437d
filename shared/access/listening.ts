/**
 * Access for listening: what a listener may see, how often it may ask, and what the audit log records.
 *
 * @module
 */

import type { Access, LostRight, StreamPlace, StreamSubject } from './access.ts'
import { authoriseAgain, authoriseRead, type GrantedRead, type ReadAuthorisation } from './authorise_read.ts'
import type { Count } from './identity/counters.ts'
import { createListeningLimits } from './listening_limits.ts'
import { displayName, subjectOf, type Identify, type Requester } from './policy/requester.ts'
import { explainRights, visiblePart } from './own_rights.ts'
import type { StreamRights } from './policy/stream_rights.ts'
import type { ListeningQuota, Quotas } from './quota/quotas.ts'

/** Everything that the listening side works with. */
export interface ListeningParts extends ReadAuthorisation {
  readonly identify: Identify
  /** Checks the rights of open streams again. */
  readonly rights: StreamRights
  readonly count: Count
  readonly quota: ListeningQuota
  readonly quotas: Quotas
}

/** The listening side of access control. */
export function createListening(parts: ListeningParts): Access['forListening'] {
  const { audit, rights } = parts
  const limits = createListeningLimits(parts)

  async function takePlace(
    requester: Requester,
    granted: GrantedRead,
    subject: StreamSubject,
  ): Promise<StreamPlace> {
    const isRelay = granted.relay !== undefined
    const giveBack = await limits.takeStream(requester, { isRelay })
    const who = subjectOf(requester.identity)
    let letGo: (() => void) | undefined
    let reason: LostRight | undefined
    let isOver = false
    return {
      hold(end) {
        // The stream may have ended before it was held.
        if (isOver) return
        audit.record({ action: 'opened', who, ...requester.from, ...subject, keys: granted.shown() })
        if (requester.identity === undefined) return
        letGo = rights.hold({
          standing: granted.standing,
          check: (maxAgeMs) => authoriseAgain(parts, requester, granted, maxAgeMs),
          end: (lost) => {
            reason = lost
            end(lost)
          },
        })
      },
      leave() {
        if (isOver) return
        isOver = true
        giveBack()
        if (letGo === undefined) return
        letGo()
        audit.record({ action: 'closed', who, ...subject, ...(reason !== undefined && { reason }) })
      },
    }
  }

  return async (request) => {
    const requester = await parts.identify(request)
    return {
      name: displayName(requester),
      address: requester.from.address,
      requireIdentity() {
        const { identity, name: principal, standing } = requester
        if (identity === undefined) throw requester.refusal()
        return { principal, endsAt: standing.endsAt }
      },
      readsLeft: () => limits.left(requester, 'reads', { isRelay: false }),
      takeRead: () => limits.takeRead(requester, { isRelay: false }),
      visible: (ranges) => visiblePart(parts.policy(), requester, ranges),
      explain: (roots) => explainRights(parts.policy(), requester, roots),
      async grant(ranges, wide) {
        const granted = await authoriseRead(parts, requester, ranges, wide)
        return {
          keys: granted.keys,
          relay: granted.relay,
          endsAt: granted.standing.endsAt,
          takeRead: () => limits.takeRead(requester, { isRelay: granted.relay !== undefined }),
          left: (counted) => limits.left(requester, counted, { isRelay: granted.relay !== undefined }),
          takePlace: (subject) => takePlace(requester, granted, subject),
        }
      },
    }
  }
}
