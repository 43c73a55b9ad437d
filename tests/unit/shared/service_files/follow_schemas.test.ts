import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Schemas } from '#shared/notification/schema.ts'
import { followSchemas, readSchemas } from '#shared/service_files/follow_schemas.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createMemoryStore } from '../../../support/memory_store.ts'
import type { Store } from '#shared/store/store.ts'
import { createIdleClock } from '../../../support/clock.ts'
import { eventually } from '../../../support/waiting.ts'

const KEY = '/ec/config/aviso/v1/event_listener_schema.json'
const schema = (...events: readonly string[]): string =>
  JSON.stringify(
    Object.fromEntries(
      events.map((event) => [
        event,
        {
          endpoint: [{ engine: ['etcd_rest'], base: `/x/${event}`, stem: '{a}' }],
          request: { a: [{ type: 'StringHandler' }] },
        },
      ]),
    ),
  )

async function put(store: Store, key: string, value: string): Promise<void> {
  await store.txn({ compare: [], success: [{ kind: 'put', key: toBytes(key), value: toBytes(value) }] })
}

function setUp() {
  const clock = createIdleClock()
  const store = createMemoryStore({ clock })
  const logged: string[] = []
  const source = {
    store,
    service: 'aviso/v1',
    clock,
    random: () => 'random',
    logger: (_level: string, message: string) => void logged.push(message),
  }
  const seen: Schemas[] = []
  const stop = new AbortController()
  const follow = async () => {
    const { revision } = await readSchemas(source)
    return followSchemas(source, revision, {
      signal: stop.signal,
      onChange: async (schemas) => void seen.push(schemas),
    })
  }
  const close = async (running: Promise<void>): Promise<void> => {
    stop.abort()
    await running
    await store.close()
  }
  return { store, source, seen, logged, follow, close }
}

describe('followSchemas()', () => {
  it('picks up every schema that can be used, and keeps the last one where one cannot', async () => {
    const { store, source, seen, logged, follow, close } = setUp()
    await put(store, KEY, schema('one'))
    assert.deepEqual((await readSchemas(source)).schemas?.events, ['one'])
    const running = follow()
    await put(store, KEY, schema('one', 'two'))
    await eventually('it is taken over', () => seen.length === 1)
    assert.deepEqual(seen[0]?.events, ['one', 'two'])
    await put(store, KEY, '{"broken":')
    await eventually('it is logged', () => logged.some((message) => message.includes('cannot be used')))
    // Files of other services, and of other kinds, change nothing that is in use.
    await put(store, '/ec/config/aviso/v10/event_listener_schema.json', schema('other'))
    await put(store, KEY, schema('three'))
    await eventually('it is taken over', () => seen.length >= 2)
    assert.deepEqual(seen.at(-1)?.events, ['three'])
    await close(running)
  })
  it('sees what was pushed between the first read and the watch', async () => {
    const { store, seen, follow, close } = setUp()
    await put(store, KEY, schema('one'))
    const running = follow()
    for (let push = 0; push < 3; push++) await put(store, KEY, schema(`push${push}`))
    await eventually('it is taken over', () => seen.at(-1)?.events[0] === 'push2')
    await close(running)
  })
  it('goes on after its history was compacted', async () => {
    const { store, source, seen, close } = setUp()
    await put(store, KEY, schema('one'))
    const stop = new AbortController()
    const from = (await store.status()).revision
    await put(store, KEY, schema('two'))
    await put(store, KEY, schema('three'))
    await store.compact((await store.status()).revision)
    const running = followSchemas(source, from, {
      signal: stop.signal,
      onChange: async (schemas) => void seen.push(schemas),
    })
    await eventually('it is taken over', () => seen.at(-1)?.events[0] === 'three')
    stop.abort()
    await close(running)
  })
})
