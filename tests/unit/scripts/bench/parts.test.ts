import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { runClosedLoop } from '../../../../scripts/bench/closed_loop.ts'
import { readMetric } from '../../../../scripts/bench/etcd_figures.ts'
import { BARE_VALUE, bareKey } from '../../../../scripts/bench/bare_puts.ts'
import { createNotifications } from '../../../../scripts/bench/notifications.ts'
import { mean, median, standardError, toPercentiles } from '../../../../scripts/bench/statistics.ts'

describe('createNotifications()', () => {
  it('makes notifications that all have keys of their own', () => {
    const schema = createBuiltinSchemas()
    const notifications = createNotifications()
    const keys = new Set<string>()
    for (let n = 0; n < 10_050; n++) {
      const { data } = JSON.parse(notifications.next()) as { data: { request: Record<string, string> } }
      keys.add(schema.require('mars').encode(data.request).stem)
    }
    assert.equal(keys.size, 10_050)
    assert.equal((JSON.parse(notifications.batch(7)) as unknown[]).length, 7)
    assert.equal(notifications.count, 10_057)
  })
})

describe('bareKey()', () => {
  it('has the size of what a notification stores, within a tenth', () => {
    const schema = createBuiltinSchemas()
    const { data } = JSON.parse(createNotifications().next()) as {
      data: { request: Record<string, string>; location: string }
    }
    const ours = schema.require('mars').encode(data.request).stem.length + data.location.length
    const bare = bareKey().length + 10 + BARE_VALUE.length
    assert.ok(Math.abs(bare / ours - 1) < 0.1, `${bare} bytes beside ${ours}`)
  })
})

describe('runClosedLoop()', () => {
  it('ends with the failure of a worker', async () => {
    const worker = { call: () => Promise.reject(new Error('broken')) }
    await assert.rejects(runClosedLoop({ workers: 2, durationMs: 1_000, open: () => worker }), /broken/)
  })
})

describe('readMetric()', () => {
  it('reads the value of exactly that name', () => {
    const text = '# HELP reads_total x\nreads_total_more 7\nreads_total 12\ncalls{method="Watch"} 3e+06\n'
    assert.equal(readMetric(text, 'reads_total'), 12)
    assert.equal(readMetric(text, 'calls{method="Watch"}'), 3_000_000)
    assert.ok(Number.isNaN(readMetric(text, 'reads')))
  })
})

describe('toPercentiles()', () => {
  it('takes the sample at each share', () => {
    const samples = Array.from({ length: 1_000 }, (_, index) => 1_000 - index)
    assert.deepEqual(toPercentiles(samples), { p50: 501, p99: 991, max: 1_000 })
    assert.deepEqual(toPercentiles([]), { p50: Number.NaN, p99: Number.NaN, max: Number.NaN })
  })
})

describe('median()', () => {
  it('is the middle one', () => {
    assert.equal(median([9, 1, 5]), 5)
    assert.equal(median([4, 1]), 4)
    assert.ok(Number.isNaN(median([])))
  })
})

describe('standardError()', () => {
  it('is the deviation of the values from their mean, divided by the root of their number', () => {
    assert.equal(mean([2, 4, 4, 6]), 4)
    assert.equal(standardError([2, 4, 4, 6]), Math.sqrt(8 / 3 / 4))
    assert.deepEqual([mean([]), standardError([5])], [Number.NaN, Number.NaN])
  })
})
