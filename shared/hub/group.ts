/**
 * Groups: the streams of a group take the same notifications in the same format. So they share every frame and most chunks.
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

/** What the streams of a group share. */
export interface Group {
  /** Different from the id of every other group, present or past. */
  readonly id: number
  readonly key: string
  readonly matcher: Matcher
  readonly history: Encoding
  readonly live: Encoding
  /** Revisions up to this one were not matched against the group. */
  readonly since: Revision
  /** Newest revision that matched since then; 0n for none. */
  lastHit: Revision
  /** Number of its streams. */
  size: number
  /** Streams that have everything except the hits, and whose readers wait. */
  front: Stream[]
  /** Matches that are not written to the front yet. */
  hits: Hit[]
}

/** All groups that have streams. */
export interface Groups {
  /** Adds a new stream to its group. @returns the group. */
  join(selection: Selection, format: StreamFormat): Group
  /** Ends {@link join}. */
  leave(group: Group): void
  /** Calls `hit` for each group and each place of an entry that the group takes. */
  visit(entry: Entry, hit: (group: Group, place: number) => void): void
}

/** An empty collection of groups. @param through The revision up to which entries have been visited. */
export function createGroups(through: () => Revision, removals?: HubRemovals): Groups {
  const groups = new Map<string, Group>()
  const index = createSubscriptionIndex<Group>()
  const keyOf = createSelectionKeys()
  let lastId = 0
  return {
    visit: index.visit,
    join: (selection, format) => {
      // Frames and chunks are kept by this key. With a new version of the removals, the old ones are never found again.
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

/** A notification's frame serves all groups of a format. A revision's frame serves one group, because it holds the events in its ranges. */
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
