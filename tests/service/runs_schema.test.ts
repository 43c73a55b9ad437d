/** Runs of event types whose schema is in the store (`vars.schemaService`). */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { createConfiguredSchemas } from '#services/system/runs.ts'
import { loadConfig } from '#services/system/settings.ts'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'
import { BUILTIN_SCHEMAS } from '#shared/notification/builtin_schemas.ts'
import type { RunPage } from '#shared/runs/runs.ts'
import { createSecretReader } from '#shared/secret.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { BASE_URL, startTestSystem } from '../support/system.ts'
import { eventually } from '../support/waiting.ts'

const SERVICE = 'aviso/v1'
const FILE = 'event_listener_schema.json'
const RUNS = {
  mars: true,
  storm: {
    run: ['area', 'date'],
    product: ['step'],
    nominal: { date: 'date' },
    expect: [{ step: '0/to/6/by/3' }],
    due: '47h',
    close: '48h',
  },
}
const TODAY = new Date().toISOString().slice(0, 10).replaceAll('-', '')
const { mars } = BUILTIN_SCHEMAS.get('ecmwf') as { readonly mars: object }

/** The schema in the store. @param leftOut A field of `storm` that it lacks. */
function schemaWith({ leftOut = '', more = {} }: { leftOut?: string; more?: object } = {}): string {
  const fields = {
    area: [{ type: 'StringHandler' }],
    date: [{ type: 'DateHandler', canonic: '%Y%m%d' }],
    step: [{ type: 'IntHandler' }],
  }
  const kept = Object.entries(fields).filter(([name]) => name !== leftOut)
  const stem = kept
    .map(([name]) => `{${name}}`)
    .slice(1)
    .join('/')
  const storm = {
    endpoint: [{ engine: ['etcd_rest'], base: '/x/storm/{area}', stem }],
    request: Object.fromEntries(kept),
  }
  return JSON.stringify({ mars, storm, ...more })
}

/** The event type `run` as clients of 1.x have it. */
function runFor1x(stem: string): object {
  const text = [{ type: 'StringHandler' }]
  const fields = ['event_type', 'area', 'class', 'stream', 'expver', 'date', 'time', 'state']
  return {
    run: {
      endpoint: [{ engine: ['etcd_rest'], base: '/aviso/run/{event_type}/{area}', stem }],
      request: Object.fromEntries(fields.map((name) => [name, text])),
    },
  }
}

interface Scene {
  readonly store: Store
  readonly logged: readonly string[]
  push(content: string): Promise<Response>
  events(): Promise<string>
  publish(step: number): Promise<void>
  /** What is answered of the runs of `storm`. */
  runs(token?: string): Promise<Response>
  states(): Promise<readonly string[]>
  metrics(): Promise<string>
  /** States that were told, oldest first. */
  told(): Promise<readonly string[]>
}

async function withSystem(
  use: (scene: Scene) => Promise<void>,
  { content, vars = {}, failures = 0 }: { content?: string; vars?: object; failures?: number } = {},
): Promise<void> {
  const logged: string[] = []
  const store = createMemoryStore({ clock: systemClock })
  let failed = 0
  if (content !== undefined) await put(store, content)
  const all = { ...configFile.vars, runs: RUNS, schemaService: SERVICE, ...vars }
  const config = loadConfig(JSON.stringify({ ...configFile, vars: all }), 'test')
  const files = [{ source: 'ecmwf', content: BUILTIN_SCHEMAS.get('ecmwf') }]
  const system = startTestSystem({
    config,
    services: ['rest', 'auth', 'admin', 'runs'],
    schemas: createConfiguredSchemas(files, config.vars),
    store: {
      ...store,
      range: async (...given) => {
        if (failed++ < failures) throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The store does not answer')
        return store.range(...given)
      },
    },
    readSecret: createSecretReader(SECRETS),
    logger: (level, message, fields) => void logged.push(`${level} ${message} ${JSON.stringify(fields)}`),
  })
  const call = (path: string, body?: object, token = ADMIN): Promise<Response> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const post = { method: 'POST', body: JSON.stringify(body) }
    return system.fetch(new Request(BASE_URL + path, { headers, ...(body !== undefined && post) }))
  }
  const read = async <Body>(path: string): Promise<Body> => {
    const response = await call(path)
    const found: unknown = await response.json()
    assert.equal(response.status, 200, JSON.stringify(found))
    return found as Body
  }
  try {
    await system.ready
    await use({
      store,
      logged,
      push: (text) =>
        call('/api/v1/admin/config/push', {
          service: SERVICE,
          message: 'a schema',
          files: [{ path: FILE, content: encodeBase64(toBytes(text)) }],
        }),
      events: async () =>
        (await read<{ readonly event_types: readonly string[] }>('/api/v1/schema')).event_types.join(),
      publish: async (step) => {
        const identifier = { area: 'north', date: TODAY, step }
        const response = await call('/api/v1/notification', { event_type: 'storm', identifier, payload: 'x' })
        assert.equal(response.status, 200, await response.text())
      },
      runs: (token) => call('/api/v1/runs?event=storm', undefined, token),
      states: async () => {
        const { runs } = await read<RunPage>('/api/v1/runs?event=storm')
        return runs.map(({ state, received, expected }) => `${state} ${received}/${expected}`)
      },
      metrics: async () => (await call('/metrics')).text(),
      told: async () => {
        const path = `/api/v1/notifications?event=run&event_type=storm&area=north&date=${TODAY}&order=oldest`
        const { notifications } = await read<{
          readonly notifications: readonly {
            readonly data: { readonly identifier: { readonly state: string } }
          }[]
        }>(path)
        return notifications.map(({ data }) => data.identifier.state)
      },
    })
  } finally {
    await system.close()
  }
}

/** Writes the schema past all checks, as another program would. */
async function put(store: Store, content: string): Promise<void> {
  const key = toBytes(`/ec/config/${SERVICE}/${FILE}`)
  await store.txn({ compare: [], success: [{ kind: 'put', key, value: toBytes(content) }] })
}

const ADMIN = 'a-long-token-of-the-administrator'
const READER = 'a-long-token-of-a-reader-of-north'
const OTHER = 'a-long-token-of-a-reader-of-south'
const SECRETS = { ADMIN, READER, OTHER }
const tokens = Object.keys(SECRETS).map((name) => ({ username: name, realm: 'local', secretEnv: name }))
const IDENTITY = { realm: 'local', providers: [{ kind: 'tokens', tokens }] }
const POLICY = {
  rules: [
    { realm: 'local', users: ['ADMIN'], admin: true, listen: 'everything', publish: 'everything' },
    { realm: 'local', users: ['READER'], listen: ['/x/storm/north/'] },
    { realm: 'local', users: ['OTHER'], listen: ['/x/storm/south/'] },
  ],
}

describe('vars.runs with a schema in the store', () => {
  it('follows what the configured schema lacks as soon as the store has it, and goes on when it changes', () =>
    withSystem(async ({ push, events, publish, runs, states, told, metrics, logged }) => {
      const missing =
        /error Some runs are not followed.*vars\.runs\.storm: there is no event type \\"storm\\"/
      assert.match(logged.join('\n'), missing)
      assert.equal(await events(), 'dissemination,mars,run')
      assert.equal((await runs()).status, 400)
      assert.equal((await push(schemaWith())).status, 200)
      await eventually('it is taken over', async () => (await events()) === 'mars,run,storm')
      for (const step of [0, 3]) await publish(step)
      await eventually('they are counted', async () => (await states()).join() === 'running 2/3')
      assert.match(await metrics(), /^aviso_runs_open\{event_type="storm"\} 1\.0$/m)
      const more = { other: (JSON.parse(schemaWith()) as { readonly storm: object }).storm }
      more.other = JSON.parse(JSON.stringify(more.other).replace('/x/storm', '/x/other')) as object
      assert.equal((await push(schemaWith({ more }))).status, 200)
      await eventually('it is taken over', async () => (await events()) === 'mars,other,run,storm')
      await publish(6)
      await eventually('it is complete', async () => (await told()).at(-1) === 'complete')
      assert.deepEqual(await told(), ['started', 'complete'])
      assert.deepEqual(await states(), ['complete 3/3'])
    }))

  it('follows it from the start where the store has it', () =>
    withSystem(
      async ({ events, states, logged }) => {
        assert.equal(await events(), 'mars,run,storm')
        await eventually('the journal is read', async () => (await states()).length === 0)
        assert.doesNotMatch(logged.join('\n'), /not followed|cannot be used/)
      },
      { content: schemaWith() },
    ))

  it('waits for a store that does not answer at the start, and follows it then', () =>
    withSystem(
      async ({ events, logged }) => {
        assert.equal(await events(), 'mars,run,storm')
        assert.doesNotMatch(logged.join('\n'), /not followed|cannot be used/)
      },
      { content: schemaWith(), failures: 3 },
    ))

  it('refuses to push a schema that lacks what it names, and says what, where, and how to mend it', () =>
    withSystem(
      async ({ push, events, publish }) => {
        const refused = await push(schemaWith({ leftOut: 'step' }))
        assert.equal(refused.status, 400)
        const { message } = (await refused.json()) as { readonly message: string }
        assert.match(
          message,
          /nothing was pushed\. Schema event_listener_schema\.json: it does not fit vars\.runs/,
        )
        assert.match(message, /Give the schema what is missing, or change vars\.runs:/)
        assert.match(
          message,
          /\n {2}vars\.runs\.storm\.product\.0: there is no field "step": known are area, date/,
        )
        const without = await push(JSON.stringify({ mars }))
        assert.match(await without.text(), /vars\.runs\.storm: there is no event type \\"storm\\"/)
        assert.equal(await events(), 'mars,run,storm')
        await publish(0)
      },
      { content: schemaWith() },
    ))

  it('does not count a schema that others wrote and that lacks it: at the start that of the configuration does', () =>
    withSystem(
      async ({ store, events, logged }) => {
        assert.equal(await events(), 'dissemination,mars,run')
        assert.match(
          logged.join('\n'),
          /error The schema in the store cannot be used.*vars\.runs\.storm\.product\.0: there is no field/,
        )
        await put(store, schemaWith())
        await eventually('it is taken over', async () => (await events()) === 'mars,run,storm')
        await put(store, schemaWith({ leftOut: 'date' }))
        const stays =
          /error A schema in the store cannot be used.*vars\.runs\.storm\.run\.1: there is no field/
        await eventually('it is told', () => stays.test(logged.join('\n')))
        assert.equal(await events(), 'mars,run,storm')
      },
      { content: schemaWith({ leftOut: 'step' }) },
    ))

  it('lets the schema have the event type run for clients of 1.x, if it makes the same keys', () =>
    withSystem(
      async ({ push, events }) => {
        const refused = await push(
          schemaWith({ more: runFor1x('{class}/{stream}/{expver}/{time}/{date}/{state}') }),
        )
        assert.equal(refused.status, 400)
        const { message } = (await refused.json()) as { readonly message: string }
        assert.match(
          message,
          /its event type "run" has the keys \/aviso\/run\/\{event_type\}\/\{area\}\/\{class\}/,
        )
        const [, wanted] =
          /\{area\}\/(\{date\}\S+): write base and stem so, or leave "run" out/.exec(message) ?? []
        assert.equal((await push(schemaWith({ more: runFor1x(wanted ?? '') }))).status, 200)
        await eventually('it is taken over', async () => (await events()) === 'mars,run,storm')
      },
      { content: schemaWith() },
    ))

  it('shows a run to those who may listen to its products by that schema', () =>
    withSystem(
      async ({ push, events, publish, states, runs }) => {
        assert.equal((await push(schemaWith())).status, 200)
        await eventually('it is taken over', async () => (await events()) === 'mars,run,storm')
        await publish(0)
        await eventually('it is counted', async () => (await states()).length === 1)
        const seen = async (token: string): Promise<number> =>
          ((await (await runs(token)).json()) as RunPage).runs.length
        assert.deepEqual([await seen(READER), await seen(OTHER)], [1, 0])
      },
      { vars: { identity: IDENTITY, policy: POLICY } },
    ))
})
