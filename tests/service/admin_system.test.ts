import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import type { System } from '#services/system/system.ts'
import { loadConfig, SERVICE_NAMES } from '#services/system/settings.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { eventually } from '../support/waiting.ts'
import { BASE_URL, startTestSystem } from '../support/system.ts'

const CONFIG = {
  name: 'aviso',
  services: {
    rest: { name: 'rest', main: 'x', routes: ['/api/v1/notification'] },
    auth: {
      name: 'auth',
      main: 'x',
      routes: ['/v3/*', '/api/v1/watch', '/api/v1/replay', '/api/v1/schema', '/api/v1/schema/*'],
    },
  },
}

const systems: System[] = []
afterEach(async () => {
  await Promise.all(systems.splice(0).map((system) => system.close()))
})

async function start(vars: object = {}): Promise<System> {
  const system = startTestSystem({
    config: loadConfig(JSON.stringify({ ...CONFIG, vars }), 'file.json'),
    services: SERVICE_NAMES.filter((name) => name !== 'monitoring'),
    schemas: createBuiltinSchemas(),
  })
  systems.push(system)
  await system.ready
  return system
}

async function call(
  system: System,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly text: string }> {
  const init = {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }
  const response = await system.fetch(new Request(BASE_URL + path, init))
  return { status: response.status, text: await response.text() }
}

async function publish(system: System, number: string): Promise<void> {
  const identifier = { country: 'italy', airport: 'FCO', date: '20261125', number }
  const { status, text } = await call(system, 'POST', '/api/v1/notification', {
    event_type: 'flight',
    identifier,
    payload: number,
  })
  assert.equal(status, 200, text)
}

/** Ids of a replay from the first notification on. */
async function replay(system: System): Promise<string[]> {
  const { status, text } = await call(system, 'POST', '/api/v1/replay', {
    event_type: 'flight',
    identifier: {},
    from_id: '1',
  })
  assert.equal(status, 200, text)
  return [...text.matchAll(/"id":"(flight@\d+)"/g)].map(([, id]) => id ?? '')
}

describe('what an operator removes', () => {
  it('is not replayed any more: a notification (J8)', async () => {
    const system = await start()
    for (const number of ['AZ1', 'AZ2', 'AZ3']) await publish(system, number)
    // Twice, so that what the hub keeps of the first one would serve the second.
    assert.deepEqual(await replay(system), ['flight@1', 'flight@2', 'flight@3'])
    assert.equal((await call(system, 'DELETE', '/api/v1/admin/notification/flight@2')).status, 200)
    await eventually('the hub learns of it', async () => (await replay(system)).length === 2)
    assert.deepEqual(await replay(system), ['flight@1', 'flight@3'])
  })
  it('is not replayed any more: a stream, whose numbers go on (J9)', async () => {
    const system = await start()
    for (const number of ['AZ1', 'AZ2']) await publish(system, number)
    assert.equal((await replay(system)).length, 2)
    assert.equal(
      (await call(system, 'DELETE', '/api/v1/admin/wipe/stream', { stream_name: 'flight' })).status,
      200,
    )
    await eventually('the hub learns of it', async () => (await replay(system)).length === 0)
    await publish(system, 'AZ3')
    await eventually(
      'what comes later is delivered',
      async () => (await replay(system)).join() === 'flight@3',
    )
  })
})

describe('what was joined for open streams', () => {
  it('is not handed to a stream that begins after a removal', async () => {
    const system = await start()
    for (const number of ['AZ1', 'AZ2', 'AZ3']) await publish(system, number)
    const open = async () => {
      const request = new Request(`${BASE_URL}/api/v1/watch?event=flight&from_id=1`)
      const reader = (await system.fetch(request)).body?.getReader()
      assert.ok(reader)
      let text = ''
      while (!text.includes('flight@3')) text += new TextDecoder().decode((await reader.read()).value)
      return { text, reader }
    }
    const before = [await open(), await open(), await open()]
    await call(system, 'DELETE', '/api/v1/admin/notification/flight@2')
    await eventually('the hub learns of it', async () => (await replay(system)).length === 2)
    const after = await open()
    assert.ok(before.every(({ text }) => text.includes('flight@2')))
    assert.ok(!after.text.includes('flight@2'), after.text)
    await Promise.all([...before, after].map(({ reader }) => reader.cancel()))
  })
})

describe('a schema in the store', () => {
  const schema = (event: string): string =>
    JSON.stringify({
      [event]: {
        endpoint: [{ engine: ['etcd_rest'], base: `/x/${event}`, stem: '{a}' }],
        request: { a: [{ type: 'StringHandler' }] },
      },
    })
  const push = (system: System, content: string) =>
    call(system, 'POST', '/api/v1/admin/config/push', {
      service: 'aviso/v1',
      message: 'a schema',
      files: [{ path: 'event_listener_schema.json', content: encodeBase64(toBytes(content)) }],
    })
  const eventsOf = async (system: System): Promise<string[]> => {
    const { text } = await call(system, 'GET', '/api/v1/schema')
    return (JSON.parse(text) as { readonly event_types: string[] }).event_types
  }

  it('counts instead of the configured one, and its changes while the system runs', async () => {
    const system = await start({ schemaService: 'aviso/v1' })
    assert.deepEqual(await eventsOf(system), ['dissemination', 'flight', 'mars'])
    await publish(system, 'AZ1')
    assert.equal((await push(system, schema('storm'))).status, 200)
    await eventually('the services take it over', async () => (await eventsOf(system)).join() === 'storm')
    const published = await call(system, 'POST', '/api/v1/notification', {
      event_type: 'storm',
      identifier: { a: 'b' },
      payload: 'p',
    })
    assert.equal(published.status, 200, published.text)
    assert.equal(
      (await call(system, 'POST', '/api/v1/notification', { event_type: 'flight', identifier: {} })).status,
      400,
    )
    const replayed = await call(system, 'POST', '/api/v1/replay', {
      event_type: 'storm',
      identifier: {},
      from_id: '1',
    })
    assert.match(replayed.text, /storm@1/)
  })
  it('is refused where the services could not use it, and they go on', async () => {
    const system = await start({ schemaService: 'aviso/v1' })
    assert.equal((await push(system, '{"storm":{}}')).status, 400)
    await publish(system, 'AZ1')
  })
  it('is refused where it asks for identities that no provider gives', async () => {
    const system = await start({ schemaService: 'aviso/v1' })
    const auth = { required: true, read_roles: { local: ['reader'] } }
    const rule = { topic: { base: 'storm', key_order: ['a'] }, identifier: { a: { type: 'StringHandler' } } }
    const refused = await push(system, JSON.stringify({ notification_schema: { storm: { ...rule, auth } } }))
    assert.equal(refused.status, 400)
    assert.match(refused.text, /notification_schema\.storm\.auth: no requester is identified/)
    await publish(system, 'AZ1')
  })
  it('is served to clients of 1.x from there', async () => {
    const system = await start({ schemaService: 'aviso/v1' })
    await push(system, schema('storm'))
    const prefix = '/ec/config/aviso/v1'
    const body = { key: encodeBase64(toBytes(`${prefix}/`)), range_end: encodeBase64(toBytes(`${prefix}0`)) }
    const { status, text } = await call(system, 'POST', '/v3/kv/range', body)
    assert.equal(status, 200)
    const { kvs } = JSON.parse(text) as {
      readonly kvs: readonly { readonly key: string; readonly value: string }[]
    }
    assert.deepEqual(
      kvs.map(({ key, value }) => [key, value]),
      [
        [
          encodeBase64(toBytes(`${prefix}/event_listener_schema.json`)),
          encodeBase64(toBytes(schema('storm'))),
        ],
      ],
    )
  })
})

describe('scheduled()', () => {
  it('runs what is due, once', async () => {
    const system = await start()
    const scheduledTime = Date.now()
    await Promise.all([1, 2, 3].map(() => system.scheduled({ cron: '0 * * * *', scheduledTime })))
    const { text } = await call(system, 'GET', '/api/v1/admin/status')
    const { history } = JSON.parse(text) as { readonly history: { readonly marks: number } }
    assert.equal(history.marks, 1)
  })
})
