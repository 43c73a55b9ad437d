/**
 * The feed: the decoded entries of the ring, for readers of this process that need everything. A reader is a cursor. What was decoded for
 * the streams is not read and decoded for it a second time, and a reader that is slow costs nothing: it is told when the ring has moved on.
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
import { TURN_BYTES, TURN_REVISIONS } from './limits.ts'
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
   * Yields everything from a revision on that {@link Feed.covers}. It ends where memory does not hold what comes next, because the reader is
   * slow or the hub has missed revisions: the store may have them. It also ends at the signal. After the hub is closed nothing more comes.
   *
   * @param wants Entries that it does not want may be left out.
   * @throws {AvisoError} `ERR_EPOCH_CHANGED` when the store was replaced.
   */
  follow(
    from: Revision,
    signal: AbortSignal,
    wants: (entry: Entry) => boolean,
  ): AsyncGenerator<FeedMessage, void, undefined>
  /**
   * Calls `task` once, at the end of the turn in which so many notifications that it wants wait for a reader that follows.
   *
   * @returns forgets `task`
   */
  whenWaiting(notifications: number, task: () => void): () => void
}

/** The feed, as the hub moves it. */
export interface OwnFeed extends Feed {
  /** An entry was added to the ring. */
  appended(entry: Entry): void
  /** The ring's `through` has moved. */
  advanced(): void
  connected(isSo: boolean): void
  /** The hub forgets everything. Call it when it is not connected, before the ring starts over. */
  lost(isReplaced: boolean): void
}

/**
 * What a reader has not read yet stays decoded up to this size: some turns of the upstream. The ring has it packed as well, and decodes again
 * what is too much.
 */
export const KEPT_BYTES = 4 * TURN_BYTES

interface Cursor {
  readonly wants: (entry: Entry) => boolean
  next: Revision
  /** What came since it has read, where {@link Cursor.next} is not before `since`. */
  kept: Entry[]
  since: Revision
  keptBytes: number
  /** Notifications that came since it has read. */
  waiting: number
  /** Set when the hub has forgotten everything: what it still had for this reader, and why. */
  end: { readonly rest: readonly Entry[]; readonly isReplaced: boolean } | undefined
}

export function createFeed(ring: Ring, epoch: KnownEpoch): OwnFeed {
  const waiting = new Set<() => void>()
  const cursors = new Set<Cursor>()
  const calls = createCalls(cursors)
  let isConnected = false
  let connections = 0
  let isWakeDue = false

  function wake(): void {
    isWakeDue = false
    const resumed = [...waiting]
    waiting.clear()
    for (const resume of resumed) resume()
  }

  /** At the end of the turn, because entries come together. */
  function wakeSoon(): void {
    if (isWakeDue || waiting.size === 0) return
    isWakeDue = true
    onNextTurn(wake)
  }

  const isHeld = (next: Revision): boolean => next >= ring.floor

  function entriesFrom(next: Revision, most: number): readonly Entry[] {
    const entries: Entry[] = []
    for (let position = ring.find(next); entries.length < most; position++) {
      const entry = ring.at(position)
      if (entry === undefined) break
      entries.push(entry)
    }
    return entries
  }

  const follow: Feed['follow'] = async function* (from, signal, wants) {
    const since = ring.through + 1n
    const cursor: Cursor = { wants, next: from, kept: [], since, keptBytes: 0, waiting: 0, end: undefined }
    cursors.add(cursor)
    // One for the reader, and not one for each of its waits.
    const onAbort = (): void => wake()
    signal.addEventListener('abort', onAbort)
    let told = -1
    try {
      while (!signal.aborted) {
        if (cursor.end !== undefined) return yield* finish(cursor.end)
        if (told !== connections) {
          told = connections
          yield { kind: 'connection', connected: isConnected }
        } else if (ring.through < cursor.next) await new Promise<void>((resolve) => waiting.add(resolve))
        else if (isHeld(cursor.next)) yield take(cursor)
        else return
      }
    } finally {
      cursors.delete(cursor)
      signal.removeEventListener('abort', onAbort)
    }
  }

  function take(cursor: Cursor): FeedMessage {
    const isKept = cursor.next >= cursor.since
    const entries = isKept ? cursor.kept.slice(0, TURN_REVISIONS) : entriesFrom(cursor.next, TURN_REVISIONS)
    const last = entries.length < TURN_REVISIONS ? undefined : entries.at(-1)
    const through = last?.revision ?? ring.through
    cursor.next = through + 1n
    leave(cursor)
    return { kind: 'entries', entries, through }
  }

  return {
    // A ring that is about to start over is not connected.
    covers: (next, known) => isConnected && known !== undefined && known === epoch.known && isHeld(next),
    follow,
    whenWaiting: calls.add,
    appended: (entry) => {
      if (cursors.size === 0) return
      for (const cursor of cursors) keep(cursor, entry)
      calls.check()
    },
    advanced: wakeSoon,
    connected: (isSo) => {
      isConnected = isSo
      connections++
      wakeSoon()
    },
    lost: (isReplaced) => {
      for (const cursor of cursors) {
        const rest = isHeld(cursor.next) ? entriesFrom(cursor.next, Infinity) : []
        cursor.end = { rest, isReplaced }
      }
      cursors.clear()
      wakeSoon()
    },
  }
}

/** Who is to be called when so much waits for a reader. */
interface Calls {
  readonly add: Feed['whenWaiting']
  /** More waits than before. */
  readonly check: () => void
}

function createCalls(cursors: ReadonlySet<Cursor>): Calls {
  interface Call {
    readonly notifications: number
    readonly task: () => void
    isDue: boolean
  }
  const calls = new Set<Call>()

  function check(call: Call): void {
    if (call.isDue || !Array.from(cursors).some(({ waiting }) => waiting >= call.notifications)) return
    call.isDue = true
    onNextTurn(() => {
      if (calls.delete(call)) call.task()
    })
  }

  return {
    add: (notifications, task) => {
      const call = { notifications, task, isDue: false }
      calls.add(call)
      check(call)
      return () => void calls.delete(call)
    },
    check: () => calls.forEach(check),
  }
}

function keep(cursor: Cursor, entry: Entry): void {
  if (entry.revision < cursor.next || !cursor.wants(entry)) return
  cursor.waiting += entry.notifications.length
  cursor.keptBytes += entry.bytes
  if (cursor.keptBytes <= KEPT_BYTES) cursor.kept.push(entry)
  else {
    cursor.kept = []
    cursor.keptBytes = 0
    cursor.since = entry.revision + 1n
  }
}

/** Lets go of what was read. */
function leave(cursor: Cursor): void {
  cursor.kept = cursor.kept.filter(({ revision }) => revision >= cursor.next)
  cursor.keptBytes = 0
  cursor.waiting = 0
  for (const { bytes, notifications } of cursor.kept) {
    cursor.keptBytes += bytes
    cursor.waiting += notifications.length
  }
}

function* finish({ rest, isReplaced }: NonNullable<Cursor['end']>): Generator<FeedMessage, void, undefined> {
  if (isReplaced)
    throw new AvisoError('ERR_EPOCH_CHANGED', 'The store was replaced; start again from a date or from now')
  const last = rest.at(-1)
  if (last !== undefined) yield { kind: 'entries', entries: rest, through: last.revision }
}
