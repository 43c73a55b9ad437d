import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MAX_SERIES } from '#shared/observe/metrics/metrics.ts'
import { formatMetrics, metricsFormatOf } from '#shared/observe/metrics/open_metrics.ts'
import { createRegistry, type MetricsRegistry } from '#shared/observe/metrics/registry.ts'

async function textOf(registry: MetricsRegistry): Promise<string> {
  return formatMetrics(await registry.collect(), 'openmetrics')
}

describe('createRegistry()', () => {
  it('counts up, by label values', async () => {
    const registry = createRegistry()
    const counter = registry.counter({ name: 'aviso_things', help: 'Things', labels: ['kind', 'size'] })
    counter.add(['a', 'big'])
    counter.add(['a', 'big'], 2)
    counter.add(['b', 'small'], 0.5)
    const text = await textOf(registry)
    assert.match(text, /^# TYPE aviso_things counter\n# HELP aviso_things Things\n/)
    assert.ok(text.includes('aviso_things_total{kind="a",size="big"} 3.0\n'))
    assert.ok(text.includes('aviso_things_total{kind="b",size="small"} 0.5\n'))
    assert.ok(text.endsWith('# EOF\n'))
  })

  it('shows a counter without labels from the start, at zero', async () => {
    const registry = createRegistry()
    registry.counter({ name: 'aviso_things', help: 'Things' })
    assert.ok((await textOf(registry)).includes('aviso_things_total 0.0\n'))
  })

  it('never lets a counter go back or lose its value', async () => {
    const registry = createRegistry()
    const counter = registry.counter({ name: 'aviso_things', help: 'Things' })
    for (const by of [5, -1, Number.NaN, Infinity]) counter.add([], by)
    assert.ok((await textOf(registry)).includes('aviso_things_total 5.0\n'))
  })

  it('puts a value into the first bucket that holds it, bounds included, and sums', async () => {
    const registry = createRegistry()
    const histogram = registry.histogram({
      name: 'aviso_wait_seconds',
      unit: 'seconds',
      help: 'Wait',
      bounds: [0.1, 1, 10],
    })
    for (const value of [0.1, 0.5, 1, 20, Number.NaN]) histogram.observe(value)
    const text = await textOf(registry)
    assert.deepEqual(
      [...text.matchAll(/_bucket\{le="([^"]+)"\} (\S+)/g)].map(([, le, count]) => [le, count]),
      [
        ['0.1', '1.0'],
        ['1.0', '3.0'],
        ['10.0', '3.0'],
        ['+Inf', '4.0'],
      ],
    )
    assert.ok(text.includes('aviso_wait_seconds_count 4.0\naviso_wait_seconds_sum 21.6\n'))
    assert.ok(text.includes('# UNIT aviso_wait_seconds seconds\n'))
  })

  it('counts the same in a series that was bound', async () => {
    const registry = createRegistry()
    const counter = registry.counter({ name: 'aviso_things', help: 'Things', labels: ['kind'] })
    const bound = counter.bind(['a'])
    bound.add()
    bound.add(-5)
    counter.add(['a'], 2)
    const gauge = registry.gauge({ name: 'aviso_size', help: 'Size', labels: ['kind'] })
    gauge.bind(['a']).add(4)
    gauge.add(-1, ['a'])
    const histogram = registry.histogram({ name: 'aviso_wait', help: 'Wait', labels: ['kind'], bounds: [1] })
    histogram.bind(['a']).observe(0.5)
    histogram.observe(2, ['a'])
    const text = await textOf(registry)
    for (const line of [
      'aviso_things_total{kind="a"} 3.0',
      'aviso_size{kind="a"} 3.0',
      'aviso_wait_count{kind="a"} 2.0',
    ]) {
      assert.ok(text.includes(`${line}\n`), line)
    }
  })

  it('bounds the series of each metric, whatever the label values are', async () => {
    const registry = createRegistry()
    const counter = registry.counter({ name: 'aviso_things', help: 'Things', labels: ['name'] })
    const histogram = registry.histogram({ name: 'aviso_wait', help: 'Wait', labels: ['name'], bounds: [1] })
    for (let index = 0; index < 100_000; index++) {
      counter.add([`name ${index}`])
      histogram.observe(1, [`name ${index}`])
    }
    const text = await textOf(registry)
    assert.equal(text.match(/^aviso_things_total\{/gm)?.length, MAX_SERIES + 1)
    assert.equal(text.match(/^aviso_wait_count\{/gm)?.length, MAX_SERIES + 1)
    assert.ok(text.includes(`aviso_things_total{name="other"} ${100_000 - MAX_SERIES}.0\n`))
    assert.ok(text.includes('aviso_metrics_overflows_total{metric="aviso_things"} 99800.0\n'))
    assert.ok(text.length < 100_000, `${text.length} characters`)
  })

  it('keeps a label value from forging a line, a label or a megabyte', async () => {
    const registry = createRegistry()
    const gauge = registry.gauge({ name: 'aviso_size', help: 'Size', labels: ['name'] })
    gauge.set(1, ['a"} 5\nforged_metric 1\r\n\u2028\u0000\u0085\\'])
    gauge.set(2, ['\ud800'])
    gauge.set(3, ['x'.repeat(1_000_000)])
    const text = await textOf(registry)
    assert.ok(text.includes('aviso_size{name="a\\"} 5\\nforged_metric 1 \\n   \\\\"} 1.0\n'), text)
    assert.ok(text.includes('aviso_size{name="\ufffd"} 2.0\n'))
    assert.ok(text.length < 2_000)
    assert.equal(text.match(/^forged/gm), null)
  })

  it('tells label values apart that look alike when joined', async () => {
    const registry = createRegistry()
    const counter = registry.counter({ name: 'aviso_things', help: 'Things', labels: ['a', 'b'] })
    counter.add(['x\u0000y', 'z'])
    counter.add(['x', 'y\u0000z'])
    counter.add(['x'])
    assert.equal((await textOf(registry)).match(/^aviso_things_total\{.*\} 1\.0$/gm)?.length, 3)
  })

  it('leaves out a metric whose reader throws, and keeps the others', async () => {
    const registry = createRegistry()
    registry.read({
      name: 'aviso_broken',
      help: 'Broken',
      kind: 'gauge',
      read: () => {
        throw new Error('no')
      },
    })
    registry.read({ name: 'aviso_whole', help: 'Whole', kind: 'gauge', read: () => [{ value: Number.NaN }] })
    const text = await textOf(registry)
    assert.ok(!text.includes('aviso_broken'))
    assert.ok(text.includes('aviso_whole NaN\n'))
  })

  it('awaits what must be asked for before it is read', async () => {
    const registry = createRegistry()
    let value = 0
    registry.beforeCollect(async () => {
      await Promise.resolve()
      value = 7
    })
    registry.read({ name: 'aviso_asked', help: 'Asked', kind: 'gauge', read: () => [{ value }] })
    assert.ok((await textOf(registry)).includes('aviso_asked 7.0\n'))
  })

  it('refuses a name twice, and names that mean something else', () => {
    const registry = createRegistry()
    registry.counter({ name: 'aviso_things', help: 'Things' })
    for (const name of ['aviso_things', 'aviso_things_total', 'x_bucket', 'Über', '1st', 'a-b', '']) {
      assert.throws(() => registry.counter({ name, help: '' }), TypeError, name)
    }
    assert.throws(() => registry.gauge({ name: 'aviso_size', unit: 'bytes', help: '' }), TypeError)
    assert.throws(() => registry.gauge({ name: 'aviso_a', labels: ['le'], help: '' }), TypeError)
  })
})

describe('metricsFormatOf()', () => {
  it('gives OpenMetrics to those who ask for it', () => {
    const prometheus = 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2'
    assert.equal(metricsFormatOf(prometheus), 'openmetrics')
    for (const accept of [null, '*/*', 'text/html']) assert.equal(metricsFormatOf(accept), 'prometheus')
  })
})

describe('formatMetrics()', () => {
  it('names families as their samples in the older format, which knows no info, unit or end', async () => {
    const registry = createRegistry()
    registry.info('aviso_build', 'What is "running"', { version: '1.2.3' })
    registry.counter({ name: 'aviso_seconds', unit: 'seconds', help: 'Seconds' }).add([], 2)
    const families = await registry.collect()
    const text = formatMetrics(families, 'prometheus')
    assert.ok(
      text.includes(
        '# TYPE aviso_build_info gauge\n# HELP aviso_build_info What is "running"\naviso_build_info{version="1.2.3"} 1.0\n',
      ),
    )
    assert.ok(text.includes('# TYPE aviso_seconds_total counter\n'))
    assert.ok(!text.includes('# UNIT') && !text.includes('# EOF'))
    const open = formatMetrics(families, 'openmetrics')
    assert.ok(open.includes('# TYPE aviso_build info\n# HELP aviso_build What is \\"running\\"\n'))
  })
})
