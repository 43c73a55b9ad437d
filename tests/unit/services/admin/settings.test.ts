import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '#services/system/settings.ts'
import { isAvisoError } from '#shared/errors.ts'

const HOUR_MS = 3_600_000
const service = (name: string): object => ({ name, main: `services/${name}/handler.ts`, routes: ['/'] })

function load(admin?: object) {
  const services = {
    rest: service('rest'),
    auth: service('auth'),
    ...(admin !== undefined && { admin: { ...service('admin'), ...admin } }),
  }
  return loadConfig(JSON.stringify({ name: 'aviso', services }), 'file.json').workers.admin
}

describe('adminVars', () => {
  it('are those of 1.x where nothing is said', () => {
    const { vars, triggers, routes } = load()
    assert.equal(vars.history, 16 * 24 * HOUR_MS)
    assert.equal(vars.retention.age, 15 * 24 * HOUR_MS)
    assert.deepEqual(triggers.crons, ['0 * * * *', '30 0 * * *'])
    assert.deepEqual(vars.jobs, { compact: '0 * * * *', clean: '30 0 * * *' })
    assert.deepEqual(routes, ['/api/v1/admin/*'])
  })
  it('are read with their units', () => {
    const { vars } = load({ vars: { history: '2d', events: { mars: { age: '1h', count: 5 } } } })
    assert.equal(vars.history, 48 * HOUR_MS)
    assert.deepEqual(vars.events, { mars: { age: HOUR_MS, count: 5 } })
  })
  for (const [what, admin, path] of [
    ['no retention at all', { vars: { retention: { age: '0d' } } }, 'vars.retention.age'],
    ['a negative one', { vars: { retention: { age: '-1d' } } }, 'vars.retention.age'],
    ['less than an hour', { vars: { retention: { age: '59m' } } }, 'vars.retention.age'],
    ['a number without a unit', { vars: { history: '15' } }, 'vars.history'],
    ['a number', { vars: { history: 15 } }, 'vars.history'],
    ['a short history', { vars: { history: '1800s' } }, 'vars.history'],
    [
      'less than an hour for one event type',
      { vars: { events: { mars: { age: '1m' } } } },
      'vars.events.mars.age',
    ],
    ['a count of none', { vars: { events: { mars: { count: 0 } } } }, 'vars.events.mars.count'],
    ['no roots', { vars: { roots: [] } }, 'vars.roots'],
    ['an empty root', { vars: { roots: [''] } }, 'vars.roots.0'],
    ['the whole store', { vars: { roots: ['/ec/diss/', '/'] } }, 'vars.roots.1'],
    ["the services' own keys", { vars: { roots: ['/_aviso/'] } }, 'vars.roots.0'],
    ['a schedule that is no cron', { triggers: { crons: ['every night'] } }, 'triggers.crons.0'],
    ['an unknown setting', { vars: { retension: {} } }, 'vars.retension'],
  ] as const)
    it(`refuse ${what}, with the place`, () => {
      assert.throws(
        () => load(admin),
        (error) => isAvisoError(error, 'ERR_CONFIG') && error.message.includes(`workers.admin.${path}:`),
      )
    })
})
