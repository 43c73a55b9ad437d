/** An admin's jobs over a store in memory, with a clock that stands still. */

import { createJobs, type Jobs, type JobsParts } from '#services/admin/jobs/jobs.ts'
import type { AdminSettings } from '#services/admin/jobs/settings.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { createMemoryStore } from '../../../../support/memory_store.ts'
import type { Store } from '#shared/store/store.ts'
import { silentLogger } from '#shared/logger.ts'
import { createSkippingClock, type TestClock } from '../../../../support/clock.ts'

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS
/** 2026-11-25 00:30 UTC. */
export const NOW = Date.UTC(2026, 10, 25, 0, 30)

export const schemas = createBuiltinSchemas()

export const SETTINGS: AdminSettings = {
  historyMs: 16 * DAY_MS,
  ageMs: 15 * DAY_MS,
  events: {},
  longestGapMs: 3 * HOUR_MS,
  roots: ['/ec/diss/', '/ec/mars/', '/ec/admin/', '/tmp/aviso/flight/'],
  legacyHistoryKey: '/ec/admin/history',
  defragmentWasteBytes: undefined,
}

export interface Fixture {
  readonly store: Store
  readonly clock: TestClock
  readonly jobs: Jobs
  /** A second admin on the same store, or the same one with other parts. */
  readonly another: (parts?: Partial<JobsParts>) => Jobs
}

export function setUp(parts: Partial<JobsParts> = {}): Fixture {
  const clock = createSkippingClock(NOW)
  const store = parts.store ?? createMemoryStore({ clock })
  let admins = 0
  const another = (others: Partial<JobsParts> = {}): Jobs =>
    createJobs({
      store,
      maintenance: undefined,
      schemas,
      clock,
      logger: silentLogger,
      settings: SETTINGS,
      holder: `admin-${++admins}`,
      ...parts,
      ...others,
    })
  return { store, clock, jobs: another(), another }
}

/** Writes keys in one revision. */
export async function put(
  store: Store,
  ...keys: readonly (string | readonly [key: string, value: string])[]
): Promise<bigint> {
  const success = keys.map((entry) => {
    const [key, value] = typeof entry === 'string' ? [entry, 'v'] : entry
    return { kind: 'put', key: toBytes(key), value: toBytes(value) } as const
  })
  return (await store.txn({ compare: [], success })).revision
}

/** All keys under a prefix. */
export async function keysUnder(store: Store, prefix: string): Promise<string[]> {
  return (await store.range(prefixRange(prefix))).kvs.map(({ key }) => toText(key))
}

/** The `YYYYMMDD` of a day so many days before {@link NOW}. */
export function day(ago: number): string {
  return new Date(NOW - ago * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')
}

export function diss(destination: string, date: string, step = 1): string {
  return `/ec/diss/${destination}/date=${date},target=E1,class=od,expver=0001,domain=g,time=00,stream=enfo,step=${step}`
}

export function mars(date: string, step = 1): string {
  return `/ec/mars/date=${date},class=od,expver=0001,domain=g,time=00,stream=oper,step=${step}`
}

/** What 1.x writes for a notification: itself, the status of its base, the index of destinations. */
export async function putLegacy(store: Store, destination: string, date: string, step = 1): Promise<bigint> {
  return put(
    store,
    [diss(destination, date, step), 's3://bucket/object'],
    [`/ec/diss/${destination}/`, '{"message":"notification"}'],
    [`/ec/admin/${date}/${destination}`, 'None'],
  )
}
