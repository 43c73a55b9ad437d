/**
 * Publishes what happens to runs, once: each notification has an id that follows from the run and its state.
 *
 * Every instance keeps what is not published yet until it sees it in the journal. So when the one that publishes dies, the next one goes on
 * where it was.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Logger } from '#shared/logger.ts'
import type { PublishItem, PublishResult, Publisher } from '#shared/publish/publish.ts'
import type { RunView, Transition } from '#shared/runs/runs.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Store } from '#shared/store/store.ts'
import { RUNS_LIMITS } from './limits.ts'
import { RUN_EVENT, type RunKeys } from './run_schema.ts'

export interface AnnouncementParts {
  readonly store: Store
  /** With strict ids: an id that is used again is refused. */
  readonly publisher: Pick<Publisher, 'publish'>
  readonly keys: RunKeys
  readonly clock: Clock
  readonly logger: Logger
  /** Default: {@link RUNS_LIMITS}. */
  readonly startsPerHour?: number
}

/** What is to be published. */
export interface Announcements {
  add(transitions: readonly Transition[]): void
  /** A notification with this key is stored. */
  seen(key: string): void
  /** Whether something waits. */
  isWaiting(): boolean
  /** Publishes what waits, the states of a run in their order. What the store does not take now waits on. Never rejects. */
  publish(): Promise<void>
  /** How many were let go because there were too many. */
  dropped(): number
}

/** What waits to be published. */
interface Waiting {
  readonly item: PublishItem
  /** The run's id. */
  readonly run: string
}

const HOUR_MS = 3_600_000
/** The `source` of notifications of runs. */
const SOURCE = 'urn:aviso:runs'

/** No announcements yet. */
export function createAnnouncements(parts: AnnouncementParts): Announcements {
  const { clock, logger, publisher, startsPerHour = RUNS_LIMITS.startsPerHour } = parts
  const waiting = new Map<string, Waiting>()
  const stored = new Set<string>()
  let dropped = 0
  let isTold = false
  let starts = { since: clock.monotonic(), count: 0 }
  let publishing: Promise<void> | undefined

  function remember(key: string): void {
    waiting.delete(key)
    stored.add(key)
    if (stored.size <= RUNS_LIMITS.announced) return
    const [oldest] = stored
    if (oldest !== undefined) stored.delete(oldest)
  }

  /** Whether so many runs start that no more of that is told. What else happens to them is. */
  function isTooMany({ state }: Transition): boolean {
    if (state !== 'started') return false
    const now = clock.monotonic()
    if (now - starts.since >= HOUR_MS) starts = { since: now, count: 0 }
    if (starts.count++ === startsPerHour)
      logger('error', 'So many runs have started in an hour that the start of more is not told', {
        startsPerHour,
      })
    if (starts.count <= startsPerHour) return false
    dropped++
    return true
  }

  function take(transition: Transition): void {
    if (isTooMany(transition)) return
    const item = toItem(parts, transition)
    if (item === undefined || stored.has(item.keys.stem)) return
    waiting.set(item.keys.stem, { item, run: transition.run.id })
    if (waiting.size <= RUNS_LIMITS.waiting) return
    const [oldest] = waiting.keys()
    if (oldest !== undefined) waiting.delete(oldest)
    dropped++
    if (!isTold)
      logger('error', 'Too many notifications of runs wait to be published; the oldest are let go', {
        waiting: RUNS_LIMITS.waiting,
      })
    isTold = true
  }

  async function publishAll(): Promise<void> {
    while (waiting.size > 0) {
      const part = nextPart(waiting)
      const known = await storedAmong(
        parts.store,
        part.map(({ keys }) => keys.stem),
      )
      for (const key of known) remember(key)
      const items = part.filter(({ keys }) => !known.has(keys.stem))
      const results = await publisher.publish(items)
      for (const [index, result] of results.entries()) {
        const key = items[index]?.keys.stem ?? ''
        if (isSettled(result)) remember(key)
        if (!result.ok && isRefused(result))
          logger('error', 'A notification of a run could not be published', {
            key,
            code: result.error.code,
            reason: result.error.message,
          })
      }
      if (results.some((result) => !isSettled(result))) return
    }
  }

  return {
    add: (transitions) => {
      for (const transition of transitions) take(transition)
    },
    seen: remember,
    isWaiting: () => waiting.size > 0,
    publish: () =>
      (publishing ??= publishAll()
        .catch((error: unknown) => {
          // It is tried again with the next look at the clock.
          if (!isAvisoError(error)) throw error
        })
        .finally(() => {
          publishing = undefined
        })),
    dropped: () => dropped,
  }
}

/** What is to be published together: one state of a run, because some of it may be stored and the rest not. */
function nextPart(waiting: ReadonlyMap<string, Waiting>): readonly PublishItem[] {
  const runs = new Set<string>()
  const part: PublishItem[] = []
  for (const { item, run } of waiting.values()) {
    if (runs.has(run)) continue
    runs.add(run)
    if (part.push(item) === RUNS_LIMITS.perPublish) break
  }
  return part
}

/** Whether it need not be tried again. */
function isSettled(result: PublishResult): boolean {
  return result.ok || isAvisoError(result.error, 'ERR_ID_REUSED') || isRefused(result)
}

/** Whether the store will never take it. */
function isRefused(result: PublishResult): boolean {
  return (
    !result.ok &&
    isAvisoError(
      result.error,
      'ERR_READ_ONLY',
      'ERR_TOO_LARGE',
      'ERR_INVALID_NOTIFICATION',
      'ERR_INVALID_RANGE',
    )
  )
}

/** The window of recent ids is bounded, and the keys are not. */
async function storedAmong(store: Store, keys: readonly string[]): Promise<ReadonlySet<string>> {
  const { results } = await store.txn({
    compare: [],
    success: keys.map((key) => ({ kind: 'range', range: { key: toBytes(key), keysOnly: true } })),
  })
  return new Set(
    keys.filter((_, index) => {
      const result = results[index]
      return result?.kind === 'range' && result.result.kvs.length > 0
    }),
  )
}

/** `undefined` for a run whose values cannot stand in a key, which is logged. */
function toItem({ keys, logger }: AnnouncementParts, transition: Transition): PublishItem | undefined {
  const { run, state, at } = transition
  try {
    return {
      event: RUN_EVENT,
      keys: keys.of({ event: run.event_type, run: run.run }, state),
      value: toBytes(JSON.stringify(withoutNulls(run))),
      id: `${run.id}/${state}`,
      source: SOURCE,
      time: new Date(at).toISOString(),
    }
  } catch (error) {
    if (!isAvisoError(error)) throw error
    logger('error', 'A run cannot be published', { run: run.id, code: error.code, reason: error.message })
    return undefined
  }
}

function withoutNulls(view: RunView): object {
  return Object.fromEntries(Object.entries(view).filter(([, value]) => value !== null))
}
