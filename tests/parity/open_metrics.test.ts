import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatMetrics } from '#shared/observe/metrics/open_metrics.ts'
import { createRegistry, type MetricFamily } from '#shared/observe/metrics/registry.ts'
import { findPrometheusTools, prometheusMissing } from '../support/prometheus_tools.ts'

/** Every kind of metric, with the worst values each can have. */
async function hostileFamilies(): Promise<readonly MetricFamily[]> {
  const registry = createRegistry()
  registry.info('aviso_build', 'What is "running"\non two lines \\', { version: '1.2.3' })
  const counter = registry.counter({ name: 'aviso_things', help: 'Things', labels: ['name', 'other_name'] })
  const gauge = registry.gauge({ name: 'aviso_size_bytes', unit: 'bytes', help: 'Size', labels: ['name'] })
  const histogram = registry.histogram({
    name: 'aviso_wait_seconds',
    unit: 'seconds',
    help: 'Wait',
    labels: ['name'],
    bounds: [0.0005, 0.01, 1, 20],
  })
  const names = [
    '',
    'plain',
    'a"b',
    'a\nb',
    'a\r\nb',
    'a\\',
    '\\n',
    '{}=,',
    '\u2028\u0085\u0000',
    '\ud83d',
    '😀',
    ' # EOF',
    '__proto__',
  ]
  for (const name of names) {
    counter.add([name, `${name}"`])
    gauge.set(1e300, [name])
    histogram.observe(0.003, [name])
  }
  for (let index = 0; index < 1_000; index++) counter.add([`hostile ${index}`, '"'])
  for (const [index, value] of [Number.NaN, Infinity, -Infinity, 1e21, 1e-7, -0].entries())
    gauge.set(value, [`${index}`])
  return registry.collect()
}

describe('formatMetrics()', { skip: await prometheusMissing() }, () => {
  it('is read by the OpenMetrics parser of Prometheus, hostile labels included', async () => {
    const tools = await findPrometheusTools()
    const text = formatMetrics(await hostileFamilies(), 'openmetrics')
    const { code, output } = await tools.parseOpenMetrics(text)
    assert.equal(code, 0, output)
    const families = new Map(
      output
        .trim()
        .split('\n')
        .map((line) => [line.split(' ')[0], line]),
    )
    assert.equal(families.get('aviso_things'), 'aviso_things counter 201')
    assert.equal(families.get('aviso_build'), 'aviso_build info 1')
    assert.match(families.get('aviso_wait_seconds') ?? '', /^aviso_wait_seconds histogram \d+$/)
  })

  it('is read by promtool in the older format', async () => {
    const tools = await findPrometheusTools()
    const { code, output } = await tools.checkMetrics(formatMetrics(await hostileFamilies(), 'prometheus'))
    assert.equal(code, 0, output)
  })

  it('would be told: the parser refuses a broken page', async () => {
    const tools = await findPrometheusTools()
    const text = formatMetrics(await hostileFamilies(), 'openmetrics')
    const breaks: readonly (readonly [string, string])[] = [
      ['# EOF\n', ''],
      ['name="a\\"b"', 'name="a"b"'],
      ['name="a\\nb"', 'name="a\nb"'],
      ['aviso_things_total{', 'aviso_things{'],
    ]
    for (const [right, wrong] of breaks) {
      assert.ok(text.includes(right), right)
      const { code } = await tools.parseOpenMetrics(text.replace(right, wrong))
      assert.equal(code, 1, `${right} → ${wrong}`)
    }
  })
})
