/**
 * One listener's stream: a cursor, and whether its reader has asked for more. It has no queue.
 *
 * @module
 */

import type { Revision } from '#shared/store/store.ts'
import type { Cursor } from './chunk.ts'
import type { Encoding, Entry } from './entry.ts'
import type { HistoryWaiter } from './history.ts'
import type { StreamFormat } from './hub.ts'
import { isInRanges, type Matcher } from './selection.ts'

/** A match that has not been written yet. */
export interface Hit {
  readonly entry: Entry
  readonly place: number
}

/** Streams that take the same things in the same form, and so share every frame and most chunks. */
export interface Group {
  readonly id: number
  readonly key: string
  readonly matcher: Matcher
  readonly history: Encoding
  readonly live: Encoding
  /** Last revision of its streams; absent: they have no end. */
  readonly until: Revision | undefined
  /** What came up to this revision was not matched against it. */
  readonly since: Revision
  /** Newest revision that matched since then; 0n for none. */
  lastHit: Revision
  /** Number of its streams. */
  size: number
  /** Streams that have everything but the hits and wait for more. */
  front: Stream[]
  /** Matches that the front does not have yet. */
  hits: Hit[]
}

/** A running stream. Its cursor is not kept up to date while it stands in the front. */
export interface Stream extends Cursor {
  readonly group: Group
  readonly format: StreamFormat
  readonly controller: ReadableStreamDefaultController<Uint8Array>
  next: Revision
  index: number
  /** Last revision that counts as history; absent once it is complete. */
  historyEnd: Revision | undefined
  /** Whether the reader waits for bytes. Nothing is written otherwise, but for the last frame. */
  isWanted: boolean
  /** Place in the front of its group, -1 when it is not there. */
  place: number
  /** What it waits for in history. */
  waiter: HistoryWaiter | undefined
  hasEnded: boolean
  readonly heartbeatMs: number
  /** Instants in milliseconds since the epoch; 0 where it is not parked. */
  readonly endsAt: number
  writtenAt: number
  parkedAt: number
}

/** What makes a group. */
export interface GroupRequest {
  /** Different from that of every group before. */
  readonly id: number
  /** The same for groups that take the same things in the same form. */
  readonly key: string
  readonly matcher: Matcher
  readonly format: StreamFormat
  readonly until: Revision | undefined
  readonly since: Revision
}

export function createGroup({ id, key, matcher, format, until, since }: GroupRequest): Group {
  return {
    id,
    key,
    matcher,
    history: createEncoding(key, { matcher, format, phase: 'history' }),
    live: createEncoding(key, { matcher, format, phase: 'live' }),
    until,
    since,
    lastHit: 0n,
    size: 0,
    front: [],
    hits: [],
  }
}

interface EncodingRequest {
  readonly matcher: Matcher
  readonly format: StreamFormat
  readonly phase: 'history' | 'live'
}

const NOTHING = new Uint8Array(0)

/** Notifications are shared between all groups of a format, revisions only within the group, for they hold what its ranges hold. */
function createEncoding(groupKey: string, { matcher, format, phase }: EncodingRequest): Encoding {
  if (matcher.kind === 'ranges') {
    const { ranges } = matcher
    return {
      key: groupKey,
      encode: ({ revision, events }) =>
        format.revision?.(
          revision,
          events.filter(({ kv }) => isInRanges(ranges, kv.key)),
        ) ?? NOTHING,
    }
  }
  return {
    key: `${format.name} ${phase}`,
    encode: ({ notifications }, place) => {
      const notification = notifications[place]
      return (notification && format.notification?.(notification, phase)) ?? NOTHING
    },
  }
}

/** Puts a stream into the front of its group. */
export function enterFront(stream: Stream): void {
  stream.place = stream.group.front.push(stream) - 1
}

/** Takes it out again. Its cursor is the caller's matter. */
export function leaveFront(stream: Stream): void {
  const { front } = stream.group
  const last = front.pop()
  if (last !== undefined && last !== stream) {
    front[stream.place] = last
    last.place = stream.place
  }
  stream.place = -1
}
