/**
 * Group commit: the writes of one turn of the event loop share one durable transaction, each with a revision of its own. Nothing is
 * acknowledged, readable or watched before that transaction is on disk.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Logger } from '#shared/logger.ts'
import { onNextTurn } from '#shared/time/turn.ts'
import type { Revision, StoreEvent } from '../store.ts'
import { newestRevision, type RevisionEvents } from './revisions.ts'
import { isDamage, isFull, logDamage, PageDamaged, type StoreState } from './state.ts'
import type { Feed } from './watch.ts'

/** A group keeps the event loop for about 10 ms at most. */
const GROUP_BYTES = 4 * 1_048_576
const GROUP_WRITES = 1_024
/** Writes that may wait, in bytes of their requests; more means that the disk does not keep up. */
const WAITING_BYTES = 64 * 1_048_576
/** What a waiting write costs besides its request. */
const WRITE_OVERHEAD_BYTES = 512

/** What a write did: its answer, and its events, all of one revision. */
export interface Written<Value> {
  readonly value: Value
  readonly events: readonly StoreEvent[]
}

/**
 * Evaluates and applies one write at the store's revision `current`. Either throws an `AvisoError` before it changes
 * anything, or any other error ({@link HalfDone}, SQLite's) at any time, which has its whole transaction undone, or returns its answer and what it wrote as revision `current` + 1.
 */
export type Write<Value> = (current: Revision) => Written<Value>

/** What else is known of a write. */
export interface WriteOptions {
  /** Drops it while it waits. */
  readonly signal?: AbortSignal | undefined
  /** Makes the error where it met a damaged page, of SQLite's error. */
  readonly nameDamage?: (cause: unknown) => AvisoError
}

export interface GroupCommit {
  /**
   * Queues a write.
   *
   * @param bytes Size of its request.
   */
  add<Value>(write: Write<Value>, bytes: number, options?: WriteOptions): Promise<Value>
  /** Runs work that makes no revision in a transaction of its own, now. */
  now<Result>(work: () => Result): Result
  /** Commits all that waits, now. */
  drain(): void
}

/** A write met an error when it had already written: all that its transaction did has to be undone. */
export class HalfDone extends Error {
  /** The refusal of the write. */
  readonly reason: AvisoError
  constructor(reason: AvisoError) {
    super(reason.message)
    this.reason = reason
  }
}

/** What a write did, and how to answer it once its group is on disk. */
interface Outcome {
  readonly events: readonly StoreEvent[]
  readonly answer: () => void
}

/** A write that waits. */
interface Waiting {
  readonly bytes: number
  readonly run: (current: Revision) => Outcome
  readonly refuse: (error: unknown) => void
  readonly nameDamage: WriteOptions['nameDamage']
}

/** The writes of a store. What they commit is passed on to its watches. */
export function createGroupCommit(state: StoreState, feed: Feed): GroupCommit {
  const waiting: Waiting[] = []
  let waitingBytes = 0
  let isScheduled = false
  /** A commit has failed since the newest revision was read. */
  let isUncertain = false

  function schedule(): void {
    if (isScheduled) return
    isScheduled = true
    onNextTurn(onTurn)
  }
  function onTurn(): void {
    isScheduled = false
    commitGroup()
    if (waiting.length > 0) schedule()
  }
  function commitGroup(group = takeGroup()): void {
    if (group.length === 0) return
    const entries: RevisionEvents[] = []
    const answers: (() => void)[] = []
    let current = state.newest
    try {
      transact(state, () => {
        if (isUncertain) current = newestRevision(state.database)
        for (const write of group) {
          const { answer, events } = attempt(write, current, state.logger)
          answers.push(answer)
          if (events.length > 0) entries.push({ revision: ++current, events })
        }
      })
    } catch (error) {
      lookAgain()
      // A damaged page stops only the write that needs it, so each gets a transaction of its own. Nothing of theirs is done yet.
      if (group.length > 1 && isAvisoError(error, 'ERR_STORE_DAMAGED'))
        return group.forEach((write) => commitGroup([write]))
      return refuseAll(group, error, state.logger)
    }
    isUncertain = false
    state.newest = current
    if (entries.length > 0) state.onCommit(entries, current)
    for (const entry of entries) feed.publish(entry)
    for (const answer of answers) answer()
  }
  /** What is on disk decides, not what we think we wrote. If that cannot be read either, the next write looks again. */
  function lookAgain(): void {
    isUncertain = true
    state.onUncertain()
    try {
      state.newest = newestRevision(state.database)
    } catch (error) {
      state.logger('error', 'The store could not be read after a failed write', { cause: String(error) })
    }
    feed.wake()
  }
  function takeGroup(): Waiting[] {
    const { count, bytes } = nextGroup(waiting)
    waitingBytes -= bytes
    return waiting.splice(0, count)
  }
  return {
    add: (write, bytes, { signal, nameDamage } = {}) => {
      const size = bytes + WRITE_OVERHEAD_BYTES
      if (waitingBytes + size > WAITING_BYTES) {
        return Promise.reject(
          new AvisoError('ERR_STORE_UNAVAILABLE', 'The store has too many writes waiting: try again'),
        )
      }
      waitingBytes += size
      schedule()
      return new Promise((resolve, reject) => {
        waiting.push({
          bytes: size,
          refuse: reject,
          nameDamage,
          run: (current) => {
            if (signal?.aborted === true)
              throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The write was given up before it was done')
            const { value, events } = write(current)
            return { events, answer: () => resolve(value) }
          },
        })
      })
    },
    now: (work) => transact(state, work),
    drain: () => {
      while (waiting.length > 0) commitGroup()
    },
  }
}

/** How many of the waiting writes are committed together, and their bytes. */
function nextGroup(waiting: readonly Waiting[]): { readonly count: number; readonly bytes: number } {
  let bytes = 0
  let count = 0
  for (const write of waiting) {
    if (count > 0 && (count === GROUP_WRITES || bytes + write.bytes > GROUP_BYTES)) break
    bytes += write.bytes
    count++
  }
  return { count, bytes }
}

function refuseAll(group: readonly Waiting[], error: unknown, logger: Logger): void {
  for (const { nameDamage, refuse } of group) {
    const named = (error instanceof PageDamaged && nameDamage?.(error.cause)) || error
    if (isAvisoError(named)) logDamage(logger, named)
    refuse(named)
  }
}

/** Runs one write of a group; its refusal is its own, every other failure is the group's. */
function attempt(write: Waiting, current: Revision, logger: Logger): Outcome {
  try {
    return write.run(current)
  } catch (error) {
    if (!isAvisoError(error)) throw error
    logDamage(logger, error)
    return { answer: () => write.refuse(error), events: [] }
  }
}

/** @throws {AvisoError} `ERR_STORE_FULL`, `ERR_OUTCOME_UNKNOWN` where the commit itself failed, `ERR_STORE_UNAVAILABLE`. */
function transact<Result>({ database, logger }: StoreState, work: () => Result): Result {
  let isCommitting = false
  try {
    return database.transaction(() => {
      const result = work()
      isCommitting = true
      return result
    })
  } catch (cause) {
    const error = writeError(cause, isCommitting)
    logger('error', 'A write to the store failed', { code: error.code, cause: String(cause) })
    throw error
  }
}

function writeError(cause: unknown, isCommitting: boolean): AvisoError {
  if (cause instanceof HalfDone) return cause.reason
  if (isFull(cause))
    return new AvisoError(
      'ERR_STORE_FULL',
      'The store has no room left: compact it or make room on its disk',
      { cause },
    )
  if (isCommitting)
    return new AvisoError(
      'ERR_OUTCOME_UNKNOWN',
      'The store failed while it committed: the write may have been done',
      { cause },
    )
  if (isDamage(cause)) return new PageDamaged(cause)
  return new AvisoError('ERR_STORE_UNAVAILABLE', 'The store could not be written: look at its disk', {
    cause,
  })
}
