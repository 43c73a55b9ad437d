import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRegistry, type MetricFamily } from '#shared/observe/metrics/registry.ts'
import { countersOf, sumFamilies } from '#shared/observe/metrics/sum.ts'
import { createLedger } from '../../../../../scripts/serve/workers/figures.ts'

async function process(count: number, series: string): Promise<readonly MetricFamily[]> {
  const metrics = createRegistry()
  metrics.counter({ name: 'aviso_things', help: 'Things', labels: ['kind'] }).add([series], count)
  metrics.histogram({ name: 'aviso_wait_seconds', help: 'Waits', bounds: [1, 2] }).observe(count)
  metrics.gauge({ name: 'aviso_open', help: 'Open' }).set(count)
  metrics.gauge({ name: 'aviso_store_up', help: 'Up' }).set(1)
  metrics.info('aviso_build', 'Build', { version: '1' })
  return metrics.collect()
}

function values(families: readonly MetricFamily[], name: string): unknown {
  return families.find((family) => family.name === name)?.samples.map(({ value }) => value)
}

describe('sumFamilies', () => {
  it('sumFamilies: adds series of the same labels, and takes the store from the first', async () => {
    const sum = sumFamilies([await process(1, 'a'), await process(2, 'a'), await process(4, 'b')])
    assert.deepEqual(values(sum, 'aviso_things'), [3, 4])
    assert.deepEqual(values(sum, 'aviso_wait_seconds'), [1, 2, 3, 3, 7])
    assert.deepEqual(values(sum, 'aviso_open'), [7])
    assert.deepEqual(values(sum, 'aviso_store_up'), [1])
    assert.deepEqual(values(sum, 'aviso_build'), [1])
  })

  it('countersOf: leaves out what is over with its process', async () => {
    const names = countersOf(await process(1, 'a')).map(({ name }) => name)
    assert.deepEqual(names, ['aviso_metrics_overflows', 'aviso_things', 'aviso_wait_seconds'])
  })

  it('createLedger: a worker that is replaced takes no count away', async () => {
    const ledger = createLedger()
    const told = async (count: number) =>
      sumFamilies(ledger.families([{ worker: 2, streams: 0, families: await process(count, 'a') }]))
    assert.deepEqual(values(await told(5), 'aviso_things'), [5])
    ledger.ended(2)
    assert.deepEqual(values(sumFamilies(ledger.families([])), 'aviso_things'), [5])
    const after = await told(1)
    assert.deepEqual(values(after, 'aviso_things'), [6])
    assert.deepEqual(values(after, 'aviso_open'), [1])
  })
})
