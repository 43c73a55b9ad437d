/**
 * Principals of the listening service, by identity and policy: their rights, their places for streams, and what goes on record of them.
 *
 * @module
 */

import type { Authoriser, Grant, Principal, StreamPlace, StreamSubject } from './listen/authorise.ts'
import type { Count } from '#shared/access/identity/counters.ts'
import { openAccess, type AccessControl, type Granted } from '#shared/access/policy/access_control.ts'
import type { Requester } from '#shared/access/policy/requester.ts'
import type { LostRight, StreamRights } from '#shared/access/policy/stream_rights.ts'
import { createBuckets, tooMany, type Rate } from '#shared/access/quota/buckets.ts'
import { createSlots } from '#shared/access/quota/slots.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { CloseReason } from '#shared/hub/hub.ts'

/** What they are made of. */
export interface PrincipalsParts {
  readonly access: AccessControl
  /** Watches over the rights of open streams. */
  readonly rights: StreamRights
  readonly clock: Clock
  readonly count: Count
  /** What one identity may take. */
  readonly quota: { readonly streams: number; readonly opens: Rate; readonly reads: Rate }
}

/** How a lost right is told: each client understands that it may come back, and is told what else is wrong when it does. */
const REASONS: Readonly<Record<LostRight, CloseReason>> = {
  expired: 'auth_expired',
  revoked: 'auth_revoked',
  unverifiable: 'auth_unavailable',
}

/** An authoriser for the listening service. */
export function createAuthoriser({ access, rights, clock, count, quota }: PrincipalsParts): Authoriser {
  const slots = createSlots(quota.streams)
  const opens = createBuckets(clock, quota.opens)
  const reads = createBuckets(clock, quota.reads)

  /** As for streams: neither nobody in particular nor a relay has a limit of their own. */
  function takeRead(requester: Requester, { relay }: Granted): void {
    const { name, identity } = requester
    if (identity === undefined || relay !== undefined || reads.take(name)) return
    count('reads_limited')
    throw access.refused(requester, tooMany('reads', reads.retryAfterSeconds(name)))
  }

  /**
   * Nobody in particular has no limit of their own: all of them together have the one of the service. Nor has a relay: behind it are many
   * listeners, and its hub bounds what it opens.
   */
  function takeSlot(requester: Requester, isRelay: boolean): () => void {
    const { name, identity } = requester
    if (identity === undefined || isRelay) return () => undefined
    if (!opens.take(name)) {
      count('openings_limited')
      throw access.refused(requester, tooMany('streams opened', opens.retryAfterSeconds(name)))
    }
    const giveBack = slots.take(name)
    if (giveBack !== undefined) return giveBack
    count('streams_limited')
    throw access.refused(requester, tooMany('streams', RETRY_AFTER_SECONDS))
  }

  function takePlace(requester: Requester, granted: Granted, subject: StreamSubject): StreamPlace {
    const giveBack = takeSlot(requester, granted.relay !== undefined)
    let letGo: (() => void) | undefined
    let reason: CloseReason | undefined
    let isOver = false
    return {
      hold(end) {
        // It may have ended before it was handed over.
        if (isOver) return
        access.record(requester, { action: 'opened', ...subject, keys: granted.shown() })
        if (requester.identity === undefined) return
        letGo = rights.hold({
          standing: granted.standing,
          check: (maxAgeMs) => access.stillAuthorised(requester, granted, maxAgeMs),
          end: (lost) => {
            reason = REASONS[lost]
            end(reason)
          },
        })
      },
      leave() {
        if (isOver) return
        isOver = true
        giveBack()
        if (letGo === undefined) return
        letGo()
        access.record(requester, { action: 'closed', ...subject, ...(reason !== undefined && { reason }) })
      },
    }
  }

  return {
    async authorise(request) {
      const requester = await access.identify(request)
      return toPrincipal(access, requester, { takeRead, takePlace })
    },
  }
}

/** Long enough that a client which does not know its limit costs nothing. */
const RETRY_AFTER_SECONDS = 30

/** What one requester takes of what there is. */
interface Taking {
  readonly takeRead: (requester: Requester, granted: Granted) => void
  readonly takePlace: (requester: Requester, granted: Granted, subject: StreamSubject) => StreamPlace
}

function toPrincipal(
  access: AccessControl,
  requester: Requester,
  { takeRead, takePlace }: Taking,
): Principal {
  return {
    name: requester.identity?.username ?? 'anonymous',
    async grant(ranges, wide): Promise<Grant> {
      const granted = await access.authorise(requester, ranges, wide)
      return {
        keys: granted.effective,
        relay: granted.relay,
        endsAt: granted.standing.endsAt,
        takeRead: () => takeRead(requester, granted),
        takePlace: (subject) => takePlace(requester, granted, subject),
      }
    },
  }
}

/** Everybody may see everything: for development, where the service listens on loopback only. */
export const openAuthoriser: Authoriser = {
  authorise: async (request) => toPrincipal(openAccess, await openAccess.identify(request), WITHOUT_BOUNDS),
}

const OPEN_PLACE: StreamPlace = { hold: () => undefined, leave: () => undefined }
const WITHOUT_BOUNDS: Taking = { takeRead: () => undefined, takePlace: () => OPEN_PLACE }
