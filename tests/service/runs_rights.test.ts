/**
 * Who may see the notifications of a run: exactly who may listen to all of its products, by every way to them, and no provider may publish
 * one.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { createRunKeys } from '#services/runs/run_schema.ts'
import type { System } from '#services/system/system.ts'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import { prefixEnd, toBytes, toText } from '#shared/bytes/bytes.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { createPublisher } from '#shared/publish/publisher.ts'
import { systemClock } from '#shared/time/clock.ts'
import { eventually } from '../support/waiting.ts'
import { BASE_URL } from '../support/system.ts'
import { readFrames } from './auth_fixture.ts'
import {
  ALL,
  bearer,
  EXAMPLES,
  NAMES,
  startScene,
  tokenOf,
  USERS,
  type Example,
} from './runs_rights_fixture.ts'
import { storeOn } from './tree_fixture.ts'

describe('rights to runs', () => {
  let system: System
  let close: () => Promise<void>
  const keys = new Map<Example, { readonly stem: string; readonly base: string; readonly id: string }>()

  before(async () => {
    const scene = await startScene(['rest', 'auth'])
    const { store, schemas } = scene
    system = scene.system
    const publisher = createPublisher({
      store,
      clock: systemClock,
      random: () => crypto.randomUUID(),
      identity: { unixUser: 'test', hostname: 'test', version: '1' },
    })
    const runKeys = createRunKeys(schemas)
    for (const [example, name] of Object.entries(EXAMPLES)) {
      const own = runKeys.of(name, 'complete')
      const item = { event: 'run', keys: own, value: toBytes('{}'), id: example, source: 'test' }
      const [result] = await publisher.publish([item])
      assert.ok(result?.ok)
      keys.set(example as Example, { ...own, id: `run@${result.receipt.sequence}` })
    }
    await publisher.close()
    close = scene.close
  })
  after(() => close())

  const keysOf = (example: Example): { stem: string; base: string; id: string } => {
    const own = keys.get(example)
    assert.ok(own !== undefined)
    return own
  }
  const call = (path: string, name: string, body?: unknown): Promise<Response> =>
    system.fetch(
      new Request(BASE_URL + path, {
        headers: bearer(name),
        ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
      }),
    )
  const identifierOf = (example: Example): Record<string, string> => {
    const { event, run } = EXAMPLES[example]
    return { event_type: event, destination: '-', region: '-', ...run }
  }
  const query = (example: Example): string =>
    new URLSearchParams({ event: 'run', ...identifierOf(example) }).toString()
  const prefix = (text: string): object => ({
    key: encodeBase64(toBytes(text)),
    range_end: encodeBase64(prefixEnd(toBytes(text))),
  })

  /** Whether the run's notification is in what an answer brings. */
  async function isStreamed(response: Response, example: Example): Promise<boolean> {
    if (response.status !== 200) {
      await response.body?.cancel()
      return false
    }
    const frames = readFrames(response)
    const { data } = await frames.next(
      (frame) => frame.data.data !== undefined || frame.data.reason !== undefined,
    )
    await frames.close()
    return data.id === keysOf(example).id
  }
  async function hasKey(response: Response, example: Example): Promise<boolean> {
    if (response.status !== 200) return false
    const { kvs = [] } = (await response.json()) as { readonly kvs?: readonly { readonly key: string }[] }
    return kvs.some(({ key }) => key === encodeBase64(toBytes(keysOf(example).stem)))
  }
  async function isTold(response: Response, text: string): Promise<boolean> {
    return response.status === 200 && (await response.text()).includes(text)
  }

  /** Every way to a run's notification: whether it leads somebody to it. */
  const WAYS: Readonly<Record<string, (name: string, example: Example) => Promise<boolean>>> = {
    'a watch of our own, from the first one': async (name, example) =>
      isStreamed(await call(`/api/v1/watch?${query(example)}&from_id=1`, name), example),
    'a replay of 2.x': async (name, example) =>
      isStreamed(
        await call('/api/v1/replay', name, {
          event_type: 'run',
          identifier: identifierOf(example),
          from_id: '1',
        }),
        example,
      ),
    'a watch of 2.x': async (name, example) =>
      isStreamed(
        await call('/api/v1/watch', name, {
          event_type: 'run',
          identifier: identifierOf(example),
          from_id: '1',
        }),
        example,
      ),
    'a poll of 1.x': async (name, example) =>
      hasKey(await call('/v3/kv/range', name, prefix(keysOf(example).base)), example),
    'a poll of 1.x without a slash': async (name, example) =>
      hasKey(await call('/v3/kv/range', name, prefix(keysOf(example).base.slice(0, -1))), example),
    'a poll of one key': async (name, example) =>
      hasKey(await call('/v3/kv/range', name, { key: encodeBase64(toBytes(keysOf(example).stem)) }), example),
    'a watch of 1.x': async (name, example) => {
      const request = { create_request: { ...prefix(keysOf(example).base), start_revision: '1' } }
      const response = await call('/v3/watch', name, request)
      const reader = response.body?.getReader()
      let text = ''
      while (response.status === 200 && reader !== undefined && !text.includes('"events"')) {
        const { value, done } = await reader.read()
        if (done) break
        text += toText(value)
      }
      await reader?.cancel()
      return text.includes(encodeBase64(toBytes(keysOf(example).stem)))
    },
    history: async (name, example) =>
      isTold(await call(`/api/v1/notifications?${query(example)}`, name), `"${keysOf(example).id}"`),
    'one notification': async (name, example) =>
      isTold(await call(`/api/v1/notifications/${keysOf(example).id}`, name), `"${keysOf(example).id}"`),
    'its trace': async (name, example) =>
      isTold(await call(`/api/v1/notifications/${keysOf(example).id}/trace`, name), keysOf(example).id),
    explain: async (name, example) =>
      isTold(
        await call('/api/v1/explain', name, { event_type: 'run', identifier: identifierOf(example) }),
        `"matched":1`,
      ),
  }

  for (const [way, leads] of Object.entries(WAYS))
    it(`${way} leads to the runs whose products one may listen to`, async () => {
      for (const name of NAMES) {
        const seen: Example[] = []
        for (const example of ALL) if (await leads(name, example)) seen.push(example)
        assert.deepEqual(seen, USERS[name]?.sees, name)
      }
    })

  it('a relay gets and passes on what it may listen to, and follows no runs itself', async () => {
    const platform = await detectPlatform()
    const server = await platform.serve(system.handle, { host: '127.0.0.1', port: 0 })
    const relay = await startScene(['auth', 'runs'], await storeOn(server.url, tokenOf('relay')))
    const ask = (path: string): Promise<Response> =>
      relay.system.fetch(new Request(BASE_URL + path, { headers: bearer('everything') }))
    try {
      assert.ok(await isStreamed(await ask(`/api/v1/watch?${query('foo')}&from_id=1`), 'foo'))
      const others = await ask(`/api/v1/notifications?${query('foobar')}`)
      assert.deepEqual(((await others.json()) as { readonly notifications: unknown }).notifications, [])
      const response = await ask('/api/v1/runs')
      assert.equal(response.status, 404)
      assert.match(await response.text(), /No runs are followed here/)
    } finally {
      await relay.close()
      await server.close()
    }
  })

  it('a range over all runs is for those who may see all of them', async () => {
    for (const name of NAMES) {
      const response = await call('/v3/kv/range', name, prefix('/aviso/run/'))
      const isWhole = USERS[name]?.sees.length === ALL.length
      assert.equal(response.status, isWhole ? 200 : 403, name)
      await response.body?.cancel()
    }
  })

  it('what there is, and who one is, tell of the same runs', async () => {
    for (const name of NAMES) {
      const { events } = (await (await call('/api/v1/events?event=run', name)).json()) as {
        readonly events: readonly { readonly looked: number }[]
      }
      assert.equal(events[0]?.looked ?? 0, USERS[name]?.sees.length, name)
      const { rights } = (await (await call('/api/v1/me', name)).json()) as {
        readonly rights: readonly {
          readonly right: string
          readonly event_type: string
          readonly keys: unknown
        }[]
      }
      const own = rights.filter(({ event_type: event }) => event === 'run')
      assert.ok(
        own.every(({ right }) => right === 'listen'),
        name,
      )
      assert.equal(own.length > 0, (USERS[name]?.sees.length ?? 0) > 0, name)
    }
  })

  it('a range that names the field of one run and not of another is refused as a whole', async () => {
    const both = { ...identifierOf('foo'), destination: ['FOO', 'FOOBAR'] }
    const response = await call('/api/v1/watch', 'foo', { event_type: 'run', identifier: both })
    assert.equal(response.status, 403)
    await response.body?.cancel()
  })

  const FORGED = { ...identifierOf('mars'), state: 'complete' }
  for (const [form, body, type] of [
    ['a notification of 2.x', { event_type: 'run', identifier: FORGED }, 'application/json'],
    ['a CloudEvent', cloudEvent('run', FORGED), 'application/json'],
    ['a batch', [cloudEvent('run', FORGED)], 'application/cloudevents-batch+json'],
    ['a stream', cloudEvent('run', FORGED), 'application/x-ndjson'],
  ] as const)
    it(`no provider publishes a run: ${form}`, async () => {
      const response = await system.fetch(
        new Request(`${BASE_URL}/api/v1/notification`, {
          method: 'POST',
          headers: { ...bearer('everything'), 'content-type': type },
          body: JSON.stringify(body),
        }),
      )
      const text = await response.text()
      assert.match(text, /The event type \\?"run\\?" is published by this service alone/)
      assert.match(text, /ERR_FORBIDDEN|FORBIDDEN/)
      if (type === 'application/json') assert.equal(response.status, 403)
      const { events } = (await (await call('/api/v1/events?event=run', 'everything')).json()) as {
        readonly events: readonly { readonly last: { readonly sequence: string } }[]
      }
      assert.equal(events[0]?.last.sequence, String(ALL.length))
    })
})

describe('rights to the state of runs', () => {
  it('are checked for open streams: what is told is delivered live, and no more after the right to products is gone', async () => {
    const { system, policy, close } = await startScene(['rest', 'auth', 'runs'])
    try {
      const query = 'event=run&event_type=dissemination&destination=FOO'
      const watch = (name: string): Promise<Response> =>
        system.fetch(new Request(`${BASE_URL}/api/v1/watch?${query}`, { headers: bearer(name) }))
      const [foo, diss] = [readFrames(await watch('foo')), readFrames(await watch('diss'))]
      for (const frames of [foo, diss])
        await frames.next(({ data }) => data.type === 'connection_established')
      const publish = async (time: string): Promise<void> => {
        const identifier = { ...EXAMPLES.foo.run, time, domain: 'g', target: 'E1', step: '1' }
        const body = JSON.stringify({ event_type: 'dissemination', identifier, payload: 'x' })
        const request = { method: 'POST', headers: bearer('everything'), body }
        const response = await system.fetch(new Request(`${BASE_URL}/api/v1/notification`, request))
        assert.equal(response.status, 200, await response.text())
      }
      await publish('12')
      for (const frames of [foo, diss]) {
        const { data } = await frames.next((frame) => frame.data.data !== undefined)
        assert.deepEqual([data.id, data.data?.identifier['state']], ['run@1', 'started'])
      }
      const rules = policy.rules.map((rule) =>
        rule.users?.includes('foo') === true ? { ...rule, listen: ['/ec/diss/FOOBAR/'] } : rule,
      )
      system.replacePolicy({ ...policy, rules })
      const { data } = await foo.next((frame) => frame.data.reason !== undefined)
      assert.equal(data.reason, 'auth_revoked')
      await publish('18')
      assert.equal((await diss.next((frame) => frame.data.data !== undefined)).data.id, 'run@2')
      assert.equal((await watch('foo')).status, 403)
      await diss.close()
    } finally {
      await close()
    }
  })

  it('the routes tell of the runs whose products one may listen to, and of no other', async () => {
    const { system, close } = await startScene(['rest', 'auth', 'runs'])
    const call = (path: string, name: string, init: RequestInit = {}): Promise<Response> =>
      system.fetch(new Request(BASE_URL + path, { ...init, headers: bearer(name) }))
    const list = async (name: string): Promise<readonly { readonly id: string }[]> => {
      const response = await call('/api/v1/runs', name)
      const body = (await response.json()) as { readonly runs?: readonly { readonly id: string }[] }
      return body.runs ?? []
    }
    try {
      for (const { event, run } of Object.values(EXAMPLES)) {
        const others =
          event === 'extreme'
            ? { level: '7' }
            : { domain: 'g', ...(event === 'dissemination' && { target: 'E1' }) }
        const body = JSON.stringify({
          event_type: event,
          identifier: { ...run, ...others, step: '1' },
          payload: 'x',
        })
        const response = await call('/api/v1/notification', 'everything', { method: 'POST', body })
        assert.equal(response.status, 200, await response.text())
      }
      await eventually('all runs are known', async () => (await list('everything')).length === ALL.length)
      const idOf = (example: Example): string => {
        const { event, run } = EXAMPLES[example]
        const order: readonly string[] =
          event === 'extreme'
            ? ['region', 'date']
            : ['destination', 'class', 'stream', 'expver', 'date', 'time']
        const values: Readonly<Record<string, string>> = run
        return `${event}:${order.flatMap((field) => values[field] ?? []).join(',')}`
      }
      for (const name of NAMES) {
        const sees = USERS[name]?.sees ?? []
        assert.deepEqual(
          (await list(name)).map(({ id }) => id).toSorted(),
          sees.map((example) => idOf(example)).toSorted(),
          name,
        )
        for (const example of ALL) {
          const response = await call(`/api/v1/runs/${idOf(example)}`, name)
          assert.equal(response.status, sees.includes(example) ? 200 : 404, `${name} ${example}`)
          await response.body?.cancel()
        }
      }
      const wrong = await system.fetch(new Request(`${BASE_URL}/api/v1/runs`))
      assert.deepEqual(await wrong.json(), { runs: [], next: null })
      // The page of metrics is open, so that no destination stands there.
      const metrics = await (await call('/metrics', 'none')).text()
      assert.match(metrics, /aviso_runs_open/)
      assert.doesNotMatch(metrics, /FOO/)
    } finally {
      await close()
    }
  })
})

function cloudEvent(event: string, request: object): object {
  return {
    specversion: '1.0',
    id: '1',
    source: '/test',
    type: 'aviso',
    data: { event, request, payload: 'x' },
  }
}
