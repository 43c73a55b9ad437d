/**
 * Groups: streams that take the same things in the same form, and so share every frame and most chunks.
 *
 * @module
 */

import { NO_BYTES } from '#shared/bytes/bytes.ts'
import type { Revision } from '#shared/store/store.ts'
import type { Encoding, Entry } from './source/entry.ts'
import type { HubRemovals, Selection, StreamFormat } from './hub.ts'
import { createMatcher, createSelectionKeys } from './selection.ts'
import { takenEvents, type Matcher } from './source/matcher.ts'
import type { Stream } from './stream.ts'
import { createSubscriptionIndex } from './subscription_index.ts'

/** A match that has not been written yet. */
export interface Hit {
  readonly entry: Entry
  readonly place: number
}

/** What the streams of a group have in common. */
export interface Group {
  /** Different from that of every other group, also of those that are gone. */
  readonly id: number
  readonly key: string
  readonly matcher: Matcher
  readonly history: Encoding
  readonly live: Encoding
  /** What came up to this revision was not matched against it. */
  readonly since: Revision
  /** Newest revision that matched since then; 0n for none. */
  lastHit: Revision
  /** Number of its streams. */
  size: number
  /** Streams that have everything but the hits, and whose readers wait for more. */
  front: Stream[]
  /** Matches that the front does not have yet. */
  hits: Hit[]
}

/** All groups that have streams. */
export interface Groups {
  /** The group of a new stream, which counts it from now on. */
  join(selection: Selection, format: StreamFormat): Group
  /** Ends {@link join}. */
  leave(group: Group): void
  /** Calls `hit` for everything that a group takes of an entry. */
  visit(entry: Entry, hit: (group: Group, place: number) => void): void
}

/** No groups. @param through Tells up to which revision entries have been visited. */
export function createGroups(through: () => Revision, removals?: HubRemovals): Groups {
  const groups = new Map<string, Group>()
  const index = createSubscriptionIndex<Group>()
  const keyOf = createSelectionKeys()
  let lastId = 0
  return {
    visit: index.visit,
    join: (selection, format) => {
      // Frames and chunks are kept by this key, so those with what was removed since are never found again.
      const key = `${format.name} ${removals?.version() ?? 0} ${keyOf(selection)}`
      let group = groups.get(key)
      if (group === undefined) {
        const matcher = createMatcher(selection, removals?.isRemoved)
        group = {
          id: ++lastId,
          key,
          matcher,
          history: createEncoding(key, { matcher, format, phase: 'history' }),
          live: createEncoding(key, { matcher, format, phase: 'live' }),
          since: through(),
          lastHit: 0n,
          size: 0,
          front: [],
          hits: [],
        }
        groups.set(key, group)
        index.add(group)
      }
      group.size++
      return group
    },
    leave: (group) => {
      if (--group.size > 0) return
      groups.delete(group.key)
      index.remove(group)
    },
  }
}

interface EncodingRequest {
  readonly matcher: Matcher
  readonly format: StreamFormat
  readonly phase: 'history' | 'live'
}

/** Frames of notifications serve all groups of a format, those of revisions only their own: they hold what its ranges hold. */
function createEncoding(groupKey: string, { matcher, format, phase }: EncodingRequest): Encoding {
  switch (matcher.kind) {
    case 'ranges':
      return {
        key: groupKey,
        encode: (entry) => format.revision?.(entry.revision, takenEvents(matcher, entry)) ?? NO_BYTES,
      }
    case 'notifications':
      return {
        key: `${phase} ${format.name}`,
        encode: ({ notifications }, place) => {
          const notification = notifications[place]
          return (notification && format.notification?.(notification, phase)) ?? NO_BYTES
        },
      }
  }
}
