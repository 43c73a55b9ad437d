/**
 * Gathers what the lanes want to commit, so that one transaction of the store carries many event types. A lane learns only what became of its
 * own attempt.
 *
 * Flow: lane → **joint commit** → store
 *
 * An attempt is sent at once while few transactions are under way. Otherwise it waits, for a moment, until one of them is done, together with
 * those of other lanes.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin } from '#shared/time/deadline.ts'
import { nextTurn, onNextTurn } from '#shared/time/turn.ts'
import type { Attempt } from './attempt.ts'
import type { CommitDelay } from './commit_delay.ts'
import { createRoom, joinAttempts, separate, type Outcome, type Room } from './joint_txn.ts'
import { GATHER, type PublishLimits } from './limits.ts'
import { failUnknown } from './outcome.ts'

export interface JointCommit {
  /**
   * Says that a lane has work. Others that are ready wait for it, but only for this turn of the event loop.
   *
   * @returns a promise that resolves in the next turn: what arrives in one turn goes into one transaction
   */
  enter(): Promise<void>
  /** Says that a lane has no more work. */
  leave(): void
  /** Sends the attempt of a lane that has entered. @throws {AvisoError} The store's error; `ERR_OUTCOME_UNKNOWN` without an answer. */
  send(attempt: Attempt): Promise<Outcome>
}

export interface JointCommitParts {
  readonly store: Store
  readonly delay: Pick<CommitDelay, 'decideAnew'>
  readonly clock: Clock
  readonly limits: PublishLimits
}

/** An attempt that waits. */
interface Waiting {
  readonly attempt: Attempt
  /** Whether it goes in a transaction of its own. */
  readonly isAlone: boolean
  readonly answer: (outcome: Outcome) => void
  readonly fail: (error: unknown) => void
}

/** Transactions that were sent together. */
interface Wave {
  /** In monotonic time. */
  readonly sentAt: number
  /** Transactions that are under way. */
  left: number
}

export function createJointCommit({ store, delay, clock, limits }: JointCommitParts): JointCommit {
  /** Lanes that have work and have not sent it yet. */
  let preparing = 0
  let waiting: Waiting[] = []
  /** Those under way, in order. */
  let waves: Wave[] = []
  let isTurnAwaited = false
  /** The next turn, for all lanes that enter in this one. */
  let turn: Promise<void> | undefined
  let stopTimer: (() => void) | undefined

  /** Sends what waits, or sees to it that it is sent soon. */
  function look(isTurnOver = false): void {
    if (waiting.length === 0) return
    const now = clock.monotonic()
    // A wave that takes long holds up nobody: its store may be gone.
    const young = waves.filter(({ sentAt }) => now - sentAt < GATHER.mostMs)
    const [oldest] = young
    if (oldest !== undefined && young.length >= GATHER.waves) {
      return lookAfter(oldest.sentAt + GATHER.mostMs - now)
    }
    if (preparing === 0 || isTurnOver) return dispatch(now)
    if (isTurnAwaited) return
    isTurnAwaited = true
    onNextTurn(() => {
      isTurnAwaited = false
      look(true)
    })
  }

  function lookAfter(ms: number): void {
    stopTimer ??= clock.after(ms, () => {
      stopTimer = undefined
      look(true)
    })
  }

  function dispatch(now: number): void {
    stopTimer?.()
    stopTimer = undefined
    const loads = pack(waiting)
    waiting = []
    const wave = { sentAt: now, left: loads.length }
    waves.push(wave)
    for (const load of loads) void carry(load, wave)
  }

  /** Sends one transaction, and answers its attempts. Never rejects. */
  async function carry(load: readonly Waiting[], wave: Wave): Promise<void> {
    const attempts = load.map(({ attempt }) => attempt)
    const limit = { clock, ms: limits.attemptMs, late: failUnknown }
    const request = joinAttempts(attempts)
    const sent = runWithin((signal) => store.txn(request, { signal }), limit)
    const settled = await sent.then(
      (result) => () => answer(load, separate(attempts, result)),
      (error: unknown) => () => refuse(load, error),
    )
    if (--wave.left === 0) waves = waves.filter((other) => other !== wave)
    delay.decideAnew()
    settled()
    look()
  }

  function answer(load: readonly Waiting[], outcomes: readonly Outcome[]): void {
    preparing += load.length
    for (const [index, outcome] of outcomes.entries()) load[index]?.answer(outcome)
  }

  function refuse(load: readonly Waiting[], error: unknown): void {
    // Each of them finds out for itself whether it is the one.
    if (load.length > 1 && isOfOne(error)) {
      for (const one of load) waiting.push({ ...one, isAlone: true })
      return
    }
    preparing += load.length
    for (const { fail } of load) fail(error)
  }

  return {
    enter: () => {
      preparing++
      return (turn ??= nextTurn().then(() => {
        turn = undefined
        delay.decideAnew()
      }))
    },
    leave: () => {
      preparing--
      look()
    },
    send: (attempt) =>
      new Promise((answer, fail) => {
        waiting.push({ attempt, isAlone: false, answer, fail })
        preparing--
        look()
      }),
  }
}

/** Distributes what waits over transactions, as few as there may be. Each takes what fits, in order. */
function pack(waiting: readonly Waiting[]): readonly (readonly Waiting[])[] {
  const loads: { readonly room: Room | undefined; readonly load: Waiting[] }[] = []
  for (const one of waiting) {
    const found = one.isAlone ? undefined : loads.find(({ room }) => room?.take(one.attempt) === true)
    if (found !== undefined) {
      found.load.push(one)
      continue
    }
    const room = one.isAlone ? undefined : createRoom()
    room?.take(one.attempt)
    loads.push({ room, load: [one] })
  }
  return loads.map(({ load }) => load)
}

/** Whether one attempt may be what the store has refused, and the others would do. It did nothing then. */
function isOfOne(error: unknown): boolean {
  return isAvisoError(error, 'ERR_TOO_LARGE', 'ERR_INVALID_RANGE', 'ERR_NOT_FOUND', 'ERR_STORE_DAMAGED')
}
