/**
 * Turns: ingests that publish one event type at the same time send one after the other, each for a short while. Each transaction is guarded by
 * the one before it, so ingests that all send at once would mostly refuse each other's work.
 *
 * Nothing depends on turns but speed: the guard decides. An ingest that loses a race twice says so in the store (the waiting key), and waits.
 * The one that commits notices that, and marks the last commit of its turn. Whoever follows the journal sees the mark, and sends.
 *
 * @module
 */

import { parseJournal } from '#shared/journal/codec.ts'
import type { KeyValue, Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Frame } from './attempt.ts'
import { FORGIVEN_RACES, TURN } from './limits.ts'

/** The newest commit that an ingest knows. */
export interface NewestCommit {
  readonly revision: Revision
  /** Whether it was the last one of a turn. */
  readonly endsTurn: boolean
}

/** A commit of this ingest. */
export interface OwnCommit extends NewestCommit {
  /** Whether another ingest has said that it waits. */
  readonly someoneWaits: boolean
  /** When it was sent, in monotonic time. */
  readonly sentAt: number
}

export interface Turns {
  /**
   * Resolves when this ingest may send: at once, unless others publish the same event type.
   *
   * @param take Is given each value of the journal that others write meanwhile.
   */
  mine(newest: NewestCommit, take: (journal: KeyValue) => Promise<void>): Promise<void>
  /** Whether {@link Turns.mine} has nothing to wait for. */
  isMine(): boolean
  /** Whether other ingests publish the event type, too. */
  readonly isShared: boolean
  /** Whether a transaction that does not apply should tell the others that this ingest waits. */
  readonly isWaiting: boolean
  /** Whether the next commit is the last one of this turn. @param isAll Whether it has all that waits. */
  isEnding(isAll: boolean): boolean
  afterCommit(commit: OwnCommit): void
  /** Called after another ingest was faster. @param isAlone Whether a whole transaction was in vain, and not only a part of one. */
  afterLostRace(isAlone: boolean): void
  /** Is alone from now on, until a race is lost, and stops following the journal. What was seen of it and not taken is forgotten. */
  stop(): void
}

export interface TurnsParts {
  readonly frame: Frame
  readonly store: Store
  readonly clock: Clock
}

export function createTurns(parts: TurnsParts): Turns {
  const { clock } = parts
  /** Races lost in a row. */
  let lost = 0
  /** Whether the last race was lost with a whole transaction. */
  let isDear = true
  /** Turns in a row that this ingest ended, and nobody took. */
  let unanswered = 0
  /** Until when the event type counts as shared, in monotonic time. */
  let sharedUntil = -Infinity
  /** When the present turn began; absent while it is not this ingest's. */
  let began: number | undefined = -Infinity
  /** The commit that ended the last turn of this ingest, and until when another one answers that. */
  let ownEnd: { readonly revision: Revision; readonly answerBy: number } | undefined
  let follower: Follower | undefined

  const isShared = (): boolean => clock.monotonic() < sharedUntil
  const forgiven = (): number => (isDear ? FORGIVEN_RACES.alone : FORGIVEN_RACES.joint)
  function share(): void {
    if (!isShared()) began = clock.monotonic()
    sharedUntil = clock.monotonic() + TURN.sharedMs
    // Early, so that little has to be read of what is written before it sees.
    if (follower?.isFollowing !== true) follower = follow(parts)
  }
  async function wait(newest: NewestCommit, take: (journal: KeyValue) => Promise<void>): Promise<void> {
    const isAfterOwn = newest.revision === ownEnd?.revision
    if (newest.endsTurn && !isAfterOwn) return
    const limit = clock.monotonic() + TURN.longestWaitMs
    let until = isAfterOwn ? ownEnd?.answerBy : undefined
    until ??= clock.monotonic() + TURN.silenceMs
    if (isAfterOwn) unanswered++
    for (;;) {
      const journal = await follower?.next(Math.min(until, limit))
      if (journal === undefined) break
      if (journal.modRevision <= newest.revision) continue
      // Where turns are not worth it, they end once no ingest asks for them.
      if (isDear) sharedUntil = clock.monotonic() + TURN.sharedMs
      unanswered = 0
      await take(journal)
      if (parseJournal(journal.value, parts.frame.journalName).ends_turn === true) return
      until = clock.monotonic() + TURN.silenceMs
    }
    if (unanswered >= TURN.unanswered) sharedUntil = -Infinity
    if (clock.monotonic() >= limit) lost++
  }

  function stop(): void {
    follower?.stop()
    follower = undefined
    sharedUntil = -Infinity
    began = -Infinity
  }
  function isMine(): boolean {
    if (!isShared()) stop()
    return began !== undefined
  }
  return {
    isMine,
    mine: async (newest, take) => {
      if (isMine()) return
      await wait(newest, take)
      began = clock.monotonic()
    },
    get isShared() {
      return isShared()
    },
    get isWaiting() {
      return lost >= forgiven()
    },
    isEnding: (isAll) => isShared() && began !== undefined && (isAll || clock.monotonic() - began >= TURN.ms),
    afterCommit: ({ revision, endsTurn, someoneWaits, sentAt }) => {
      lost = 0
      if (someoneWaits) share()
      if (!endsTurn) return
      const now = clock.monotonic()
      const { commits, leastMs, mostMs } = TURN.answer
      ownEnd = { revision, answerBy: now + Math.min(Math.max(commits * (now - sentAt), leastMs), mostMs) }
      began = undefined
    },
    afterLostRace: (isAlone) => {
      isDear = isAlone
      if (++lost <= forgiven()) return
      lost = 0
      share()
      began = undefined
    },
    stop,
  }
}

/** Sees the values of the journal as they come. */
interface Follower {
  /** The next value; `undefined` when none has come until then, or none can be seen. */
  next(until: number): Promise<KeyValue | undefined>
  readonly isFollowing: boolean
  stop(): void
}

function follow({ frame, store, clock }: TurnsParts): Follower {
  const stopping = new AbortController()
  const seen: KeyValue[] = []
  let hasEnded = false
  let wake = (): void => undefined

  async function run(): Promise<void> {
    const { signal } = stopping
    const key = frame.journal
    // From now on, and what was before by a read: etcd takes up to 100 ms to begin a watch of the past.
    for await (const message of store.watch({ key, signal })) {
      if (message.kind === 'created') seen.push(...(await store.range({ key }, { signal })).kvs)
      if (message.kind !== 'revision') continue
      for (const { kind, kv } of message.events) if (kind === 'put') seen.push(kv)
      // An ingest that publishes nothing any more takes none of them.
      if (seen.length > TURN.mostSeen) return
      wake()
    }
  }
  // What cannot be followed is found out by sending.
  const onEnd = (): void => {
    hasEnded = true
    wake()
  }
  run().then(onEnd, onEnd)
  return {
    next: async (until) => {
      while (seen.length === 0 && !hasEnded) {
        const leftMs = until - clock.monotonic()
        if (leftMs <= 0) break
        // Most values come while nothing waits for them, so what wakes costs nothing then.
        const woken = Promise.withResolvers<void>()
        wake = woken.resolve
        const stop = clock.after(leftMs, woken.resolve)
        await woken.promise
        stop()
      }
      wake = () => undefined
      return seen.shift()
    },
    get isFollowing() {
      return !hasEnded
    },
    stop: () => stopping.abort(),
  }
}
