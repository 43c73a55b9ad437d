/**
 * Fronts: the front of a group holds its streams that have everything and whose readers wait. Live frames are made once for all of them.
 *
 * Matches are collected until the end of the turn. So matches that arrive together are written together, and a match that arrives alone is
 * written at once. All streams of the front get one chunk. Each of them then has its own cursor until its reader asks again.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import { createFrames } from './source/chunk.ts'
import { frameOf, type Entry } from './source/entry.ts'
import type { Group, Groups } from './group.ts'
import type { HubObserver } from './hub.ts'
import type { Ring } from './source/ring.ts'
import { write, type Stream } from './stream.ts'

export interface Fronts {
  /** Matches an entry that has just been appended to the ring. */
  dispatch(entry: Entry): void
  /** Writes the collected matches to the fronts. */
  flush(): void
  /** Puts a stream that has everything up to the ring's end into the front of its group. */
  enter(stream: Stream): void
  /** Takes a stream out of the front and gives it its own cursor. Pending matches are written first, so the stream may get bytes. */
  leave(stream: Stream): void
  /** Takes a stream out of the front without writing to it. */
  remove(stream: Stream): void
}

export interface FrontParts {
  readonly ring: Ring
  readonly visit: Groups['visit']
  readonly clock: Clock
  /** Called when a format threw: these streams cannot go on. */
  readonly onFailure: (streams: readonly Stream[], error: unknown) => void
  readonly observer?: HubObserver
}

export function createFronts({ ring, visit, clock, onFailure, observer }: FrontParts): Fronts {
  /** Groups with hits. */
  let dirty: Group[] = []

  function flushGroup(group: Group): void {
    const { hits, front } = group
    group.hits = []
    if (hits.length === 0 || front.length === 0) return
    const { bytes, next, index } = joinHits(group, hits)
    if (bytes === undefined) return
    const now = clock.monotonic()
    group.front = []
    for (const stream of front) {
      stream.place = -1
      stream.next = next
      stream.index = index
      write(stream, bytes, now)
    }
  }

  function tryFlush(group: Group): void {
    const { front } = group
    try {
      flushGroup(group)
    } catch (error) {
      onFailure(front, error)
    }
  }

  /** Joins hits into one chunk, with the cursor behind it. A stream that comes back reads the other hits from the ring. */
  function joinHits({ live }: Group, hits: Group['hits']) {
    const frames = createFrames()
    for (const { entry, place } of hits) {
      if (frames.add(frameOf(entry, place, live))) continue
      return { bytes: frames.join(), next: entry.revision, index: place }
    }
    return { bytes: frames.join(), next: ring.through + 1n, index: 0 }
  }

  function remove(stream: Stream): void {
    const { front } = stream.group
    const last = front.pop()
    if (last !== undefined && last !== stream) {
      front[stream.place] = last
      last.place = stream.place
    }
    stream.place = -1
  }

  return {
    dispatch: (entry) => {
      const listeners: Listeners = { ofRevision: 0, ofNotification: [] }
      visit(entry, (group, place) => {
        count(listeners, group, place)
        group.lastHit = entry.revision
        if (group.front.length === 0) return
        if (group.hits.push({ entry, place }) === 1) dirty.push(group)
      })
      if (observer !== undefined) tell(observer, entry, listeners)
    },
    flush: () => {
      const groups = dirty
      dirty = []
      // Behind a relay's stream is a hub with listeners of its own: it writes to them while this one writes to the others.
      for (const group of groups) if (isRelay(group)) tryFlush(group)
      for (const group of groups) tryFlush(group)
    },
    enter: (stream) => {
      // Pending hits are written first, because the stream has read them from the ring already.
      tryFlush(stream.group)
      stream.place = stream.group.front.push(stream) - 1
    },
    leave: (stream) => {
      tryFlush(stream.group)
      if (stream.place < 0) return
      remove(stream)
      stream.next = ring.through + 1n
      stream.index = 0
    },
    remove,
  }
}

function isRelay({ matcher }: Group): boolean {
  return matcher.kind === 'ranges' && matcher.relayed.length > 0
}

/** How many streams an entry goes to. */
interface Listeners {
  ofRevision: number
  /** By place. */
  readonly ofNotification: number[]
}

function count(listeners: Listeners, { matcher, size }: Group, place: number): void {
  switch (matcher.kind) {
    case 'ranges':
      listeners.ofRevision += size
      break
    case 'notifications':
      listeners.ofNotification[place] = (listeners.ofNotification[place] ?? 0) + size
      break
  }
}

function tell(
  observer: HubObserver,
  { notifications }: Entry,
  { ofRevision, ofNotification }: Listeners,
): void {
  for (const [place, notification] of notifications.entries()) {
    if (notification === undefined) continue
    observer.seen(notification, ofRevision + (ofNotification[place] ?? 0), ofRevision)
  }
}
