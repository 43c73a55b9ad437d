import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { formatMetrics } from '#shared/observe/metrics/open_metrics.ts'
import type { MetricFamily } from '#shared/observe/metrics/registry.ts'
import { allMetrics } from '../../scripts/generate/metrics.ts'
import { findPrometheusTools, prometheusMissing } from '../support/prometheus_tools.ts'
import { flightBody, withMeasuredSystem } from '../service/metrics_fixture.ts'

const MONITORING = fileURLToPath(new URL('../../services/monitoring', import.meta.url))
const NAME = /\b(?:aviso|process)_[a-z0-9_]+\b/g

/** Every family of a process with all services, whether it has samples yet or not. */
async function familiesOf(): Promise<readonly MetricFamily[]> {
  const { everywhere, monitoring, workers, runs } = await allMetrics()
  return [...everywhere, ...monitoring, ...workers, ...runs]
}

/** Names of samples that a family can have, and its own, by which texts speak of it. */
function sampleNames({ name, kind }: MetricFamily): readonly string[] {
  switch (kind) {
    case 'counter':
      return [`${name}_total`]
    case 'histogram':
      return [name, `${name}_bucket`, `${name}_sum`, `${name}_count`]
    case 'info':
      return [`${name}_info`]
    case 'gauge':
      return [name]
  }
}

describe('Grafana dashboard and alert rules', () => {
  it('ask for metrics that there are', async () => {
    const known = new Set((await familiesOf()).flatMap(sampleNames))
    for (const file of ['grafana/aviso.json', 'prometheus/alerts.yaml']) {
      const text = await readFile(`${MONITORING}/${file}`, 'utf8')
      const named = new Set(text.match(NAME) ?? [])
      assert.ok(named.size > 20, file)
      assert.deepEqual(
        [...named].filter((name) => !known.has(name)),
        [],
        file,
      )
    }
  })

  it('of the dashboard is what Grafana reads: panels with a place and a question', async () => {
    const dashboard = JSON.parse(await readFile(`${MONITORING}/grafana/aviso.json`, 'utf8')) as {
      readonly panels: readonly {
        readonly id: number
        readonly type: string
        readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
        readonly targets?: readonly { readonly expr: string }[]
      }[]
    }
    assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
    for (const { type, gridPos, targets } of dashboard.panels) {
      assert.ok(gridPos.x + gridPos.w <= 24)
      assert.ok(type === 'row' || (targets ?? []).every(({ expr }) => expr !== ''))
    }
  })
})

describe('GET /metrics of a whole system', { skip: await prometheusMissing() }, () => {
  it('is read by the OpenMetrics parser of Prometheus after hostile requests', async () => {
    const tools = await findPrometheusTools()
    await withMeasuredSystem(async ({ call, post, page, report }) => {
      await post('/api/v1/notification', flightBody('1'))
      for (const path of ['/"', '/%0a', '/{}', '/\\']) await call(path, { method: 'QUERY' })
      await post('/api/v1/notification', { event_type: 'a"b\n# EOF\n', identifier: { 'c"': '\n' } })
      await post('/api/v1/watch', { event_type: 'x"} 1\n' })
      const reported = async (line: string): Promise<void> => {
        assert.equal((await report(line)).status, 200)
      }
      const hostile = { telemetry_type: 'a', component_name: 'b"\n', hostname: 'c', time: 1 }
      await reported(JSON.stringify({ ...hostile, telemetry: { 'q"_counter': 1 } }))
      await reported(
        JSON.stringify({ ...hostile, telemetry: { x_counter: 1, x_avg: 1, x_max: 1, x_min: 1 } }),
      )
      await reported(
        JSON.stringify({
          ...hostile,
          telemetry_type: 'auth_users_counter',
          telemetry: { y_values: ['"\n'] },
        }),
      )
      const text = await page()
      const { code, output } = await tools.parseOpenMetrics(text)
      assert.equal(code, 0, output)
      assert.ok(output.split('\n').length > 30)
      const old = formatMetrics(await familiesOf(), 'prometheus')
      const checked = await tools.checkMetrics(old)
      assert.equal(checked.code, 0, checked.output)
    })
  })
})
