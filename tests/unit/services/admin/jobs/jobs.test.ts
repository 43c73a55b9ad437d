import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AvisoError } from '#shared/errors.ts'
import { readOrCreateEpoch, renewEpoch } from '#shared/journal/epoch.ts'
import { JOB_NAMES, jobKey } from '#services/admin/jobs/job_record.ts'
import { HISTORY_KEY, parseHistory } from '#shared/retention/mark_history.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Store, TxnRequest } from '#shared/store/store.ts'
import { rejects } from '../../../../contract/store_support.ts'
import { DAY_MS, HOUR_MS, NOW, SETTINGS, keysUnder, mars, put, setUp } from './fixture.ts'
import { eventually } from '../../../../support/waiting.ts'

async function oldestReadable(store: Store): Promise<bigint> {
  const { revision } = await store.status()
  for (let at = 1n; at <= revision; at++) {
    const readable = await store.range({ key: toBytes('/x'), revision: at }).then(
      () => true,
      () => false,
    )
    if (readable) return at
  }
  return revision
}

const history = async (store: Store) =>
  parseHistory((await store.range({ key: toBytes(HISTORY_KEY) })).kvs[0]?.value ?? new Uint8Array())

describe('the job compact', () => {
  it('notes a mark each time, and forgets what has outlived the retention', async () => {
    const { store, clock, jobs } = setUp({ settings: { ...SETTINGS, historyMs: DAY_MS, ageMs: DAY_MS } })
    const writtenAt = new Map<bigint, number>()
    for (let hour = 0; hour < 72; hour++) {
      writtenAt.set(await put(store, mars('20261125', hour)), clock.now())
      clock.pass(HOUR_MS)
      await jobs.run('compact')
      const oldest = await oldestReadable(store)
      const lost = [...writtenAt].filter(([revision]) => revision <= oldest)
      for (const [, at] of lost) assert.ok(clock.now() - at >= DAY_MS, 'nothing is forgotten early')
    }
    const forgotten = [...writtenAt].filter(([, at]) => clock.now() - at >= DAY_MS + 5 * HOUR_MS)
    const oldest = await oldestReadable(store)
    assert.ok(
      forgotten.every(([revision]) => revision <= oldest),
      'and little is kept longer',
    )
  })

  it('takes the history of 1.x over, dated with care', async () => {
    const { store, jobs } = setUp()
    const entries: { revision: number; timestamp: string }[] = []
    for (let ago = 30; ago >= 0; ago--) {
      const revision = await put(store, mars('20261101', ago))
      const midnight = new Date(NOW - ago * DAY_MS).toISOString().slice(0, 10)
      entries.push({ revision: Number(revision), timestamp: `${midnight}T00:00:00.000000Z` })
    }
    await put(store, ['/ec/admin/history', JSON.stringify(entries)])
    const report = await jobs.run('compact')
    // 16 days of retention, a day because 1.x dates with the midnight before, two because its clock may be off by that much.
    const expected = entries.findLast(
      ({ timestamp }) => Date.parse(timestamp) <= NOW - (16 + 1 + 2) * DAY_MS - HOUR_MS,
    )
    assert.equal((report as { compacted_to?: string }).compacted_to, String(expected?.revision))
    assert.equal(await oldestReadable(store), BigInt(expected?.revision ?? 0))
  })

  it('survives an end after any step', async () => {
    for (const step of ['claim', 'history', 'compact', 'finish'] as const) {
      const { store, clock, another } = setUp({ settings: { ...SETTINGS, historyMs: DAY_MS } })
      await put(store, mars('20261101'))
      const steady = another()
      for (let hour = 0; hour < 30; hour++) {
        clock.pass(HOUR_MS)
        await steady.run('compact')
      }
      clock.pass(HOUR_MS)
      const died = new AvisoError('ERR_INTERNAL', 'died')
      const seen = { txn: 0 }
      const dying: Store = {
        ...store,
        txn: async (request: TxnRequest, options) => {
          if (['claim', 'history', 'finish'].indexOf(step) === seen.txn++) throw died
          return store.txn(request, options)
        },
        compact: async (revision) => {
          if (step === 'compact') throw died
          return store.compact(revision)
        },
      }
      await another({ store: dying })
        .run('compact')
        .catch(() => undefined)
      // The claim of the dead admin stands until it is old.
      clock.pass(HOUR_MS)
      const report = await steady.run('compact')
      assert.equal((report as { outcome?: string }).outcome, 'compacted', step)
      assert.ok((await oldestReadable(store)) > 1n)
    }
  })

  it('compacts a store that is full, which takes no claim and no mark', async () => {
    const { store, clock, jobs, another } = setUp({ settings: { ...SETTINGS, historyMs: DAY_MS } })
    for (let hour = 0; hour < 40; hour++) {
      clock.pass(HOUR_MS)
      await put(store, mars('20261101', hour))
      if (hour < 38) await jobs.run('compact')
    }
    const before = await oldestReadable(store)
    const full: Store = {
      ...store,
      txn: async (request, options) => {
        if (request.success.some(({ kind }) => kind === 'put'))
          throw new AvisoError('ERR_STORE_FULL', 'No room')
        return store.txn(request, options)
      },
    }
    const report = await another({ store: full }).run('compact')
    assert.equal((report as { outcome?: string }).outcome, 'compacted')
    assert.ok((await oldestReadable(store)) > before)
    // And the cleaner can delete.
    await another({ store: full }).run('clean', { byDate: true })
    assert.deepEqual(await keysUnder(store, '/ec/mars/'), [])
  })

  it("does not compact on the word of a history that is not the admin's", async () => {
    const { store, jobs } = setUp()
    await put(store, [HISTORY_KEY, '[{"revision":1,"timestamp":"2020-01-01T00:00:00.000000Z"}]'])
    await rejects(jobs.run('compact'), 'ERR_STORE_PROTOCOL')
    assert.equal(await oldestReadable(store), 1n)
  })

  it('changes nothing in a dry run', async () => {
    const { store, jobs } = setUp()
    const { revision } = await store.status()
    assert.equal(
      ((await jobs.run('compact', { dryRun: true })) as { outcome?: string }).outcome,
      'nothing_old_enough',
    )
    assert.equal((await store.status()).revision, revision)
  })

  it('loses no mark when two admins run at once', async () => {
    const { store, clock, another } = setUp()
    for (let run = 0; run < 5; run++) {
      clock.pass(HOUR_MS)
      const runs = await Promise.allSettled([another().run('compact'), another().run('compact')])
      assert.ok(runs.some(({ status }) => status === 'fulfilled'))
    }
    assert.ok((await history(store)).marks.length >= 4)
  })
})

describe('createJobs()', () => {
  it('lets one of several admins serve a time of the schedule, and each time once', async () => {
    const { clock, another } = setUp()
    const admins = [another(), another(), another()]
    for (let run = 0; run < 3; run++) {
      const slot = clock.now()
      const results = await Promise.all(admins.map((admin) => admin.run('compact', { slot })))
      assert.equal(results.filter((result) => !('skipped' in result)).length, 1)
      const late = await another().run('compact', { slot })
      assert.deepEqual(late, { skipped: 'served' })
      clock.pass(HOUR_MS)
    }
  })

  it('serves a missed time once', async () => {
    const { clock, jobs, another } = setUp()
    await jobs.run('clean', { slot: NOW })
    clock.pass(5 * DAY_MS)
    const missed = NOW + 5 * DAY_MS
    assert.ok(!('skipped' in (await another().run('clean', { slot: missed }))))
    assert.deepEqual(await jobs.run('clean', { slot: missed }), { skipped: 'served' })
  })

  it('catches up only where there was a run before', async () => {
    const { jobs } = setUp()
    assert.deepEqual(await jobs.run('clean', { slot: NOW - HOUR_MS, isResumed: true }), {
      skipped: 'never_run',
    })
    await jobs.run('clean', { slot: NOW - HOUR_MS })
    assert.ok(!('skipped' in (await jobs.run('clean', { slot: NOW, isResumed: true }))))
  })

  it('is not put off by a time that a wrong clock has served', async () => {
    const { clock, jobs, another } = setUp()
    clock.jump(365 * DAY_MS)
    await jobs.run('clean', { slot: clock.now() })
    clock.jump(-365 * DAY_MS)
    assert.ok(!('skipped' in (await another().run('clean', { slot: NOW }))))
  })

  it('takes a job over from an admin that is gone, not from one that works', async () => {
    const { store, clock, another } = setUp()
    const { promise, resolve } = Promise.withResolvers<void>()
    const working = another().runWork('clean', {}, async (claim) => {
      await promise
      await claim?.renew()
      return {}
    })
    await eventually('it runs', async () => (await keysUnder(store, '/_aviso/admin/jobs/')).length === 1, 0)
    await rejects(another().run('clean'), 'ERR_JOB_RUNNING')
    assert.deepEqual(await another().run('clean', { slot: NOW }), { skipped: 'running' })
    clock.pass(HOUR_MS)
    await another().run('clean')
    resolve()
    await rejects(working, 'ERR_JOB_RUNNING')
  })

  it('refuses a second run by hand in the same admin, but not a dry one', async () => {
    const { jobs } = setUp()
    const first = jobs.run('clean')
    await rejects(jobs.run('clean'), 'ERR_JOB_RUNNING')
    await jobs.run('clean', { dryRun: true })
    // A time of the schedule that comes meanwhile is left out, and no failure.
    assert.deepEqual(await jobs.run('clean', { slot: NOW }), { skipped: 'running' })
    await first
  })

  it('tells what became of each job', async () => {
    const { jobs, clock } = setUp()
    await jobs.run('compact', { slot: NOW })
    clock.pass(400 * DAY_MS)
    await rejects(jobs.run('compact'), 'ERR_CLOCK_UNSURE')
    const { compact, clean } = await jobs.records()
    assert.equal(compact?.state, 'failed')
    assert.equal(compact?.report?.['code'], 'ERR_CLOCK_UNSURE')
    assert.equal(compact?.slot, new Date(NOW).toISOString())
    assert.equal(clean, undefined)
  })

  it('takes over at once what ran when a copy was taken that is the store now, and calls it failed', async () => {
    const { store, jobs } = setUp()
    await readOrCreateEpoch(store, () => 'first')
    const slot = new Date(NOW).toISOString()
    const running = { state: 'running', holder: 'gone', since: slot, at: slot, slot }
    for (const name of JOB_NAMES) await put(store, [jobKey(name), JSON.stringify(running)])
    await rejects(jobs.run('clean'), 'ERR_JOB_RUNNING')
    assert.equal((await jobs.records()).backup?.state, 'running')
    await renewEpoch(store, 'first', () => 'second')
    const { backup } = await jobs.records()
    assert.equal(backup?.state, 'failed')
    assert.match(String(backup.report?.['message']), /replaced or put back while this job ran/)
    await jobs.runWork('backup', {}, () => Promise.resolve({}))
    // It has not done the work of its scheduled time.
    assert.ok(!('skipped' in (await jobs.run('clean', { slot: NOW }))))
    assert.deepEqual(await jobs.run('clean', { slot: NOW }), { skipped: 'served' })
  })

  it('leaves a run alone that began with the new epoch', async () => {
    const { store, jobs } = setUp()
    await readOrCreateEpoch(store, () => 'first')
    await renewEpoch(store, 'first', () => 'second')
    const at = new Date(NOW).toISOString()
    await put(store, [jobKey('clean'), JSON.stringify({ state: 'running', holder: 'other', since: at, at })])
    await rejects(jobs.run('clean'), 'ERR_JOB_RUNNING')
  })

  it('ends a running job at its next step when it is closed', async () => {
    const { store, jobs } = setUp()
    for (let step = 0; step < 500; step++) await put(store, mars('20261101', step))
    const running = jobs.run('clean')
    // The store commits in turns of the event loop.
    await eventually('some are deleted', async () => (await keysUnder(store, '/ec/mars/')).length < 500, 0)
    await jobs.close()
    await rejects(running, 'ERR_STORE_UNAVAILABLE')
    await rejects(jobs.run('clean'), 'ERR_STORE_UNAVAILABLE')
    assert.ok((await keysUnder(store, '/ec/mars/')).length > 0)
  })
})
