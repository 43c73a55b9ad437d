/** The rights that 2.x schemas give (rows H and I of the conformance cases), through the services. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { destinationReaders, withSchemaRights } from '#services/system/schema_rights.ts'
import { loadConfig } from '#services/system/settings.ts'
import { checkConfig } from '#services/system/check_config.ts'
import { createSchemas, type Schemas } from '#shared/notification/schema.ts'
import { createSecretReader } from '#shared/secret.ts'
import { systemClock } from '#shared/time/clock.ts'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { BASE_URL, startTestSystem } from '../support/system.ts'
import { eventually } from '../support/waiting.ts'

const X = { type: 'StringHandler', required: true }

function schemasOf(auths: Readonly<Record<string, object | undefined>>): Schemas {
  const events = Object.entries(auths).map(([event, auth]) => [
    event,
    {
      topic: { base: event, key_order: ['x', 'y'] },
      identifier: { x: X, y: { ...X, required: false } },
      auth,
    },
  ])
  const content = { notification_schema: Object.fromEntries(events) as object }
  return createSchemas([{ source: 'own.yaml', content }])
}

const ADMINS = { realm: 'local', roles: ['admin'], admin: true }
const USERS = [
  ['admin', 'local', ['admin']],
  ['reader', 'local', ['reader']],
  ['producer', 'local', ['producer']],
  ['reader', 'other', ['reader']],
  ['nobody', 'local', []],
] as const

/** The token of a user, and where it is found. */
function tokenOf(user: string, realm: string): string {
  return `a-long-token-of-${user}-of-${realm}`
}

const secrets = Object.fromEntries(
  USERS.map(([user, realm]) => [`${user}_${realm}`.toUpperCase(), tokenOf(user, realm)]),
)
const identity = {
  realm: 'local',
  providers: [
    {
      kind: 'tokens',
      tokens: USERS.map(([username, realm, roles]) => ({
        username,
        realm,
        roles,
        secretEnv: `${username}_${realm}`.toUpperCase(),
      })),
    },
  ],
}

function configOf(vars: object): ReturnType<typeof loadConfig> {
  return loadConfig(JSON.stringify({ ...configFile, vars: { ...configFile.vars, ...vars } }), 'test')
}

interface Rights {
  /** Status of publishing as a user; without one nameless. */
  notify(event: string, user?: string): Promise<number>
  watch(event: string, user?: string, identifier?: object): Promise<number>
}

async function withRights(
  schemas: Schemas,
  policy: object,
  use: (rights: Rights) => Promise<void>,
): Promise<void> {
  const system = startTestSystem({
    config: configOf({ identity, policy }),
    services: ['rest', 'auth'],
    schemas,
    readSecret: createSecretReader(secrets),
  })
  const post = async (path: string, body: object, user?: string): Promise<number> => {
    const [name = '', realm = 'local'] = user?.split('@') ?? []
    const headers: Record<string, string> =
      user === undefined ? {} : { authorization: `Bearer ${tokenOf(name, realm)}` }
    const request = new Request(BASE_URL + path, { method: 'POST', headers, body: JSON.stringify(body) })
    const response = await system.fetch(request)
    await response.body?.cancel()
    return response.status
  }
  try {
    await system.ready
    await use({
      notify: (event_type, user) =>
        post('/api/v1/notification', { event_type, identifier: { x: 'a', y: 'b' } }, user),
      watch: (event_type, user, identifier = { x: 'a' }) =>
        post('/api/v1/watch', { event_type, identifier }, user),
    })
  } finally {
    await system.close()
  }
}

describe('the rights of 2.x schemas', () => {
  const schemas = schemasOf({
    open: { required: false },
    any: { required: true },
    roles: {
      required: true,
      read_roles: { local: ['reader'], other: ['*'] },
      write_roles: { local: ['producer'] },
    },
    silent: undefined,
  })

  it('are those of 2.x, for every kind of user', async () => {
    await withRights(schemas, { rules: [ADMINS] }, async ({ notify, watch }) => {
      const rows: readonly (readonly [
        event: string,
        user: string | undefined,
        watch: number,
        notify: number,
      ])[] = [
        ['open', undefined, 200, 200],
        ['open', 'nobody', 200, 200],
        ['any', undefined, 401, 401],
        ['any', 'nobody', 200, 403],
        ['any', 'admin', 200, 200],
        ['roles', undefined, 401, 401],
        ['roles', 'nobody', 403, 403],
        ['roles', 'reader', 200, 403],
        ['roles', 'reader@other', 200, 403],
        ['roles', 'producer', 403, 200],
        ['roles', 'admin', 200, 200],
        // Without auth the configuration alone decides.
        ['silent', 'reader', 403, 403],
        ['silent', 'admin', 403, 403],
      ]
      for (const [event, user, listens, publishes] of rows) {
        const found = [await watch(event, user), await notify(event, user)]
        assert.deepEqual(found, [listens, publishes], `${event} ${user}`)
      }
    })
  })

  it('add to what the configuration grants, also of some keys only', async () => {
    const policy = { rules: [{ realm: 'local', users: ['nobody'], listen: ['/aviso2/roles/a/'] }] }
    await withRights(schemas, policy, async ({ watch }) => {
      assert.equal(await watch('roles', 'nobody', { x: 'a' }), 200)
      assert.equal(await watch('roles', 'nobody', { x: ['a', 'b'] }), 403)
      assert.equal(await watch('roles', 'nobody', { x: 'a/' }), 403)
      assert.equal(await watch('roles', 'nobody', { x: '*' }), 403)
    })
  })

  it('are refused without identities, which they would need', () => {
    const check = (given: Schemas, vars: object): readonly string[] =>
      checkConfig({
        config: configOf(vars),
        services: ['rest', 'auth'],
        schemas: given,
        readSecret: createSecretReader(secrets),
        clock: systemClock,
        hasUdp: true,
      })
    assert.match(
      check(schemas, {}).join(),
      /^notification_schema\.any\.auth: no requester is identified.*notification_schema\.roles\.auth/,
    )
    const start = (): unknown => startTestSystem({ config: configOf({}), services: ['rest'], schemas })
    assert.throws(start, /notification_schema\.any\.auth: no requester is identified/)
    assert.deepEqual(check(schemasOf({ open: { required: false } }), {}), [])
    assert.deepEqual(check(schemas, { identity }), [], 'the schema grants something')
    const ecpds = schemasOf({ diss: { required: true, plugins: ['ecpds'] } })
    assert.match(
      check(ecpds, { identity }).join(),
      /^vars\.schemas: notification_schema\.diss\.auth\.plugins: Configure vars\.policy\.destinations, with "prefix": "\/aviso2\/diss\/"/,
    )
  })
})

describe('the rights of 2.x schemas in the store', () => {
  it('count as soon as the schema does, and a schema that cannot be granted is not taken over', async () => {
    const start = {
      realm: 'local',
      roles: ['admin'],
      admin: true,
      listen: 'everything',
      publish: 'everything',
    }
    const system = startTestSystem({
      config: configOf({ identity, policy: { rules: [start] }, schemaService: 'aviso/v1' }),
      services: ['rest', 'auth', 'admin'],
      readSecret: createSecretReader(secrets),
    })
    const post = async (path: string, body: object, user: string): Promise<Response> =>
      system.fetch(
        new Request(BASE_URL + path, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${tokenOf(user, 'local')}`,
            'content-type': 'application/json',
          },
          body: JSON.stringify(body),
        }),
      )
    const push = (auth: object): Promise<Response> => {
      const rule = { topic: { base: 'storm', key_order: ['x'] }, identifier: { x: X }, auth }
      const content = encodeBase64(toBytes(JSON.stringify({ notification_schema: { storm: rule } })))
      const files = [{ path: 'event_listener_schema.json', content }]
      return post('/api/v1/admin/config/push', { service: 'aviso/v1', message: 'm', files }, 'admin')
    }
    const listens = async (user: string): Promise<number> => {
      const response = await post('/api/v1/watch', { event_type: 'storm', identifier: { x: 'a' } }, user)
      await response.body?.cancel()
      return response.status
    }
    try {
      await system.ready
      assert.equal((await push({ required: true, read_roles: { local: ['reader'] } })).status, 200)
      await eventually('the reader may listen', async () => (await listens('reader')) === 200)
      assert.equal(await listens('producer'), 403)
      assert.equal((await push({ required: true, read_roles: { local: ['producer'] } })).status, 200)
      await eventually('the producer may listen', async () => (await listens('producer')) === 200)
      assert.equal(await listens('reader'), 403)
      const refused = await push({ required: true, plugins: ['ecpds'] })
      assert.equal(refused.status, 400)
      assert.match(await refused.text(), /vars\.policy\.destinations/)
      assert.equal(await listens('producer'), 200)
    } finally {
      await system.close()
    }
  })
})

describe('withSchemaRights()', () => {
  const none = { public: { listen: [], publish: [] }, open: [], rules: [] }
  const destinations = {
    url: 'https://ecpds.test/list',
    username: 'aviso',
    passwordEnv: 'PASSWORD',
    prefix: '/aviso2/diss/',
    partialOutage: 'strict' as const,
    targetField: 'name',
    realms: ['*'],
    cacheSeconds: 60,
    plaintext: false,
  }

  it('leaves a policy as it is where no schema has rights', () => {
    assert.equal(withSchemaRights(none, schemasOf({ silent: undefined })), none)
  })

  it('opens nothing where destinations decide', () => {
    const ecpds = schemasOf({ diss: { required: true, plugins: ['ecpds'] } })
    const { open, rules, public: forAll } = withSchemaRights({ ...none, destinations }, ecpds)
    assert.deepEqual([open, rules, forAll.listen], [[], [], []])
    const both = schemasOf({ diss: { required: true, plugins: ['ecpds'], read_roles: { r: ['a'] } } })
    const narrowed = withSchemaRights({ ...none, destinations }, both)
    assert.deepEqual([narrowed.open, narrowed.rules], [[], []])
    assert.deepEqual([...destinationReaders(both)], [['/aviso2/diss/', [{ realm: 'r', roles: ['a'] }]]])
  })

  it('says which prefix is missing where several event types have destinations', () => {
    const two = schemasOf({
      diss: { required: true, plugins: ['ecpds'] },
      other: { required: true, plugins: ['ecpds'] },
    })
    assert.throws(
      () => withSchemaRights({ ...none, destinations }, two),
      /other\.auth\.plugins: Add "\/aviso2\/other\/" to the list vars\.policy\.destinations\.prefix/,
    )
    const prefix = ['/aviso2/diss/', '/aviso2/other/']
    assert.deepEqual(withSchemaRights({ ...none, destinations: { ...destinations, prefix } }, two).rules, [])
  })
})
