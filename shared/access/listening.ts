/**
 * Access for listening: what a listener may see, how often it may ask, and what the audit log records.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import type { Access, LostRight, StreamPlace, StreamSubject } from './access.ts'
import { authoriseAgain, authoriseRead, type GrantedRead, type ReadAuthorisation } from './authorise_read.ts'
import type { Count } from './identity/counters.ts'
import { displayName, refuse, subjectOf, type Identify, type Requester } from './policy/requester.ts'
import type { StreamRights } from './policy/stream_rights.ts'
import { createBuckets, tooMany, type Rate } from './quota/buckets.ts'
import { createSlots } from './quota/slots.ts'

/** Limits of one identity. */
export interface ListeningQuota {
  /** Streams at a time. */
  readonly streams: number
  /** Streams opened. */
  readonly opens: Rate
  /** Reads of stored keys. */
  readonly reads: Rate
}

/** Everything that the listening side works with. */
export interface ListeningParts extends ReadAuthorisation {
  readonly identify: Identify
  /** Checks the rights of open streams again. */
  readonly rights: StreamRights
  readonly clock: Clock
  readonly count: Count
  readonly quota: ListeningQuota
}

/** How long a client with too many streams must wait: long enough that a client which keeps trying costs nothing. */
const RETRY_AFTER_SECONDS = 30

/** The listening side of access control. */
export function createListening(parts: ListeningParts): Access['forListening'] {
  const { audit, clock, count, quota, rights } = parts
  const slots = createSlots(quota.streams)
  const opens = createBuckets(clock, quota.opens)
  const reads = createBuckets(clock, quota.reads)

  /** Anonymous requesters and relays have no read quota, as for streams. */
  function takeRead({ name, identity }: Requester, { relay }: GrantedRead): void {
    if (identity === undefined || relay !== undefined || reads.take(name)) return
    count('reads_limited')
    throw refuse(audit, identity, tooMany('reads', reads.retryAfterSeconds(name)))
  }

  /**
   * Anonymous requesters have no limit per requester; the limit of the service holds for all of them together. A relay has no limit
   * either: many listeners are behind it, and its hub bounds the streams that it opens.
   */
  function takeSlot({ name, identity }: Requester, { relay }: GrantedRead): () => void {
    if (identity === undefined || relay !== undefined) return () => undefined
    if (!opens.take(name)) {
      count('openings_limited')
      throw refuse(audit, identity, tooMany('streams opened', opens.retryAfterSeconds(name)))
    }
    const giveBack = slots.take(name)
    if (giveBack !== undefined) return giveBack
    count('streams_limited')
    throw refuse(audit, identity, tooMany('streams', RETRY_AFTER_SECONDS))
  }

  function takePlace(requester: Requester, granted: GrantedRead, subject: StreamSubject): StreamPlace {
    const giveBack = takeSlot(requester, granted)
    const who = subjectOf(requester.identity)
    let letGo: (() => void) | undefined
    let reason: LostRight | undefined
    let isOver = false
    return {
      hold(end) {
        // The stream may have ended before it was held.
        if (isOver) return
        audit.record({ action: 'opened', who, ...subject, keys: granted.shown() })
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
      async grant(ranges, wide) {
        const granted = await authoriseRead(parts, requester, ranges, wide)
        return {
          keys: granted.keys,
          relay: granted.relay,
          endsAt: granted.standing.endsAt,
          takeRead: () => takeRead(requester, granted),
          takePlace: (subject) => takePlace(requester, granted, subject),
        }
      },
    }
  }
}
