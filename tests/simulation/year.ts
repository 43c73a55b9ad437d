/**
 * A year of a store under an admin, on a clock that stands still until it is told to move: every hour notifications are published and
 * the compactor runs, every night the cleaner. What the admin promises is checked all the way.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { createJobs, type Jobs } from '#services/admin/jobs/jobs.ts'
import type { AdminSettings } from '#services/admin/jobs/settings.ts'
import { revisionOfDate } from '#shared/journal/positions.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { createPublisher } from '#shared/publish/publisher.ts'
import type { PublishItem } from '#shared/publish/publish.ts'
import { prefixRange, toBytes } from '#shared/bytes/bytes.ts'
import type { StoreMaintenance } from '#shared/store/maintenance.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import { silentLogger } from '#shared/logger.ts'
import { createSkippingClock, type TestClock } from '../support/clock.ts'

/** What is simulated. */
export interface Year {
  /** Opened with the clock that {@link simulate} hands over. */
  readonly open: (clock: TestClock) => Promise<SimulatedStore>
  readonly days: number
  readonly perDay: number
  readonly retentionDays: number
  /** Hours between two runs of the compactor. Default: 1, as configured. */
  readonly compactEveryHours?: number
  readonly onDay?: (day: DayFigures) => void
}

/** A store under simulation. */
export interface SimulatedStore {
  readonly store: Store
  readonly maintenance?: StoreMaintenance | undefined
  /** Waits until the store has done in the background what it was told, which takes real time. Absent: it does nothing there. */
  readonly settle?: () => Promise<void>
}

/** The store at the end of a day. */
export interface DayFigures {
  readonly day: number
  readonly revision: Revision
  /** Notifications that can be read. */
  readonly notifications: number
  readonly sizeBytes: number
  readonly sizeInUseBytes: number
  /** How far back history reaches. */
  readonly historyDays: number
}

/** What came of it. */
export interface YearFigures {
  readonly days: readonly DayFigures[]
  readonly published: number
  readonly deleted: number
  /** Replays from a time within the retention that were tried; all of them found what they should. */
  readonly replays: number
  /** The least that history reached back after the first retention, in days: never less than the retention. */
  readonly leastHistoryDays: number
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const START = Date.UTC(2026, 0, 1)
const DESTINATIONS = ['MACI', 'SCL', 'EC1', 'FOO', 'XYZ']
const EVENTS = ['mars', 'dissemination'] as const
const PREFIXES = ['/ec/mars/date=', '/ec/diss/']

const schemas = createBuiltinSchemas()

/** One publish as it happened. */
interface Written {
  readonly revision: Revision
  readonly at: number
}

/**
 * Simulates, and checks: nothing younger than the retention is ever compacted, no notification younger than it is ever deleted, and every
 * replay from within it finds its place.
 *
 * @throws {assert.AssertionError} When a promise is broken.
 */
export async function simulate(year: Year): Promise<YearFigures> {
  const { open, days, perDay, retentionDays, compactEveryHours = 1, onDay } = year
  const clock = createSkippingClock(START)
  const { store, maintenance, settle } = await open(clock)
  const retentionMs = retentionDays * DAY_MS
  const settings: AdminSettings = {
    historyMs: retentionMs,
    ageMs: retentionMs,
    events: {},
    longestGapMs: 3 * compactEveryHours * HOUR_MS,
    roots: ['/ec/mars/', '/ec/diss/', '/ec/admin/', '/tmp/aviso/flight/'],
    legacyHistoryKey: '/ec/admin/history',
    defragmentWasteBytes: undefined,
  }
  let randoms = 0
  const random = (): string => `random-${++randoms}`
  const jobs = createJobs({
    store,
    maintenance,
    schemas,
    clock,
    logger: silentLogger,
    settings,
    holder: 'admin',
  })
  const identity = { unixUser: 'user', hostname: 'host', version: '1' }
  const publisher = createPublisher({ store, clock, random, logger: silentLogger, identity })
  const written = new Map<string, Written[]>(EVENTS.map((event) => [event, []]))
  const figures: DayFigures[] = []
  let deleted = 0
  let published = 0
  let replays = 0
  let oldest: Written = { revision: 1n, at: START }

  for (let day = 0; day < days; day++) {
    for (let hour = 0; hour < 24; hour++) {
      const items = Array.from({ length: Math.round(perDay / 24) }, () => toItem(published++, clock.now()))
      for (const result of await publisher.publish(items)) {
        assert.ok(result.ok)
        written.get(result.receipt.event)?.push({ revision: result.receipt.revision, at: clock.now() })
      }
      clock.pass(HOUR_MS / 2)
      if (hour === 0) deleted += await clean(jobs, clock.now())
      clock.pass(HOUR_MS / 2)
      if ((hour + 1) % compactEveryHours > 0) continue
      oldest = await compact(jobs, clock.now(), { written, oldest, retentionMs })
    }
    await settle?.()
    for (const event of EVENTS) {
      await replay(store, {
        event,
        written: written.get(event) ?? [],
        now: clock.now(),
        backMs: (retentionMs * ((day * 7) % 101)) / 101,
      })
      replays++
    }
    const { revision, sizeBytes, sizeInUseBytes } = await store.status()
    const notifications = await countNotifications(store)
    const historyDays = (clock.now() - oldest.at) / DAY_MS
    const figure = { day, revision, notifications, sizeBytes, sizeInUseBytes, historyDays }
    // Today and the days before it that the night's cleaning has left.
    assert.ok(
      notifications >= Math.min(day + 1, retentionDays - 1) * Math.round(perDay / 24) * 24,
      `day ${day}: only ${notifications} are left`,
    )
    figures.push(figure)
    onDay?.(figure)
  }
  await publisher.close()
  await jobs.close()
  await store.close()
  const settled = figures.filter(({ day }) => day >= retentionDays)
  const leastHistoryDays = Math.min(...settled.map(({ historyDays }) => historyDays))
  return { days: figures, published, deleted, replays, leastHistoryDays }
}

function toItem(n: number, now: number): PublishItem {
  const event = EVENTS[n % EVENTS.length] ?? 'mars'
  const date = new Date(now).toISOString().slice(0, 10).replaceAll('-', '')
  const request = {
    class: 'od',
    date,
    domain: 'g',
    expver: '1',
    time: '0',
    stream: 'oper',
    step: n % 100_000,
  }
  const destination = DESTINATIONS[n % DESTINATIONS.length] ?? 'MACI'
  const keys = schemas
    .require(event)
    .encode(event === 'mars' ? request : { ...request, destination, target: 'E1' })
  return {
    event,
    keys,
    value: toBytes(`s3://data.example.int/${event}/${date}/${n}.grib2`),
    id: `id-${n}`,
    source: '/simulation',
  }
}

async function clean(jobs: Jobs, slot: number): Promise<number> {
  const report = await jobs.run('clean', { slot })
  return 'deleted' in report ? Number(report['deleted']) : 0
}

interface Kept {
  readonly written: ReadonlyMap<string, readonly Written[]>
  readonly oldest: Written
  readonly retentionMs: number
}

/** @returns The newest publish that can no longer be replayed. */
async function compact(jobs: Jobs, now: number, { written, oldest, retentionMs }: Kept): Promise<Written> {
  const report = (await jobs.run('compact', { slot: now })) as { readonly compacted_to?: string }
  if (report.compacted_to === undefined) return oldest
  const target = BigInt(report.compacted_to)
  const lost = [...written.values()]
    .map((all) => all.findLast(({ revision }) => revision < target))
    .filter((last) => last !== undefined)
  const youngest = lost.reduce((last, other) => (other.at > last.at ? other : last), oldest)
  assert.ok(
    now - youngest.at >= retentionMs,
    `compacted ${(retentionMs - (now - youngest.at)) / HOUR_MS} h early`,
  )
  return youngest
}

/** A listener comes back and asks for everything since a time within the retention. */
async function replay(
  store: Store,
  {
    event,
    written,
    now,
    backMs,
  }: {
    readonly event: string
    readonly written: readonly Written[]
    readonly now: number
    readonly backMs: number
  },
): Promise<void> {
  const since = Math.max(now - backMs, START)
  const expected = written.find(({ at }) => at >= since)
  const position = await revisionOfDate(store, event, since)
  if (expected === undefined) return assert.equal(position.kind, 'future')
  assert.equal(position.kind, 'found', `${event} since ${new Date(since).toISOString()}`)
  assert.equal(position.revision, expected.revision)
  for await (const message of store.watch({ ...prefixRange('/ec/'), from: position.revision })) {
    if (message.kind === 'created') continue
    assert.equal(message.revision, expected.revision)
    break
  }
}

async function countNotifications(store: Store): Promise<number> {
  let count = 0n
  for (const prefix of PREFIXES)
    count += (await store.range({ ...prefixRange(prefix), countOnly: true })).count
  return Number(count)
}
