/** What a start reads before it says that it is ready, so that the first notification need not wait for it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { loadConfig } from '#services/system/settings.ts'
import type { System } from '#services/system/system.ts'
import { journalKey } from '#shared/journal/journal.ts'
import { toText } from '#shared/bytes/bytes.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { settle } from '../support/clock.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { flight } from '../support/notifications.ts'
import { BASE_URL, startTestSystem } from '../support/system.ts'

const config = loadConfig(JSON.stringify(configFile), 'test.json')
/** As many commits, which are more than are read one by one. */
const IDS = Array.from('abcdefghijkl')

async function publish(system: System, id: string): Promise<Response> {
  const body = JSON.stringify({ event_type: 'flight', identifier: flight(id), payload: 'Landed' })
  const init = { method: 'POST', headers: { 'idempotency-key': id }, body }
  return system.fetch(new Request(`${BASE_URL}/api/v1/notification`, init))
}

async function readiness(system: System): Promise<readonly [number, Record<string, unknown>]> {
  const response = await system.fetch(new Request(`${BASE_URL}/readyz`))
  return [response.status, (await response.json()) as Record<string, unknown>]
}

/** A store with a history, whose journals cannot be watched until they are let go. */
async function slowStore(): Promise<{ readonly store: Store; readonly release: () => void }> {
  const store = createMemoryStore({ clock: systemClock })
  const before = startTestSystem({
    config,
    services: ['rest'],
    store: { ...store, close: async () => undefined },
  })
  await before.ready
  for (const id of IDS) assert.equal((await publish(before, id)).status, 200)
  await before.close()
  const gate = Promise.withResolvers<void>()
  const journal = journalKey('flight')
  return {
    release: gate.resolve,
    store: {
      ...store,
      watch: (request) =>
        toText(request.key) === journal && request.from !== undefined
          ? (async function* () {
              await gate.promise
              yield* store.watch(request)
            })()
          : store.watch(request),
    },
  }
}

describe('startSystem(), recent ids', () => {
  it('is alive and publishes, but is not ready, while they are read', async () => {
    const { store, release } = await slowStore()
    const system = startTestSystem({ config, services: ['rest', 'auth'], store })
    let isReady = false
    void system.ready.then(() => (isReady = true))
    await settle()
    assert.deepEqual(await readiness(system), [
      503,
      {
        status: 'not_ready',
        backend_connected: true,
        streams: 0,
        reason: 'The ids of recent notifications are being read',
      },
    ])
    assert.equal((await system.fetch(new Request(`${BASE_URL}/health`))).status, 200)
    const again = publish(system, 'a')
    await settle()
    assert.equal(isReady, false)
    release()
    assert.equal((await again).headers.get('idempotent-replay'), 'true')
    await system.ready
    assert.deepEqual(await readiness(system), [200, { status: 'ready', backend_connected: true, streams: 0 }])
    await system.close()
  })

  it('can be stopped meanwhile', async () => {
    const { store } = await slowStore()
    const system = startTestSystem({ config, services: ['rest'], store })
    await settle()
    assert.equal((await readiness(system))[0], 503)
    await system.close()
  })

  it('is ready without them where nothing is published', async () => {
    const { store } = await slowStore()
    const system = startTestSystem({ config, services: ['auth'], store })
    await system.ready
    assert.equal((await readiness(system))[0], 200)
    await system.close()
  })
})
