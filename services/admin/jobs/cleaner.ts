/**
 * The cleaner: deletes notifications that have outlived their retention, also those of days without a run, and 1.x's index keys for them.
 * Status documents stay, because 1.x clients find history by them.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { revisionOfDate } from '#shared/journal/positions.ts'
import { readKey } from '#shared/notification/key_format.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { examineKey, expiryRules, type ExpiryBounds, type ExpiryRule } from '#shared/retention/expiry.ts'
import type { MarkHistory } from '#shared/retention/mark_history.ts'
import { createFence, type Fence } from '#shared/retention/roots.ts'
import { newestMarkOlderThan } from '#shared/retention/time_marks.ts'
import { toText } from '#shared/bytes/bytes.ts'
import type { KeyRange, KeyValue, Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Claim } from './claim.ts'
import { indexedRange, planSearch } from './clean_plan.ts'
import { readSigns, requireSoundClock } from './clock_guard.ts'
import type { RunOptions } from './compactor.ts'
import { limitCount } from './count_limit.ts'
import { deleteKeys, type DeleteParts } from './delete_keys.ts'
import { readHistory } from './history_store.ts'
import { createPacer, type Pacer } from './pacer.ts'
import type { AdminSettings } from './settings.ts'
import { storedEvents } from './stored_events.ts'
import { walkKeys } from './walk_keys.ts'

export interface CleanerParts {
  readonly store: Store
  readonly schemas: Schemas
  readonly clock: Clock
  readonly settings: AdminSettings
}

/** How a run is asked for. */
export interface CleanOptions extends RunOptions {
  /** Whether the date alone decides, as in 1.x: notifications written recently with an old date are then deleted, too. */
  readonly byDate: boolean
  /** Whether to look at all keys, and not only where the formats and the index place old ones. */
  readonly full: boolean
  /** Event types to clean; absent: all. */
  readonly events: readonly string[] | undefined
  readonly onProgress: (report: CleaningReport) => void
}

/** What was done for one event type. */
export interface EventCleaning {
  readonly event: string
  /** Keys looked at. */
  scanned: number
  /** Notifications and index keys deleted; in a dry run, those that a run would delete. */
  deleted: number
  /** Bytes of their keys and values. */
  bytes: number
  /** Keys kept despite an expired date, because they were written within the retention, or written again meanwhile. */
  kept_recent: number
}

/** The result of a run, or its progress so far. */
export interface CleaningReport {
  readonly deleted: number
  readonly bytes: number
  readonly dry_run: boolean
  readonly events: readonly Readonly<EventCleaning>[]
}

interface Run extends CleanerParts {
  readonly options: CleanOptions
  readonly pacer: Pacer
  readonly fence: Fence
  readonly now: number
  readonly head: Revision
  readonly history: MarkHistory
  readonly tallies: EventCleaning[]
}

/**
 * Runs the cleaner once.
 *
 * @throws {AvisoError} `ERR_CLOCK_UNSURE` when the clock is far ahead of the store; `ERR_JOB_RUNNING` when another admin has taken over;
 *   `ERR_UNKNOWN_EVENT`; `ERR_CONFIG` when a key lies outside the roots; and what the store throws. The last progress says what was
 *   deleted before the error.
 */
export async function clean(parts: CleanerParts, options: CleanOptions): Promise<CleaningReport> {
  const { store, schemas, clock, settings } = parts
  const { history, head } = await readHistory(store, settings.legacyHistoryKey, options)
  const now = clock.now()
  if (!options.trustClock) requireSoundClock(now, await readSigns(store, schemas, history, options))
  const run: Run = {
    ...parts,
    options,
    pacer: createPacer(clock, options.signal),
    fence: createFence(settings.roots),
    now,
    head,
    history,
    tallies: [],
  }
  const events = options.events ?? (await storedEvents(store, schemas, options))
  for (const event of events) await cleanEvent(run, event)
  return reportOf(run)
}

function reportOf({ tallies, options }: Run): CleaningReport {
  const sum = (figure: (tally: EventCleaning) => number): number =>
    tallies.reduce((total, tally) => total + figure(tally), 0)
  return {
    deleted: sum(({ deleted }) => deleted),
    bytes: sum(({ bytes }) => bytes),
    dry_run: options.claim === undefined,
    events: tallies.map((tally) => ({ ...tally })),
  }
}

async function cleanEvent(run: Run, event: string): Promise<void> {
  const { schemas, settings, now, options } = run
  const own = settings.events[event]
  const retention = { ageMs: own?.ageMs ?? settings.ageMs, dateField: own?.dateField }
  const rules = expiryRules(schemas, event, retention)
  const bounds = await boundsOf(run, event, retention.ageMs)
  const tally: EventCleaning = { event, scanned: 0, deleted: 0, bytes: 0, kept_recent: 0 }
  run.tallies.push(tally)
  const index = rules.find(({ role }) => role === 'admin')
  for (const rule of rules) {
    const search = planSearch(rule, index, { now, isFull: options.full })
    if (search.kind === 'range') await cleanRange(run, { rule, bounds, tally }, search.range)
    else await cleanIndexed(run, { rule, bounds, tally }, search)
  }
  if (own?.count !== undefined || own?.bytes !== undefined) {
    const excess = { event, count: own.count, bytes: own.bytes, head: run.head }
    await limitCount({ ...run, signal: options.signal, remove: (kvs) => remove(run, tally, kvs) }, excess)
  }
}

/** One rule of a run, with its bounds and its count. */
interface Task {
  readonly rule: ExpiryRule
  readonly bounds: ExpiryBounds
  readonly tally: EventCleaning
}

/**
 * The revisions up to which writes count as old.
 *
 * Marks (revisions noted with their time) decide once they go back far enough. Until then, a key written before the first mark counts
 * as old as its date, as in 1.x, unless the journal shows that it is recent. A key without a date is kept until the marks go back far
 * enough.
 */
async function boundsOf(run: Run, event: string, ageMs: number): Promise<ExpiryBounds> {
  const { history, now, store, settings, options, head } = run
  const rules = { longestGapMs: settings.longestGapMs, isTrusted: options.trustClock }
  const proven = newestMarkOlderThan(history.marks, { now, ageMs, rules })?.revision
  const bounds = { now, undatedThrough: proven }
  if (options.byDate) return { ...bounds, recentAfter: undefined }
  if (proven !== undefined) return { ...bounds, recentAfter: proven }
  const unwatched = history.marks[0]?.revision ?? head
  const position = await revisionOfDate(store, event, now - ageMs, options)
  const isRecent = position.kind !== 'future' && position.revision <= unwatched
  return { ...bounds, recentAfter: isRecent ? position.revision - 1n : unwatched }
}

/** @returns the number of the rule's keys that were kept despite an expired date */
async function cleanRange(
  run: Run,
  { rule, bounds, tally }: Task,
  range: Required<KeyRange>,
): Promise<number> {
  const { store, pacer, options } = run
  const before = tally.kept_recent
  await walkKeys({ store, pacer, signal: options.signal, withValues: true }, range, async (kvs) => {
    const expired: KeyValue[] = []
    let skipTo: Uint8Array | undefined
    for (const kv of kvs) {
      tally.scanned++
      const examined = examineKey(rule, { key: toText(kv.key), modRevision: kv.modRevision }, bounds)
      if (examined.verdict === 'expired') expired.push(kv)
      // A key without a date counts as recent until marks prove otherwise, so the report does not count it.
      if (examined.verdict === 'recent' && rule.date !== undefined) tally.kept_recent++
      skipTo = examined.skipTo
      if (skipTo !== undefined) break
    }
    await remove(run, tally, expired)
    return skipTo
  })
  return tally.kept_recent - before
}

/** Cleans the notifications that the index keys name. */
async function cleanIndexed(
  run: Run,
  { rule, bounds, tally }: Task,
  { index, range }: { readonly index: ExpiryRule; readonly range: Required<KeyRange> },
): Promise<void> {
  const { store, pacer, options } = run
  await walkKeys({ store, pacer, signal: options.signal }, range, async (kvs) => {
    for (const kv of kvs) {
      const key = toText(kv.key)
      const values = readKey(index.format, key, index.segmentFields)
      if (values === undefined || !index.isOwn(key)) continue
      await cleanRange(run, { rule, bounds, tally }, indexedRange(rule, index, values))
    }
    return undefined
  })
}

/** Deletes keys, counts them, and reports the progress of the run. */
async function remove(run: Run, tally: EventCleaning, kvs: readonly KeyValue[]): Promise<void> {
  const { store, pacer, fence, options } = run
  for (const { key } of kvs) {
    if (!fence(toText(key))) throw outside(tally.event)
  }
  const { claim } = options
  if (kvs.length > 0) {
    const deleted = await deleteKeys(deletion({ store, pacer }, claim), kvs)
    tally.deleted += deleted.keys
    tally.bytes += deleted.bytes
    tally.kept_recent += deleted.rewritten
  }
  const report = reportOf(run)
  options.onProgress(report)
  await claim?.progress({ ...report })
}

function deletion(parts: Pick<DeleteParts, 'store' | 'pacer'>, claim: Claim | undefined): DeleteParts {
  return { ...parts, job: 'clean', claim }
}

function outside(event: string): AvisoError {
  return new AvisoError(
    'ERR_CONFIG',
    `Keys of ${event} lie outside the admin's roots, so the cleaner stopped: add their prefix to roots, or leave roots out`,
  )
}
