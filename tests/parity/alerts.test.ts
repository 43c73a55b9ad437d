import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { findPrometheusTools, prometheusMissing } from '../support/prometheus_tools.ts'

const MONITORING = fileURLToPath(new URL('../../services/monitoring', import.meta.url))
const ALERTS = `${MONITORING}/prometheus/alerts.yaml`

describe('prometheus/alerts.yaml', { skip: await prometheusMissing() }, () => {
  it('is valid, and fires when it should', async () => {
    const tools = await findPrometheusTools()
    const checked = await tools.promtool('check', 'rules', ALERTS)
    assert.equal(checked.code, 0, checked.output)
    const tested = await tools.promtool('test', 'rules', `${MONITORING}/prometheus/alerts.test.yaml`)
    assert.equal(tested.code, 0, tested.output)
  })

  it('says with every alert what to do', async () => {
    const text = await readFile(ALERTS, 'utf8')
    const count = (pattern: RegExp): number => text.match(pattern)?.length ?? 0
    assert.ok(count(/- alert:/g) > 15)
    assert.equal(count(/- alert:/g), count(/ action: /g))
  })
})
