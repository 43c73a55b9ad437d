/**
 * What the verbs of one open store share.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Logger } from '#shared/logger.ts'
import type { SqlDatabase } from '#shared/runtime/runtime.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { CallOptions, Revision } from '../store.ts'
import { REMEDIES } from './checksum.ts'
import type { RevisionEvents } from './revisions.ts'

/** SQLite's result code for a full disk. */
const SQLITE_FULL = 13

/** Revisions at which reads are under way: compaction waits for them. */
export interface Pins {
  /** @returns What lets it go. */
  hold(revision: Revision): () => void
  /** Resolves when no read is under way at an earlier revision. */
  waitFor(revision: Revision): Promise<void>
}

/** One open store. */
export interface StoreState {
  readonly database: SqlDatabase
  readonly pins: Pins
  readonly clock: Clock
  readonly logger: Logger
  /** Revision of the last write that is on disk. */
  newest: Revision
  /** Told of each commit that made revisions, before they are acknowledged. */
  readonly onCommit: (committed: readonly RevisionEvents[], newest: Revision) => void
  /** Told when a commit failed and may have been done. */
  readonly onUncertain: () => void
  isClosed: boolean
}

/** @throws {AvisoError} `ERR_STORE_UNAVAILABLE` where the store is closed, or the call was given up. */
export function begin({ isClosed }: StoreState, options?: CallOptions): void {
  if (isClosed) throw closedError()
  if (options?.signal?.aborted === true)
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The call was given up before anything was done')
}

/** The refusal of a closed store. */
export function closedError(): AvisoError {
  return new AvisoError('ERR_STORE_UNAVAILABLE', 'The store is closed')
}

export function createPins(): Pins {
  /** How many reads are under way at a revision. */
  const held = new Map<Revision, number>()
  let waiting: { readonly revision: Revision; readonly resolve: () => void }[] = []
  const isHeld = (before: Revision): boolean => [...held.keys()].some((revision) => revision < before)
  const release = (revision: Revision): void => {
    const left = (held.get(revision) ?? 0) - 1
    if (left > 0) held.set(revision, left)
    else held.delete(revision)
    if (waiting.length === 0) return
    for (const { revision: before, resolve } of waiting) if (!isHeld(before)) resolve()
    waiting = waiting.filter(({ revision: before }) => isHeld(before))
  }
  return {
    hold: (revision) => {
      held.set(revision, (held.get(revision) ?? 0) + 1)
      return () => release(revision)
    },
    waitFor: (revision) =>
      new Promise((resolve) => {
        if (isHeld(revision)) waiting.push({ revision, resolve })
        else resolve()
      }),
  }
}

/**
 * Runs a read, and logs what is damaged.
 *
 * @throws {AvisoError} `ERR_STORE_DAMAGED`; `ERR_STORE_UNAVAILABLE` for every failure that is not an `AvisoError`.
 */
export function read<Result>({ logger }: Pick<StoreState, 'logger'>, work: () => Result): Result {
  try {
    return work()
  } catch (cause) {
    const error = isAvisoError(cause) ? cause : readError(cause)
    logDamage(logger, error)
    throw error
  }
}

/** Whether SQLite found a page that makes no sense. */
export function isDamage(cause: unknown): boolean {
  return /malformed|SQLITE_CORRUPT/.test(String(cause))
}

/** Reads what may lie on such a page. */
export function orDamage<Result>(work: () => Result): Result | 'damaged' {
  try {
    return work()
  } catch (error) {
    if (isDamage(error)) return 'damaged'
    throw error
  }
}

/** The error for such a page, before it is known what lies there. */
export class PageDamaged extends AvisoError {
  constructor(cause: unknown) {
    super('ERR_STORE_DAMAGED', `A page of the embedded store is damaged. ${REMEDIES}`, { cause })
  }
}

/** Damage is told, whoever meets it. */
export function logDamage(logger: Logger, error: AvisoError): void {
  if (error.code !== 'ERR_STORE_DAMAGED') return
  logger('error', 'The store is damaged', { code: error.code, reason: error.message })
}

/** What stopped a copy: a full disk is told as such. */
export function copyError(error: unknown): unknown {
  const cause = isAvisoError(error) ? error.cause : error
  if (!isFull(cause)) return error
  return new AvisoError('ERR_STORE_FULL', 'There is no room for a copy of the store beside it', { cause })
}

/** Whether SQLite found no room. */
export function isFull(error: unknown): boolean {
  const { errcode } = (error ?? {}) as { errcode?: unknown }
  return errcode === SQLITE_FULL || /SQLITE_FULL|disk is full/.test(String(error))
}

function readError(cause: unknown): AvisoError {
  if (isDamage(cause)) return new PageDamaged(cause)
  return new AvisoError('ERR_STORE_UNAVAILABLE', 'The store could not be read: look at its disk', { cause })
}
