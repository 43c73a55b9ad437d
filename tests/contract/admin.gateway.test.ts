import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createJobs, type Jobs } from '#services/admin/jobs/jobs.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { prefixRange, toBytes } from '#shared/bytes/bytes.ts'
import type { StoreMaintenance } from '#shared/store/maintenance.ts'
import { openStore } from '#shared/store/open/open.ts'
import { openMaintenance } from '#shared/store/open/maintenance.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import {
  DAY_MS,
  HOUR_MS,
  SETTINGS,
  diss,
  keysUnder,
  mars,
  put,
  putLegacy,
  schemas,
} from '../unit/services/admin/jobs/fixture.ts'
import { createScaledClock, type TestClock } from '../support/clock.ts'
import { rejects } from './store_support.ts'

function day(now: number, ago: number): string {
  return new Date(now - ago * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')
}

async function open(
  etcd: EtcdCluster,
): Promise<{ readonly store: Store; readonly maintenance: StoreMaintenance | undefined }> {
  const platform = await detectPlatform()
  const parts = { platform, dataFolder: '', clock: systemClock, logger: silentLogger }
  return { store: await openStore(etcd.store, parts), maintenance: await openMaintenance(etcd.store, parts) }
}

interface Opened {
  readonly store: Store
  readonly maintenance: StoreMaintenance | undefined
  readonly clock: TestClock
}

function jobsOf({ store, maintenance, clock }: Opened, settings = SETTINGS): Jobs {
  return createJobs({
    store,
    maintenance,
    schemas,
    clock,
    logger: silentLogger,
    settings,
    holder: crypto.randomUUID(),
  })
}

describe('the admin on a store of aviso 1.x in etcd', { skip: await etcdMissing() }, () => {
  let etcd: EtcdCluster
  let opened: Opened
  before(async () => {
    etcd = await startTestEtcd({ members: 3 })
    const clock = createScaledClock()
    // 1.x dates what it writes with midnight, and the tests count whole days: near midnight one more would be young.
    clock.jump(12 * HOUR_MS - (clock.now() % DAY_MS))
    opened = { ...(await open(etcd)), clock }
  })
  after(async () => {
    await opened.store.close()
    await etcd.close()
  })

  it('compacts by its history, cleans its missed days, and leaves the rest', async () => {
    const { store, clock } = opened
    const now = clock.now()
    const history: { revision: number; timestamp: string }[] = []
    for (let ago = 40; ago >= 0; ago--) {
      await putLegacy(store, 'MACI', day(now, ago))
      const revision = await put(store, mars(day(now, ago)), ['/ec/mars/', '{}'])
      history.push({
        revision: Number(revision),
        timestamp: `${new Date(now - ago * DAY_MS).toISOString().slice(0, 10)}T00:00:00.000000Z`,
      })
    }
    await put(store, ['/ec/admin/history', JSON.stringify(history)], '/ec/config/aviso/v1/x')
    const jobs = jobsOf(opened)
    const cleaned = await jobs.run('clean')
    // 15 days of retention; by 1.x's history, dated as below, the writes of the three days before may be younger.
    assert.equal((cleaned as { deleted?: number }).deleted, 23 * 3)
    const young = Array.from({ length: 18 }, (_, ago) => day(now, ago))
    const expected = [
      ...young.flatMap((date) => [diss('MACI', date), mars(date), `/ec/admin/${date}/MACI`]),
      '/ec/admin/history',
      '/ec/config/aviso/v1/x',
      '/ec/diss/MACI/',
      '/ec/mars/',
    ]
    assert.deepEqual(await keysUnder(store, '/ec/'), expected.toSorted())
    const compacted = await jobs.run('compact')
    const target = BigInt((compacted as { compacted_to?: string }).compacted_to ?? '0')
    // 16 days, one because 1.x dates with midnight, two because its clock may be off by that much: 19 to 20 days are kept.
    const ages = history.filter(({ revision }) => BigInt(revision) > target).length
    assert.ok(ages >= 19 && ages <= 20, `${ages} days are kept`)
    await rejects(store.range({ key: toBytes('/ec/mars/'), revision: target - 1n }), 'ERR_HISTORY_COMPACTED')
    await store.range({ key: toBytes('/ec/mars/'), revision: target })
    assert.equal(((await jobs.run('compact')) as { outcome?: string }).outcome, 'already_compacted')
  })

  it('gives room back on all members, one by one', async () => {
    const report = (await jobsOf(opened).run('defragment')) as {
      members?: { is_leader: boolean; bytes_after?: number }[]
    }
    assert.deepEqual(
      report.members?.map(({ is_leader: isLeader }) => isLeader),
      [false, false, true],
    )
    assert.ok(report.members?.every(({ bytes_after: bytes }) => (bytes ?? 0) > 0))
  })

  it('lets one of two admins serve a time of the schedule', async () => {
    const slot = opened.clock.now()
    const results = await Promise.all([
      jobsOf(opened).run('compact', { slot }),
      jobsOf(opened).run('compact', { slot }),
    ])
    assert.equal(results.filter((result) => 'skipped' in result).length, 1)
  })
})

describe('what the compactor keeps in etcd', { skip: await etcdMissing() }, () => {
  it('can be read from its first revision on, whatever is deleted while a mark is made', async () => {
    const etcd = await startTestEtcd()
    const opened = { ...(await open(etcd)), clock: createScaledClock() }
    const { store, clock } = opened
    try {
      const key = toBytes(mars('20200101'))
      await put(store, mars('20200101'))
      let deletedAt: bigint | undefined
      // Right behind the claim, so that the deletion is the newest revision when the history is read: etcd#19251.
      const txn: Store['txn'] = async (request, options) => {
        const result = await store.txn(request, options)
        deletedAt ??= (await store.txn({ compare: [], success: [{ kind: 'delete', range: { key } }] }))
          .revision
        return result
      }
      await jobsOf({ ...opened, store: { ...store, txn } }).run('compact')
      const jobs = jobsOf(opened)
      let target: string | undefined
      for (let hour = 0; target === undefined && hour < 24 * 20; hour += 2) {
        clock.pass(2 * HOUR_MS)
        target = ((await jobs.run('compact')) as { compacted_to?: string }).compacted_to
      }
      assert.ok(target !== undefined)
      assert.equal(await firstRevision(store, BigInt(target)), BigInt(target))
      assert.ok(deletedAt !== undefined && BigInt(target) < deletedAt, 'the deletion can still be read, too')
    } finally {
      await store.close()
      await etcd.close()
    }
  })
})

/** The first revision that a watch from there on yields. */
async function firstRevision(store: Store, from: bigint): Promise<bigint | undefined> {
  for await (const { kind, revision } of store.watch({ ...prefixRange('/'), from })) {
    if (kind === 'revision') return revision
  }
  return undefined
}

describe('the admin on an etcd without room', { skip: await etcdMissing() }, () => {
  it('compacts, deletes, defragments and disarms, and providers can publish again', async () => {
    const etcd = await startTestEtcd({ flags: ['--quota-backend-bytes=4194304'] })
    const opened = { ...(await open(etcd)), clock: createScaledClock() }
    const { store, clock } = opened
    try {
      const settings = { ...SETTINGS, historyMs: DAY_MS, ageMs: DAY_MS }
      const jobs = jobsOf(opened, settings)
      const value = 'x'.repeat(8_000)
      const fill = async (hour: number): Promise<void> => {
        for (let step = 0; step < 8; step++) await put(store, [mars('20200101', hour * 8 + step), value])
      }
      await rejects(
        (async () => {
          for (let hour = 0; hour < 1_000; hour++) {
            await fill(hour)
            clock.pass(HOUR_MS)
            // The compactor is broken for a day: it only notes.
            if (hour < 30) await jobs.run('compact')
          }
        })(),
        'ERR_STORE_FULL',
      )
      clock.pass(HOUR_MS)
      // The time without a compactor counts as none, unless somebody vouches for it.
      assert.equal(((await jobs.run('compact')) as { outcome?: string }).outcome, 'nothing_old_enough')
      const compacted = await jobs.run('compact', { trustClock: true })
      assert.match(String((compacted as { outcome?: string }).outcome), /compacted/)
      const cleaned = await jobs.run('clean', { byDate: true })
      assert.ok(Number((cleaned as { deleted?: number }).deleted) > 200)
      // History still holds what was just deleted: an operator in need shortens it.
      await store.compact((await store.status()).revision)
      const { disarmed } = (await jobs.run('defragment')) as { disarmed?: number }
      assert.equal(disarmed, 1)
      await put(store, mars('20200101'))
    } finally {
      await store.close()
      await etcd.close()
    }
  })
})
