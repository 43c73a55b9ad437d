/**
 * What is removed of all event types, followed in the store: asked for every notification before it is delivered.
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

/** Wait before everything is read again, where the watch cannot go on. */
const RESTART_MS = 1_000

/** What is removed. */
export interface Removals {
  /** Whether a notification is no longer delivered. One function for all streams, so that those which ask for the same share. */
  readonly isRemoved: (notification: Pick<Notification, 'event' | 'revision' | 'sequence'>) => boolean
  /** Rises with every change. */
  readonly version: () => number
  /** Ends the watch. Idempotent. */
  close(): Promise<void>
}

/** What following works with. */
export interface RemovalsParts {
  readonly store: Store
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
}

/**
 * Reads what is removed, and follows it.
 *
 * @throws {AvisoError} What the store throws at the first read.
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
      // What was known stays: showing too little is mended by an operator, showing too much is not.
      logger('error', 'What was removed could not be read', {
        event,
        code: isAvisoError(error) ? error.code : 'ERR_INTERNAL',
      })
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
        // Compacted past us, or replaced: what holds now is all that matters.
        logger('warn', 'What was removed is read anew', {
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
