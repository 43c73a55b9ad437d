/**
 * Turns: ingests that publish one event type at the same time send one after the other, each for a short while. Each transaction is guarded by
 * the one before it, so ingests that all send at once would mostly refuse each other's work.
 *
 * Nothing depends on turns but speed: the guard decides. An ingest that loses a race twice says so in the store (the waiting key), and waits.
 * The one that commits notices that, and marks the last commit of its turn. Whoever follows the journal sees the mark, and sends.
 *
 * @module
 */

import type { Revision } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { FORGIVEN_RACES, TURN } from './limits.ts'
import type { Others } from './others.ts'

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

/** The commits of other ingests, as they are seen. */
export interface Arrivals {
  /** Waits until some are there to be taken. @param until In monotonic time. @returns whether some are */
  arrive(until: number): Promise<boolean>
  /** Takes all of them. @returns the newest commit then. @throws {AvisoError} The store's error. */
  take(): Promise<NewestCommit>
}

export interface Turns {
  /**
   * Resolves when this ingest may send: at once, unless others publish the same event type. What they commit meanwhile is taken.
   *
   * @throws {AvisoError} The store's error, where that failed.
   */
  mine(newest: NewestCommit, arrivals: Arrivals): Promise<void>
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
  /** Is alone from now on, until a race is lost. */
  stop(): void
}

export interface TurnsParts {
  readonly clock: Clock
  readonly others: Pick<Others, 'follow'>
}

export function createTurns({ clock, others }: TurnsParts): Turns {
  /** Races lost in a row. */
  let lost = 0
  /** Whether the last race was lost with a whole transaction. */
  let isDear = true
  /** Milliseconds of the quickest commit of late. */
  let quickestMs = Infinity
  /** Turns in a row that this ingest ended, and nobody took. */
  let unanswered = 0
  /** Until when the event type counts as shared, in monotonic time. */
  let sharedUntil = -Infinity
  /** When the present turn began; absent while it is not this ingest's. */
  let began: number | undefined = -Infinity
  /** The commit that ended the last turn of this ingest, and until when another one answers that. */
  let ownEnd: { readonly revision: Revision; readonly answerBy: number } | undefined

  /** Milliseconds of a few commits. */
  const few = ({ commits, leastMs, mostMs }: typeof TURN.answer | typeof TURN.silence): number =>
    Math.min(Math.max(commits * quickestMs, leastMs), mostMs)
  const isShared = (): boolean => clock.monotonic() < sharedUntil
  const forgiven = (): number => (isDear ? FORGIVEN_RACES.alone : FORGIVEN_RACES.joint)
  function share(): void {
    if (!isShared()) began = clock.monotonic()
    sharedUntil = clock.monotonic() + TURN.sharedMs
    // Early, so that little has to be read of what is written before it sees.
    others.follow()
  }
  async function wait(newest: NewestCommit, arrivals: Arrivals): Promise<void> {
    const isAfterOwn = newest.revision === ownEnd?.revision
    if (newest.endsTurn && !isAfterOwn) return
    const limit = clock.monotonic() + TURN.longestWaitMs
    let until = isAfterOwn ? ownEnd?.answerBy : undefined
    until ??= clock.monotonic() + few(TURN.silence)
    if (isAfterOwn) unanswered++
    let known = newest.revision
    while (await arrivals.arrive(Math.min(until, limit))) {
      const { revision, endsTurn } = await arrivals.take()
      if (revision === known) continue
      known = revision
      // Where turns are not worth it, they end once no ingest asks for them.
      if (isDear) sharedUntil = clock.monotonic() + TURN.sharedMs
      unanswered = 0
      if (endsTurn) return
      until = clock.monotonic() + few(TURN.silence)
    }
    if (unanswered >= TURN.unanswered) sharedUntil = -Infinity
    if (clock.monotonic() >= limit) lost++
  }

  function stop(): void {
    sharedUntil = -Infinity
    began = -Infinity
  }
  function isMine(): boolean {
    if (!isShared()) stop()
    return began !== undefined
  }
  return {
    isMine,
    mine: async (newest, arrivals) => {
      if (isMine()) return
      await wait(newest, arrivals)
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
      const now = clock.monotonic()
      quickestMs = Math.min(Math.max(now - sentAt, TURN.quickestMs), quickestMs * TURN.fade)
      lost = 0
      if (someoneWaits) share()
      if (!endsTurn) return
      ownEnd = { revision, answerBy: now + few(TURN.answer) }
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
