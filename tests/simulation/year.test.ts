import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import { openStore } from '#shared/store/open/open.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { etcdMissing, startTestEtcd } from '../support/etcd.ts'
import { simulate, type YearFigures } from './year.ts'

/** Keys and history have come to their full number after two retentions: what is deleted stays in history for as long again. */
function assertFlat({ days }: YearFigures, retentionDays: number): void {
  const settled = days.filter(({ day }) => day > 2 * retentionDays + 2)
  assert.ok(settled.length > 3)
  const counts = settled.map(({ notifications }) => notifications)
  assert.equal(Math.max(...counts), Math.min(...counts), 'as many notifications every day')
  for (const { historyDays, day } of settled)
    assert.ok(historyDays < retentionDays + 1, `history of ${historyDays} days on day ${day}`)
}

describe('simulate()', () => {
  it('sixty days on the embedded store: flat, replayable, nothing early', async () => {
    const figures = await simulate({
      days: 60,
      perDay: 48,
      retentionDays: 15,
      open: async (clock) => ({ store: openEmbeddedStore(openSqlite(':memory:'), { clock }) }),
    })
    assertFlat(figures, 15)
    assert.ok(figures.leastHistoryDays >= 15)
    assert.ok(figures.deleted > 40 * 48)
  })
})

describe('simulate() on etcd', { skip: await etcdMissing() }, () => {
  it('two weeks, retention of three days: flat, replayable, nothing early', async () => {
    const etcd = await startTestEtcd()
    try {
      const platform = await detectPlatform()
      const parts = { platform, dataFolder: '', clock: systemClock, logger: silentLogger }
      const figures = await simulate({
        days: 14,
        perDay: 120,
        retentionDays: 3,
        open: async () => ({ store: await openStore(etcd.store, parts) }),
      })
      assertFlat(figures, 3)
      assert.ok(figures.leastHistoryDays >= 3)
    } finally {
      await etcd.close()
    }
  })
})
