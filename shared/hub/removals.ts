/**
 * Removals: which notifications operators have removed. This module follows that in the store. The hub asks it about every notification
 * before delivery.
 *
 * Flow: store → hub → **removals** → auth → listener
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import { REMOVED_PREFIX } from '#shared/journal/journal.ts'
import type { Notification } from '#shared/notification/notification.ts'
import { prefixRange, toText } from '#shared/bytes/bytes.ts'
import type { KeyValue, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import { followStore } from './source/follow.ts'
import { NOTHING_REMOVED, parseRemoved, type Removed } from '#shared/journal/removed.ts'

/** Wait before everything is read again, after the watch could not go on. */
const RESTART_MS = 1_000

export interface Removals {
  /** Whether a notification is no longer delivered. All streams have this one function, so that equal requests share a group. */
  readonly isRemoved: (notification: Pick<Notification, 'event' | 'revision' | 'sequence'>) => boolean
  /** A number that rises with every change. */
  readonly version: () => number
  /** Ends the watch. Idempotent. */
  close(): Promise<void>
}

export interface RemovalsParts {
  readonly store: Store
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
}

/**
 * Reads which notifications are removed, and follows the changes.
 *
 * @throws {AvisoError} The store's error at the first read.
 */
export async function openRemovals(parts: RemovalsParts): Promise<Removals> {
  const { store, clock, logger } = parts
  const stop = new AbortController()
  const range = prefixRange(REMOVED_PREFIX)
  let known = new Map<string, Removed>()
  let version = 0

  function learn(kv: KeyValue, into: Map<string, Removed>): void {
    const event = toText(kv.key).slice(REMOVED_PREFIX.length)
    try {
      into.set(event, parseRemoved(kv.value, event))
    } catch (error) {
      // The known removals stay: an operator can fix that too little is shown, but a removed notification that was shown stays seen.
      logger(
        'error',
        'The list of removed notifications could not be read; the last known list stays in use',
        {
          event,
          code: isAvisoError(error) ? error.code : 'ERR_INTERNAL',
        },
      )
      into.set(event, known.get(event) ?? NOTHING_REMOVED)
    }
  }
  async function readAll(): Promise<bigint> {
    const { kvs, revision } = await store.range(range, { signal: stop.signal })
    const read = new Map<string, Removed>()
    for (const kv of kvs) learn(kv, read)
    known = read
    version++
    return revision
  }
  async function follow(from: bigint): Promise<void> {
    for await (const message of followStore({ ...parts, range, from, signal: stop.signal })) {
      if (message.kind !== 'revision') continue
      version++
      for (const { kind, kv } of message.events) {
        if (kind === 'put') learn(kv, known)
        else known.delete(toText(kv.key).slice(REMOVED_PREFIX.length))
      }
    }
  }
  async function keepFollowing(first: bigint): Promise<void> {
    let from = first
    while (!stop.signal.aborted) {
      try {
        await follow(from)
      } catch (error) {
        // The history is compacted beyond this place, or the store was replaced. Only the present state matters, so it is read again.
        logger('warn', 'The list of removed notifications is read again', {
          code: isAvisoError(error) ? error.code : 'ERR_INTERNAL',
        })
        await clock.sleep(RESTART_MS, stop.signal)
        from = (await readAll().catch(() => from - 1n)) + 1n
      }
    }
  }

  const running = keepFollowing((await readAll()) + 1n)
  return {
    isRemoved: ({ event, revision, sequence }) => {
      const removed = known.get(event)
      if (removed === undefined) return false
      return revision <= removed.wipedThrough || (sequence !== undefined && removed.ids.has(sequence))
    },
    version: () => version,
    close: async () => {
      stop.abort()
      await running
    },
  }
}
