import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { toPublishLimits } from '#services/rest/settings.ts'
import { loadConfig, type Config } from '#services/system/settings.ts'
import { systemClock } from '#shared/time/clock.ts'
import { flight } from '../support/notifications.ts'
import { BASE_URL, startTestSystem } from '../support/system.ts'

function configOf(idWindow?: object): Config {
  const { rest } = configFile.workers
  const workers = {
    ...configFile.workers,
    rest: { ...rest, vars: idWindow === undefined ? {} : { idWindow } },
  }
  return loadConfig(JSON.stringify({ ...configFile, workers }), 'test.json')
}

/** Publishes the ids in turn, a minute and a second apart. @returns their numbers, or `replayed`. */
async function publish(config: Config, ids: readonly string[]): Promise<readonly string[]> {
  let passedMs = 0
  const clock = { ...systemClock, now: () => systemClock.now() + passedMs }
  const system = startTestSystem({ config, services: ['rest'], clock })
  await system.ready
  const results: string[] = []
  for (const id of ids) {
    const body = JSON.stringify({ event_type: 'flight', identifier: flight(id), payload: 'Landed' })
    const init = { method: 'POST', headers: { 'idempotency-key': id }, body }
    const response = await system.fetch(new Request(`${BASE_URL}/api/v1/notification`, init))
    const { sequence } = (await response.json()) as { readonly sequence: string }
    results.push(response.headers.get('idempotent-replay') === 'true' ? 'replayed' : sequence)
    passedMs += 61_000
  }
  await system.close()
  return results
}

describe('workers.rest.vars.idWindow', () => {
  it('says how long a repeated notification is recognised', async () => {
    const ids = ['A', 'B', 'C', 'A']
    assert.deepEqual(await publish(configOf(), ids), ['1', '2', '3', 'replayed'])
    assert.deepEqual(await publish(configOf({ seconds: 60 }), ids), ['1', '2', '3', '4'])
  })

  it('is an hour and 200,000 ids, unless said otherwise', () => {
    const { vars } = configOf().workers.rest
    assert.deepEqual(toPublishLimits(vars), { idWindowMs: 3_600_000, idWindowItems: 200_000 })
    const longer = configOf({ seconds: 86_400, count: 1_000_000 }).workers.rest.vars
    assert.deepEqual(toPublishLimits(longer), { idWindowMs: 86_400_000, idWindowItems: 1_000_000 })
  })

  it('refuses a window in which a retry could come too late, and one that takes the memory', () => {
    for (const [idWindow, message] of [
      [{ seconds: 59 }, /workers\.rest\.vars\.idWindow\.seconds: .*60/],
      [{ seconds: 604_801 }, /idWindow\.seconds: .*604800/],
      [{ count: 39_999 }, /idWindow\.count: .*40000/],
      [{ count: 2_000_001 }, /idWindow\.count: .*2000000/],
      [{ hours: 1 }, /there is no setting "hours" here/],
    ] as const)
      assert.throws(() => configOf(idWindow), { code: 'ERR_CONFIG', message })
  })
})
