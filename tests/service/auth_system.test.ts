import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import type { System } from '#services/system/system.ts'
import { loadConfig } from '#services/system/settings.ts'
import { AvisoError } from '#shared/errors.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { readFrames } from './auth_fixture.ts'
import { eventually } from '../support/waiting.ts'
import { BASE_URL, startTestSystem } from '../support/system.ts'
import { flight } from '../support/notifications.ts'

/** A store that is away, or another one than before. */
function changeableStore(first: Store | undefined): {
  readonly store: Store
  use(next: Store | undefined): void
} {
  let current = first
  const require = (): Store => {
    if (current !== undefined) return current
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'away')
  }
  return {
    use: (next) => {
      current = next
    },
    store: {
      range: async (...parameters) => require().range(...parameters),
      txn: async (...parameters) => require().txn(...parameters),
      watch: (request) => require().watch(request),
      compact: async (...parameters) => require().compact(...parameters),
      grantLease: async (...parameters) => require().grantLease(...parameters),
      status: async (...parameters) => require().status(...parameters),
      close: async () => current?.close(),
    },
  }
}

async function withStore(store: Store, use: (system: System) => Promise<void>): Promise<void> {
  const system = startTestSystem({
    config: loadConfig(JSON.stringify(configFile), 'test'),
    services: ['rest', 'auth'],
    store,
  })
  try {
    await use(system)
  } finally {
    await system.close()
  }
}

const memory = (): Store => createMemoryStore({ clock: systemClock })

async function status(system: System, path: string, init?: RequestInit): Promise<number> {
  const response = await system.fetch(new Request(BASE_URL + path, init))
  await response.body?.cancel()
  return response.status
}

async function publish(system: System): Promise<number> {
  const body = JSON.stringify({ event_type: 'flight', identifier: flight('a') })
  return status(system, '/api/v1/notification', { method: 'POST', body })
}

describe('startSystem()', () => {
  it('waits for a store that cannot be reached yet, and answers 503 until then', async () => {
    const { store, use } = changeableStore(undefined)
    await withStore(store, async (system) => {
      assert.equal(await status(system, '/api/v1/schema'), 503)
      assert.equal(await status(system, '/ready'), 503)
      assert.equal(await status(system, '/health'), 200)
      use(memory())
      await system.ready
      assert.equal(await status(system, '/api/v1/schema'), 200)
      assert.equal(await status(system, '/ready'), 200)
      assert.equal(await publish(system), 200)
    })
  })

  it('can be stopped while it waits', async () => {
    await withStore(changeableStore(undefined).store, async () => undefined)
  })

  it('refuses positions of the store before, once it was replaced', async () => {
    const before = memory()
    const { store, use } = changeableStore(before)
    await withStore(store, async (system) => {
      await system.ready
      assert.equal(await publish(system), 200)
      const watch = (query: string): Promise<Response> =>
        system.fetch(new Request(`${BASE_URL}/api/v1/watch?event=flight${query}`))
      const stream = readFrames(await watch('&from_id=1'))
      await stream.next()
      const { id } = await stream.next()
      use(memory())
      await before.close()
      const frames = await stream.rest()
      assert.equal(frames.at(-1)?.data.reason, 'store_unavailable')
      await eventually('the old position is refused', async () => {
        const response = await watch(`&from=${id}`)
        await response.body?.cancel()
        return response.status === 410
      })
      const anew = readFrames(await watch(''))
      const opening = await anew.next()
      assert.notEqual(opening.id?.split('.')[0], id?.split('.')[0])
      await anew.close()
    })
  })
})
