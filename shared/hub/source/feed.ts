/**
 * The feed: the decoded entries of the ring, for readers of this process that need everything. A reader is a cursor. While it waits it takes each
 * entry as it comes, so what was decoded for the streams is not decoded a second time, and nothing is kept for it. A reader that is slow costs
 * nothing: it is told when the ring has moved on.
 *
 * Flow: store → ring → **feed** → services/runs
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { onNextTurn } from '#shared/time/turn.ts'
import type { Revision } from '#shared/store/store.ts'
import type { Entry } from './entry.ts'
import type { KnownEpoch } from './follow.ts'
import { TURN_REVISIONS } from './limits.ts'
import type { Ring } from './ring.ts'

/** What a reader is told. */
export type FeedMessage =
  /** Whether the upstream is connected: first, and at each change. With each connection, older revisions may still come. */
  | { readonly kind: 'connection'; readonly connected: boolean }
  /** The next entries, in order, and the revision up to which nothing else comes. */
  | { readonly kind: 'entries'; readonly entries: readonly Entry[]; readonly through: Revision }

/** Where a reader of the store may go on in memory. */
export interface Feed {
  /**
   * Whether everything from a revision on is in memory, or comes there.
   *
   * @param epoch Of the store in which the reader has reached the revision before; `undefined`: it has not asked.
   */
  covers(next: Revision, epoch: string | undefined): boolean
  /**
   * Yields everything from a revision on that {@link Feed.covers}, but what `take` has taken. It ends where memory does not hold what comes
   * next, because the reader is slow or the hub has missed revisions: the store may have them. It also ends at the signal. After the hub is
   * closed nothing more comes.
   *
   * @throws {AvisoError} `ERR_EPOCH_CHANGED` when the store was replaced. What `take` has thrown.
   */
  follow(from: Revision, signal: AbortSignal, take: TakeEntry): AsyncGenerator<FeedMessage, void, undefined>
}

/**
 * Is called with each entry as it comes while a reader waits, so that nothing has to be kept for it. It must be quick: the hub waits.
 *
 * @returns `false`: it is to be yielded, and what comes after it
 */
export type TakeEntry = (entry: Entry) => boolean

/** The feed, as the hub moves it. */
export interface OwnFeed extends Feed {
  /** An entry was added to the ring. Never throws. */
  appended(entry: Entry): void
  /** The ring's `through` has moved. */
  advanced(): void
  connected(isSo: boolean): void
  /** The hub forgets everything. Call it when it is not connected, before the ring starts over. */
  lost(isReplaced: boolean): void
}

interface Cursor {
  readonly take: TakeEntry
  next: Revision
  /** Set while it waits, until it is to be woken. */
  wake: (() => void) | undefined
  /** Whether it waits, and has nothing to yield. */
  isTaking: boolean
  /** Set when the hub has forgotten everything: what it still had for this reader, and why. */
  end: { readonly rest: readonly Entry[]; readonly isReplaced: boolean } | undefined
  failure: { readonly error: unknown } | undefined
}

export function createFeed(ring: Ring, epoch: KnownEpoch): OwnFeed {
  const cursors = new Set<Cursor>()
  let isConnected = false
  let connections = 0

  const isHeld = (next: Revision): boolean => next >= ring.floor

  function entriesFrom(next: Revision, most: number): readonly Entry[] {
    const entries: Entry[] = []
    for (let position = ring.find(next); entries.length < most; position++) {
      const entry = ring.once(position)
      if (entry === undefined) break
      entries.push(entry)
    }
    return entries
  }

  const follow: Feed['follow'] = async function* (from, signal, take) {
    const cursor = createCursor(from, take)
    cursors.add(cursor)
    // One for the reader, and not one for each of its waits.
    const onAbort = (): void => {
      cursor.isTaking = false
      cursor.wake?.()
    }
    signal.addEventListener('abort', onAbort)
    let told = -1
    try {
      while (!signal.aborted) {
        if (cursor.failure !== undefined) throw cursor.failure.error
        if (cursor.end !== undefined) return yield* finish(cursor.end)
        if (told !== connections) {
          told = connections
          yield { kind: 'connection', connected: isConnected }
        } else if (ring.through < cursor.next) await untilWoken(cursor)
        else if (isHeld(cursor.next)) yield read(cursor)
        else return
      }
    } finally {
      cursors.delete(cursor)
      signal.removeEventListener('abort', onAbort)
    }
  }

  function read(cursor: Cursor): FeedMessage {
    const entries = entriesFrom(cursor.next, TURN_REVISIONS)
    const last = entries.length < TURN_REVISIONS ? undefined : entries.at(-1)
    const through = last?.revision ?? ring.through
    cursor.next = through + 1n
    return { kind: 'entries', entries, through }
  }

  return {
    // A ring that is about to start over is not connected.
    covers: (next, known) => isConnected && known !== undefined && known === epoch.known && isHeld(next),
    follow,
    appended: (entry) => {
      for (const cursor of cursors) giveTo(cursor, entry)
    },
    advanced: () => {
      for (const cursor of cursors) if (cursor.next <= ring.through) wakeSoon(cursor)
    },
    connected: (isSo) => {
      isConnected = isSo
      connections++
      cursors.forEach(wakeSoon)
    },
    lost: (isReplaced) => {
      for (const cursor of cursors) {
        if (cursor.end !== undefined) continue
        const rest = isHeld(cursor.next) ? entriesFrom(cursor.next, Infinity) : []
        cursor.end = { rest, isReplaced }
        wakeSoon(cursor)
      }
    },
  }
}

function createCursor(next: Revision, take: TakeEntry): Cursor {
  return {
    take,
    next,
    wake: undefined,
    isTaking: false,
    end: undefined,
    failure: undefined,
  }
}

async function untilWoken(cursor: Cursor): Promise<void> {
  await new Promise<void>((resolve) => {
    cursor.wake = resolve
    cursor.isTaking = true
  })
  cursor.wake = undefined
}

/** At the end of the turn, because entries come together. */
function wakeSoon(cursor: Cursor): void {
  const { wake } = cursor
  cursor.isTaking = false
  cursor.wake = undefined
  if (wake !== undefined) onNextTurn(wake)
}

/** What is not taken is read in the ring. */
function giveTo(cursor: Cursor, entry: Entry): void {
  if (!cursor.isTaking || entry.revision < cursor.next) return
  try {
    if (cursor.take(entry)) {
      cursor.next = entry.revision + 1n
      return
    }
  } catch (error) {
    cursor.failure = { error }
  }
  wakeSoon(cursor)
}

function* finish({ rest, isReplaced }: NonNullable<Cursor['end']>): Generator<FeedMessage, void, undefined> {
  if (isReplaced)
    throw new AvisoError('ERR_EPOCH_CHANGED', 'The store was replaced; start again from a date or from now')
  const last = rest.at(-1)
  if (last !== undefined) yield { kind: 'entries', entries: rest, through: last.revision }
}
