/**
 * Group commit: the writes of one turn of the event loop share one durable transaction.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Logger } from '#shared/logger.ts'
import type { Backend, RevisionEvents } from './backend.ts'
import { onNextTurn } from '#shared/time/turn.ts'
import type { Revision, StoreEvent } from '../store.ts'

/** A group keeps the event loop for about 10 ms at most. */
const GROUP_BYTES = 4 * 1_048_576
const GROUP_WRITES = 1_024
/** Writes that may wait, in bytes of their requests; more means that the disk does not keep up. */
const WAITING_BYTES = 64 * 1_048_576
/** What a waiting write costs besides its request. */
const WRITE_OVERHEAD_BYTES = 512

/**
 * Evaluates and applies one write at the store's revision `current`. Either throws an `AvisoError` before it changes
 * anything, or returns its answer and what it wrote as revision `current` + 1.
 */
export type Write<Value> = (current: Revision) => {
  readonly value: Value
  readonly events: readonly StoreEvent[]
}

export interface GroupCommitParts {
  readonly backend: Backend
  readonly logger: Logger
  /** After a commit, before its writes are answered: the new revisions in order, and the store's revision now. */
  readonly committed: (entries: readonly RevisionEvents[], current: Revision) => void
  /** After a failed commit. Does not throw. */
  readonly failed: () => void
}

export interface GroupCommit {
  /**
   * Queues a write.
   *
   * @param bytes Size of its request.
   * @param signal Drops it while it waits.
   */
  add<Value>(write: Write<Value>, bytes: number, signal?: AbortSignal): Promise<Value>
  /** Runs work that makes no revision in a transaction of its own, now. */
  now<Result>(work: () => Result): Result
  /** Commits all that waits, now. */
  drain(): void
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
}

export function createGroupCommit({ backend, logger, committed, failed }: GroupCommitParts): GroupCommit {
  const waiting: Waiting[] = []
  let waitingBytes = 0
  let scheduled = false

  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    onNextTurn(() => {
      scheduled = false
      commitGroup()
      if (waiting.length > 0) schedule()
    })
  }
  function commitGroup(): void {
    const group = takeGroup()
    if (group.length === 0) return
    const entries: RevisionEvents[] = []
    const answers: (() => void)[] = []
    let current: Revision = 0n
    try {
      transact(() => {
        current = backend.revision()
        for (const write of group) {
          const outcome = attempt(write, current)
          answers.push(outcome.answer)
          if (outcome.events.length > 0) entries.push({ revision: ++current, events: outcome.events })
        }
      })
    } catch (error) {
      for (const write of group) write.refuse(error)
      failed()
      return
    }
    committed(entries, current)
    for (const answer of answers) answer()
  }
  function takeGroup(): Waiting[] {
    let bytes = 0
    let count = 0
    for (const write of waiting) {
      if (count > 0 && (count === GROUP_WRITES || bytes + write.bytes > GROUP_BYTES)) break
      bytes += write.bytes
      count++
    }
    waitingBytes -= bytes
    return waiting.splice(0, count)
  }
  function transact<Result>(work: () => Result): Result {
    let worked = false
    try {
      return backend.transaction(() => {
        const result = work()
        worked = true
        return result
      })
    } catch (cause) {
      const error = writeError(cause, { full: backend.isFull(cause), committing: worked })
      logger('error', 'A write to the store failed', { code: error.code, cause: String(cause) })
      throw error
    }
  }
  return {
    add: (write, bytes, signal) => {
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
          run: (current) => {
            if (signal?.aborted === true)
              throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The write was given up before it was done')
            const { value, events } = write(current)
            return { events, answer: () => resolve(value) }
          },
        })
      })
    },
    now: transact,
    drain: () => {
      while (waiting.length > 0) commitGroup()
    },
  }
}

/** Runs one write of a group; its refusal is its own, every other failure is the group's. */
function attempt(write: Waiting, current: Revision): Outcome {
  try {
    return write.run(current)
  } catch (error) {
    if (!isAvisoError(error)) throw error
    return { answer: () => write.refuse(error), events: [] }
  }
}

function writeError(
  cause: unknown,
  { full, committing }: { full: boolean; committing: boolean },
): AvisoError {
  if (full)
    return new AvisoError(
      'ERR_STORE_FULL',
      'The store has no room left: compact it or make room on its disk',
      { cause },
    )
  if (committing)
    return new AvisoError(
      'ERR_OUTCOME_UNKNOWN',
      'The store failed while it committed: the write may have been done',
      { cause },
    )
  return new AvisoError('ERR_STORE_UNAVAILABLE', 'The store could not be written: look at its disk', {
    cause,
  })
}
