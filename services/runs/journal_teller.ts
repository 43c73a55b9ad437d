/**
 * Takes what the journal says, as the store has it or as the hub has decoded it, and tells it.
 *
 * @module
 */

import { isInRange, prefixRange, toText } from '#shared/bytes/bytes.ts'
import { isAvisoError } from '#shared/errors.ts'
import type { Entry } from '#shared/hub/source/entry.ts'
import { parseJournal } from '#shared/journal/codec.ts'
import { JOURNAL_PREFIX, REMOVED_PREFIX, type JournalBatch } from '#shared/journal/journal.ts'
import { parseRemoved, type Removed } from '#shared/journal/removed.ts'
import type { Logger } from '#shared/logger.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { Bookmark, RunProduct } from '#shared/runs/runs.ts'
import type { KeyValue, Revision, StoreEvent, WatchMessage } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { nextTurn } from '#shared/time/turn.ts'
import { RUNS_LIMITS } from './limits.ts'
import type { RemovalReaders, RemovalTeller } from './removals.ts'
import { RUN_EVENT } from './run_schema.ts'

const REMOVED_RANGE = prefixRange(REMOVED_PREFIX)

/** What is told of the journal. */
export interface JournalReaders extends RemovalReaders {
  /** All products that were stored before `at` (milliseconds since 1970) have been told. */
  passed(at: number): void
  product(product: RunProduct): void
  /** A notification of a run is stored. */
  announced(key: string): void
  /** `false`: there is more in the journal than was told, or that is not known. */
  upToDate(isSo: boolean): void
}

export interface JournalTellerParts {
  readonly schemas: Schemas
  /** Event types of the products. */
  readonly events: readonly string[]
  readonly clock: Clock
  readonly logger: Logger
}

/** What is known when reading begins. */
export interface TellerStart {
  readonly bookmark: Bookmark | undefined
  readonly removals: RemovalTeller
}

/** Tells what it is given, in that order, with a break now and then. What is damaged is left out, which is logged. */
export interface JournalTeller {
  readonly message: (message: Exclude<WatchMessage, { readonly kind: 'created' }>) => Promise<void>
  readonly entries: (entries: readonly Entry[]) => Promise<void>
  /** Tells an entry now. @returns `false` for one that needs a read of the store: nothing of it is told then */
  readonly now: (entry: Entry) => boolean
}

export function createJournalTeller(
  parts: JournalTellerParts,
  start: TellerStart,
  readers: JournalReaders,
): JournalTeller {
  const { logger } = parts
  const products = createProductTeller(parts, start, readers)

  async function tell(kv: KeyValue): Promise<void> {
    const key = toText(kv.key)
    try {
      if (key.startsWith(JOURNAL_PREFIX)) tellJournal(key, kv)
      else if (key.startsWith(REMOVED_PREFIX)) await tellRemoved(key.slice(REMOVED_PREFIX.length), kv)
    } catch (error) {
      if (!isAvisoError(error, 'ERR_STORE_PROTOCOL')) throw error
      logger('error', 'A journal could not be read, so its products are missing in their runs', {
        key,
        code: error.code,
      })
    }
  }

  function tellJournal(key: string, { value, modRevision }: KeyValue): void {
    const event = key.slice(JOURNAL_PREFIX.length)
    if (products.follows(event)) products.batch(event, modRevision, parseJournal(value, key))
  }

  async function tellRemoved(event: string, { value, modRevision }: KeyValue): Promise<void> {
    if (!products.follows(event)) return
    const now = { ...parseRemoved(value, event), revision: modRevision }
    await start.removals.tell(event, now, parts.clock.now())
  }

  return {
    message: async (message) => {
      if (message.kind === 'progress') return
      for (const { kind, kv } of message.events) if (kind === 'put') await tell(kv)
      if (products.isBreakDue()) await nextTurn()
    },
    entries: async (entries) => {
      for (const entry of entries) {
        products.entry(entry)
        for (const event of entry.relayed) if (isRemoval(event)) await tell(event.kv)
        if (products.isBreakDue()) await nextTurn()
      }
    },
    now: (entry) => {
      if (entry.relayed.some(isRemoval)) return false
      products.entry(entry)
      return true
    },
  }
}

function isRemoval({ kind, kv }: StoreEvent): boolean {
  return kind === 'put' && isInRange(kv.key, REMOVED_RANGE)
}

/** Tells products, and which notifications of runs are stored. */
interface ProductTeller {
  readonly follows: (event: string) => boolean
  /** What one journal holds. */
  readonly batch: (event: string, revision: Revision, batch: JournalBatch) => void
  /** What the journals of a revision hold; they have been parsed. */
  readonly entry: (entry: Entry) => void
  /** Whether so many were told since the last one that others should have their turn. */
  readonly isBreakDue: () => boolean
}

/** What decides whether a product is told. */
interface Terms {
  readonly event: string
  readonly isFollowed: boolean
  readonly isRun: boolean
  /** Number of the first product that is to be told. */
  readonly first: number
  readonly removed: Removed
}

function isLeftOut({ first, removed }: Terms, revision: Revision, sequence: number): boolean {
  if (sequence < first || revision <= removed.wipedThrough) return true
  return removed.ids.size > 0 && removed.ids.has(BigInt(sequence))
}

function createProductTeller(
  parts: JournalTellerParts,
  { bookmark, removals }: TellerStart,
  readers: JournalReaders,
): ProductTeller {
  const { schemas, events } = parts
  const followed = new Set(events)
  const firsts = new Map(events.map((event) => [event, bookmark?.events[event]?.sequence ?? 0]))
  let sinceBreak = 0

  const follows = (event: string): boolean => event === RUN_EVENT || followed.has(event)

  /** What holds for an event type until the next removal. */
  function termsOf(event: string): Terms {
    return {
      event,
      isFollowed: follows(event),
      isRun: event === RUN_EVENT,
      first: firsts.get(event) ?? 0,
      removed: removals.of(event),
    }
  }

  function tellBatch(event: string, revision: Revision, batch: JournalBatch): void {
    const at = Date.parse(batch.at)
    readers.passed(at - RUNS_LIMITS.lagMs)
    if (event === RUN_EVENT) {
      for (const { key } of batch.events) readers.announced(key)
      return
    }
    const terms = termsOf(event)
    for (const { key, seq, fields } of batch.events) {
      const request = isLeftOut(terms, revision, seq) ? undefined : schemas.decodeKey(key)?.request
      if (request === undefined) continue
      readers.product({
        event,
        fields: fields === undefined ? request : { ...request, ...fields },
        at,
        revision,
        sequence: seq,
      })
    }
    sinceBreak += batch.events.length
  }

  /** Those that the journal describes; it has been parsed for them. */
  function tellNotifications({ revision, notifications }: Entry): void {
    let time: string | undefined
    let at = 0
    let terms: Terms | undefined
    for (const notification of notifications) {
      if (notification?.committedAt === undefined) continue
      const { event, key, committedAt, request } = notification
      if (terms?.event !== event) terms = termsOf(event)
      if (!terms.isFollowed) continue
      if (committedAt !== time) {
        time = committedAt
        at = Date.parse(committedAt)
        readers.passed(at - RUNS_LIMITS.lagMs)
      }
      if (terms.isRun) {
        readers.announced(key)
        continue
      }
      const sequence = Number(notification.sequence ?? 0n)
      if (!isLeftOut(terms, revision, sequence))
        readers.product({ event, fields: request, at, revision, sequence })
    }
    sinceBreak += notifications.length
  }

  return {
    follows,
    batch: tellBatch,
    entry: tellNotifications,
    isBreakDue: () => {
      if (sinceBreak < RUNS_LIMITS.productsPerTurn) return false
      sinceBreak = 0
      return true
    },
  }
}
