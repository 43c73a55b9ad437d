import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JobReport } from '#services/admin/jobs/job_record.ts'
import type { CleaningReport } from '#services/admin/jobs/cleaner.ts'
import { toText } from '#shared/bytes/bytes.ts'
import { encodeJournal } from '#shared/journal/codec.ts'
import { createSchemas } from '#shared/notification/schema.ts'
import type { StoreOperation } from '#shared/store/store.ts'
import { rejects } from '../../../../contract/store_support.ts'
import {
  DAY_MS,
  HOUR_MS,
  NOW,
  SETTINGS,
  day,
  diss,
  keysUnder,
  mars,
  put,
  putLegacy,
  setUp,
} from './fixture.ts'

const figures = (report: object): CleaningReport => report as CleaningReport

/** A store as aviso 1.x leaves it: 40 days, of which its cleaner has missed all but the last 15. */
async function fillLegacy(fixture: ReturnType<typeof setUp>): Promise<void> {
  const { store } = fixture
  for (let ago = 40; ago >= 0; ago--) {
    await putLegacy(store, 'MACI', day(ago))
    await putLegacy(store, 'SCL', day(ago), 6)
    await put(store, mars(day(ago)), ['/ec/mars/', '{}'])
  }
  await put(
    store,
    ['/ec/config/aviso/v1/event_listener_schema.json', '{}'],
    ['/ec/admin/history', '[]'],
    '/other/date=19990101',
  )
}

describe('clean()', () => {
  it('cleans a store of 1.x, all missed days at once, and leaves everything else', async () => {
    const fixture = setUp()
    await fillLegacy(fixture)
    const report = figures(await fixture.jobs.run('clean'))
    // 26 days of the age of 15 to 40: three notifications and two index keys each.
    assert.equal(report.deleted, 26 * 5)
    assert.deepEqual(
      report.events.map(({ event, deleted }) => [event, deleted]),
      [
        ['flight', 0],
        ['dissemination', 26 * 4],
        ['mars', 26],
      ],
    )
    const { store } = fixture
    const left = [...(await keysUnder(store, '/ec/')), ...(await keysUnder(store, '/other/'))]
    const young = Array.from({ length: 15 }, (_, ago) => day(ago))
    const expected = [
      ...young.flatMap((date) => [
        diss('MACI', date),
        diss('SCL', date, 6),
        mars(date),
        `/ec/admin/${date}/MACI`,
        `/ec/admin/${date}/SCL`,
      ]),
      '/ec/diss/MACI/',
      '/ec/diss/SCL/',
      '/ec/mars/',
      '/ec/admin/history',
      '/ec/config/aviso/v1/event_listener_schema.json',
      '/other/date=19990101',
    ]
    assert.deepEqual(left.toSorted(), expected.toSorted())
  })

  it('finds the same by looking at all keys', async () => {
    const fixture = setUp()
    await fillLegacy(fixture)
    // Written by somebody who keeps no index.
    await put(fixture.store, diss('XYZ', day(20)), '/ec/diss/XYZ/')
    assert.equal(figures(await fixture.jobs.run('clean')).deleted, 26 * 5)
    assert.deepEqual(await keysUnder(fixture.store, '/ec/diss/XYZ/'), ['/ec/diss/XYZ/', diss('XYZ', day(20))])
    await fixture.jobs.run('clean', { full: true, byDate: true })
    assert.deepEqual(await keysUnder(fixture.store, '/ec/diss/XYZ/'), ['/ec/diss/XYZ/'])
  })

  it('says in a dry run what it would do, and writes nothing', async () => {
    const fixture = setUp()
    await fillLegacy(fixture)
    const { revision } = await fixture.store.status()
    const dry = figures(await fixture.jobs.run('clean', { dryRun: true }))
    assert.equal((await fixture.store.status()).revision, revision)
    assert.ok(dry.dry_run)
    const real = figures(await fixture.jobs.run('clean'))
    assert.equal(dry.deleted, real.deleted)
    assert.equal(dry.bytes, real.bytes)
    const value = 's3://bucket/object'.length
    const one = diss('MACI', day(20)).length + diss('SCL', day(20), 6).length + mars(day(20)).length
    const index = '/ec/admin/20261105/MACI'.length + '/ec/admin/20261105/SCL'.length
    assert.equal(real.bytes, 26 * (one + 2 * value + 1 + index + 8))
  })

  it('does nothing more when it runs again', async () => {
    const fixture = setUp()
    await fillLegacy(fixture)
    await fixture.jobs.run('clean')
    assert.equal(figures(await fixture.jobs.run('clean')).deleted, 0)
  })

  it('keeps what was written within the retention, whatever its date, until it is old', async () => {
    const { store, clock, jobs } = setUp()
    await jobs.run('compact')
    await putLegacy(store, 'MACI', '20190810')
    const first = figures(await jobs.run('clean'))
    assert.deepEqual([first.deleted, first.events[1]?.kept_recent], [0, 2])
    for (let hour = 0; hour < 15 * 24 + 6; hour++) {
      clock.pass(HOUR_MS)
      await jobs.run('compact')
      if (hour === 14 * 24) assert.equal(figures(await jobs.run('clean')).deleted, 0)
    }
    await putLegacy(store, 'SCL', '20190810')
    assert.equal(figures(await jobs.run('clean')).deleted, 2)
    assert.deepEqual(await keysUnder(store, '/ec/diss/SCL/'), ['/ec/diss/SCL/', diss('SCL', '20190810')])
  })

  it('lets the date alone decide where 1.x would', async () => {
    const { store, jobs } = setUp()
    await jobs.run('compact')
    await putLegacy(store, 'MACI', day(15))
    await putLegacy(store, 'MACI', day(14))
    assert.equal(figures(await jobs.run('clean')).deleted, 0)
    assert.equal(figures(await jobs.run('clean', { byDate: true })).deleted, 2)
    assert.deepEqual(await keysUnder(store, '/ec/diss/MACI/'), ['/ec/diss/MACI/', diss('MACI', day(14))])
  })

  it('has an age of its own for an event type, and cleans only those it is told', async () => {
    const settings = { ...SETTINGS, events: { mars: { ageMs: 2 * DAY_MS } } }
    const { store, jobs } = setUp({ settings })
    await put(store, mars(day(1)), mars(day(2)), mars(day(20)))
    await putLegacy(store, 'MACI', day(20))
    assert.equal(figures(await jobs.run('clean', { events: ['mars'] })).deleted, 2)
    assert.deepEqual(await keysUnder(store, '/ec/mars/'), [mars(day(1))])
    assert.equal((await keysUnder(store, '/ec/diss/')).length, 2)
    await rejects(jobs.run('clean', { events: ['nothing'] }), 'ERR_UNKNOWN_EVENT')
  })

  it('keeps the newest notifications where their number is limited, whatever their dates', async () => {
    const settings = { ...SETTINGS, events: { mars: { count: 5 } } }
    const { store, jobs } = setUp({ settings })
    await put(store, ['/ec/mars/', '{}'])
    // Written in the reverse order of their keys; the last two of the excess in one revision.
    for (let step = 30; step > 12; step--) await put(store, mars(day(0), step))
    await put(store, mars(day(0), 12), mars(day(0), 11))
    for (const step of [5, 4, 3, 2]) await put(store, mars(day(0), step))
    const report = figures(await jobs.run('clean'))
    assert.equal(report.deleted, 19)
    assert.ok(report.bytes > 19 * mars(day(0), 2).length, 'values are counted, too')
    const kept = await keysUnder(store, '/ec/mars/')
    assert.equal(kept.length, 6)
    for (const step of [5, 4, 3, 2]) assert.ok(kept.includes(mars(day(0), step)))
    assert.ok(kept.includes('/ec/mars/'))
    assert.equal(figures(await jobs.run('clean')).deleted, 0)
  })

  it('cleans event types without a schema, too', async () => {
    const content = { notification_schema: {}, notification_schema_strict: false }
    const settings = { ...SETTINGS, roots: ['/aviso2/-/'], events: { other: { count: 1 } } }
    const { store, jobs } = setUp({ settings, schemas: createSchemas([{ source: 'p', content }]) })
    const at = new Date(NOW).toISOString()
    const journal = toText(encodeJournal({ batch: 'b', at, prev: '0', first_seq: 1, events: [] }))
    await put(store, ['/_aviso/journal/other', journal])
    for (const a of [3, 1, 2]) await put(store, `/aviso2/-/other/a=${a}`)
    await put(store, '/aviso2/-/another/a=1')
    assert.equal(figures(await jobs.run('clean')).deleted, 2)
    assert.deepEqual(await keysUnder(store, '/aviso2/'), ['/aviso2/-/another/a=1', '/aviso2/-/other/a=2'])
  })

  it('keeps the newest notifications where their bytes are limited', async () => {
    const size = mars(day(0), 10).length + 100
    const settings = { ...SETTINGS, events: { mars: { bytes: 3 * size + 50 } } }
    const { store, jobs } = setUp({ settings })
    await put(store, ['/ec/mars/', '{}'])
    for (const step of [19, 18, 17, 16]) await put(store, [mars(day(0), step), 'x'.repeat(100)])
    await put(store, ...[15, 14].map((step) => [mars(day(0), step), 'x'.repeat(100)] as const))
    const report = figures(await jobs.run('clean'))
    assert.deepEqual([report.deleted, report.bytes], [3, 3 * size])
    const kept = [14, 15, 16].map((step) => mars(day(0), step))
    assert.deepEqual(await keysUnder(store, '/ec/mars/'), ['/ec/mars/', ...kept])
    assert.equal(figures(await jobs.run('clean')).deleted, 0)
  })

  it('deletes nothing on the word of a clock that is a year ahead', async () => {
    const { store, clock, jobs } = setUp()
    await jobs.run('compact')
    await putLegacy(store, 'MACI', day(0))
    await put(store, mars(day(30)))
    clock.jump(365 * DAY_MS)
    for (const job of ['clean', 'compact'] as const) await rejects(jobs.run(job), 'ERR_CLOCK_UNSURE')
    assert.equal((await keysUnder(store, '/ec/')).length, 4)
    // What an operator vouches for still goes by the age of the writes.
    await jobs.run('compact', { trustClock: true })
    assert.equal(figures(await jobs.run('clean')).deleted, 0)
  })

  it('asks the store itself about the clock where no admin was before', async () => {
    const { store, clock, jobs } = setUp()
    await put(store, mars(day(0)), [
      '/ec/mars/',
      `{"date_time": "${new Date(NOW).toISOString().slice(0, -1)}000Z"}`,
    ])
    clock.jump(365 * DAY_MS)
    await rejects(jobs.run('clean'), 'ERR_CLOCK_UNSURE')
    assert.equal(figures(await jobs.run('clean', { trustClock: true })).deleted, 1)
  })

  it('never touches what lies outside the roots', async () => {
    const { store, jobs } = setUp({ settings: { ...SETTINGS, roots: ['/ec/mars/'] } })
    await putLegacy(store, 'MACI', day(20))
    await rejects(jobs.run('clean'), 'ERR_CONFIG')
    assert.equal((await keysUnder(store, '/ec/diss/')).length, 2)
  })

  it('keeps what is written again between reading and deleting', async () => {
    const { store, jobs, another } = setUp()
    await put(store, mars(day(20), 1), mars(day(20), 2))
    let raced = false
    const racing = {
      ...store,
      txn: async (request: Parameters<typeof store.txn>[0]) => {
        if (request.success.some((operation: StoreOperation) => operation.kind === 'delete') && !raced) {
          raced = true
          await put(store, [mars(day(20), 2), 'again'])
        }
        return store.txn(request)
      },
    }
    await jobs.close()
    const report = figures(await another({ store: racing }).run('clean'))
    assert.deepEqual([report.deleted, report.events[2]?.kept_recent], [1, 1])
    assert.deepEqual(await keysUnder(store, '/ec/mars/'), [mars(day(20), 2)])
  })

  it('stops when another admin has taken over, at its next write', async () => {
    const { store, jobs, another } = setUp()
    for (let step = 0; step < 200; step++) await put(store, mars(day(20), step))
    let batches = 0
    const stalled = {
      ...store,
      txn: async (request: Parameters<typeof store.txn>[0]) => {
        if (request.success.some(({ kind }) => kind === 'delete') && ++batches === 2)
          await put(store, [
            '/_aviso/admin/jobs/clean',
            '{"state":"running","holder":"other","since":"2026-11-25T00:30:00Z","at":"2026-11-25T00:30:00Z"}',
          ])
        return store.txn(request)
      },
    }
    await jobs.close()
    await rejects(another({ store: stalled }).run('clean'), 'ERR_JOB_RUNNING')
    const left = await keysUnder(store, '/ec/mars/')
    assert.ok(left.length > 100 && left.length < 200, `${left.length} left`)
  })

  it('tells how far it is', async () => {
    const { store, jobs } = setUp()
    for (let step = 0; step < 300; step++) await put(store, mars(day(20), step))
    const seen: JobReport[] = []
    await jobs.run('clean', { onProgress: (report) => seen.push(report) })
    const deleted = seen.map((report) => figures(report).deleted)
    assert.ok(deleted.length >= 3)
    assert.equal(deleted.at(-1), 300)
    assert.deepEqual(
      deleted,
      deleted.toSorted((a, b) => a - b),
    )
  })

  it('goes on after an unknown outcome, counting each key once', async () => {
    const { store, jobs, another } = setUp()
    for (let step = 0; step < 100; step++) await put(store, mars(day(20), step))
    let lost = 0
    const flaky = {
      ...store,
      txn: async (request: Parameters<typeof store.txn>[0]) => {
        const result = await store.txn(request)
        if (request.success.some(({ kind }) => kind === 'delete') && lost++ === 0) {
          const { AvisoError } = await import('#shared/errors.ts')
          throw new AvisoError('ERR_OUTCOME_UNKNOWN', 'The answer was lost')
        }
        return result
      },
    }
    await jobs.close()
    assert.equal(figures(await another({ store: flaky }).run('clean')).deleted, 100)
    assert.deepEqual(await keysUnder(store, '/ec/mars/'), [])
  })
})
