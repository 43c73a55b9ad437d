/**
 * The cleaner: deletes notifications that have outlived their retention, of every missed day, and the index keys of 1.x with
 * them. Status documents stay: they are what 1.x clients find history by.
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
import { walkKeys } from './walk_keys.ts'

/** What the cleaner works with. */
export interface CleanerParts {
  readonly store: Store
  readonly schemas: Schemas
  readonly clock: Clock
  readonly settings: AdminSettings
}

/** How a run is asked for. */
export interface CleanOptions extends RunOptions {
  /** The date alone decides, as in 1.x: what was written lately goes, too. */
  readonly byDate: boolean
  /** Look at all keys, not only where the formats and the index say that old ones are. */
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
  /** Notifications and index keys deleted, or in a dry run to be deleted. */
  deleted: number
  /** Bytes of their keys and values. */
  bytes: number
  /** Keys kept although their date is over, because they were written within the retention, or were written again meanwhile. */
  kept_recent: number
}

/** What a run did, or has done so far. */
export interface CleaningReport {
  readonly deleted: number
  readonly bytes: number
  readonly dry_run: boolean
  readonly events: readonly Readonly<EventCleaning>[]
}

/** One run. */
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
 * Runs once.
 *
 * @throws {AvisoError} `ERR_CLOCK_UNSURE`, `ERR_JOB_RUNNING`, `ERR_UNKNOWN_EVENT`, `ERR_CONFIG`, and what the store throws. What
 * was deleted until then is in the last progress.
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
  for (const event of options.events ?? schemas.events) await cleanEvent(run, event)
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
  if (own?.count !== undefined) {
    const excess = { event, count: own.count, head: run.head }
    await limitCount({ ...run, signal: options.signal, remove: (kvs) => remove(run, tally, kvs) }, excess)
  }
}

/** One rule of a run. */
interface Task {
  readonly rule: ExpiryRule
  readonly bounds: ExpiryBounds
  readonly tally: EventCleaning
}

/**
 * How old writes are, as far as that is known.
 *
 * Once marks go back far enough, they tell it. Before that, what was written before the first mark is as old as its date says:
 * nobody watched, as with 1.x; but what the journal knows to be recent is kept. Keys without a date wait for the marks.
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

/** @returns How many keys of the rule were kept although their date is over. */
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
      // A key without a date is recent until marks prove otherwise: that is nothing to tell.
      if (examined.verdict === 'recent' && rule.date !== undefined) tally.kept_recent++
      skipTo = examined.skipTo
      if (skipTo !== undefined) break
    }
    await remove(run, tally, expired)
    return skipTo
  })
  return tally.kept_recent - before
}

/** Cleans what the index names, and then the index. */
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

/** Deletes keys, counts them, and tells how far the run is. */
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
    `Keys of ${event} lie outside the admin's roots, so nothing of it was deleted: add its prefix to roots, or leave roots out`,
  )
}
