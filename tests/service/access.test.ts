/**
 * Identity and policy put together, over sockets: who gets in, and that nobody does by a failure of the servers behind.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { AvisoError } from '#shared/errors.ts'
import { prefixRange } from '#shared/bytes/bytes.ts'
import { MISBEHAVIOURS, type Misbehaviour } from '../support/auth_servers.ts'
import type { RawServer } from '../support/auth_servers_socket.ts'
import {
  ANN_TOKEN,
  JOE_TOKEN,
  KIM_KEY,
  openAccess,
  OPERATOR_TOKEN,
  PROVIDER_TOKEN,
  startAccessStandIns,
  type AccessStandIns,
  type AccessUnderTest,
} from '../support/auth_servers_system.ts'
import { CANARY, claimsOf, signToken } from '../support/tokens.ts'

const CACHE_MS = 31_000
/** What a client may have to wait for "no verdict". */
const ANSWER_LIMIT_MS = 3000

function requestOf(authorization: string, more: Readonly<Record<string, string>> = {}): Request {
  return new Request('http://aviso.test/v3/kv/range', { method: 'POST', headers: { authorization, ...more } })
}

describe('startAccess()', () => {
  let standIns: AccessStandIns
  /** Everything that any of the tests printed, logged, put on record or was told. */
  const printed: string[] = []

  const opened: AccessUnderTest[] = []

  before(async () => {
    standIns = await startAccessStandIns()
  })
  after(async () => {
    await standIns.close()
    for (const { access, logged, audited } of opened) {
      await access.close()
      printed.push(...logged, ...audited)
    }
    assert.ok(printed.length > 100)
    assert.deepEqual(
      printed.filter((text) => text.includes(CANARY)),
      [],
      'a secret got out',
    )
  })

  function open(own = standIns): AccessUnderTest {
    const under = openAccess(own)
    opened.push(under)
    return under
  }

  /** What a client would be told, and how long it took; noted down for the search for secrets. */
  async function outcomeOf(work: () => Promise<unknown>): Promise<{ code: string; ms: number }> {
    const startedAt = performance.now()
    try {
      await work()
      return { code: 'granted', ms: performance.now() - startedAt }
    } catch (error) {
      if (!(error instanceof AvisoError)) throw error
      const { code, message, details, cause, stack } = error
      printed.push(JSON.stringify([code, message, details]), String(cause), String(stack))
      return { code, ms: performance.now() - startedAt }
    }
  }

  async function readsOf({ access }: AccessUnderTest, request: Request, prefix: string): Promise<string> {
    const { code } = await outcomeOf(async () => {
      const listener = await access.forListening(request)
      printed.push(JSON.stringify(listener))
      printed.push(JSON.stringify(await listener.grant([prefixRange(prefix)], 'narrow')))
    })
    return code
  }

  it('knows who sends each form of credential', async () => {
    const under = open()
    const jwt = await signToken(standIns.issuerKey, claimsOf('olga', Date.now()))
    const forms: readonly (readonly [Request, string, string])[] = [
      [requestOf(`Bearer ${JOE_TOKEN}`), 'ecmwf', 'joe'],
      [requestOf(`Bearer ${JOE_TOKEN}`, { 'x-auth-type': 'ecmwf' }), 'ecmwf', 'joe'],
      [requestOf(`EmailKey joe@x.int:${JOE_TOKEN}`), 'ecmwf', 'joe'],
      [requestOf(`Basic ${btoa(`joe:${CANARY}-joe-password`)}`, { 'x-auth-type': 'plain' }), 'ecmwf', 'joe'],
      [requestOf(`EmailKey kim@x.int:${KIM_KEY}`), 'ecmwf', 'kim'],
      [requestOf(`Bearer ${jwt}`), 'openid', 'olga'],
      [requestOf(`Bearer ${PROVIDER_TOKEN}`), 'local', 'provider'],
      [requestOf(`EmailKey any@x.int:${OPERATOR_TOKEN}`), 'local', 'operator'],
    ]
    for (const [request] of forms) await outcomeOf(() => under.access.forAdministration(request))
    await under.access.close()
    const records = under.audited.map((line) => JSON.parse(line) as { realm: string; user: string })
    assert.deepEqual(
      records.map(({ realm, user }) => [realm, user]),
      forms.map(([, realm, username]) => [realm, username]),
    )
  })

  it('shows each what is theirs', async () => {
    const under = open()
    const jwt = await signToken(standIns.issuerKey, claimsOf('olga', Date.now(), { destinations: ['OLGA'] }))
    const rows: readonly (readonly [string, string, string])[] = [
      [`Bearer ${JOE_TOKEN}`, '/ec/diss/SCL/', 'granted'],
      [`Bearer ${JOE_TOKEN}`, '/ec/diss/SCL', 'granted'],
      [`Bearer ${JOE_TOKEN}`, '/ec/diss/SC', 'ERR_FORBIDDEN'],
      [`Bearer ${JOE_TOKEN}`, '/ec/diss/SCL2', 'ERR_FORBIDDEN'],
      [`Bearer ${JOE_TOKEN}`, '/ec/diss/BAR/', 'ERR_FORBIDDEN'],
      [`Bearer ${JOE_TOKEN}`, '/ec/diss/', 'ERR_FORBIDDEN'],
      [`Bearer ${JOE_TOKEN}`, '/ec/mars/', 'granted'],
      [`Bearer ${JOE_TOKEN}`, '/ec/marsupial', 'ERR_FORBIDDEN'],
      [`Bearer ${JOE_TOKEN}`, '/_aviso/', 'ERR_FORBIDDEN'],
      [`Bearer ${ANN_TOKEN}`, '/ec/diss/BAR/', 'granted'],
      [`Bearer ${ANN_TOKEN}`, '/ec/diss/SCL/', 'ERR_FORBIDDEN'],
      [`EmailKey kim@x.int:${KIM_KEY}`, '/ec/diss/KIM/', 'granted'],
      [`Bearer ${jwt}`, '/ec/diss/OLGA/', 'granted'],
      [`Bearer ${jwt}`, '/ec/diss/SCL/', 'ERR_FORBIDDEN'],
      [`Bearer ${PROVIDER_TOKEN}`, '/ec/diss/SCL/', 'ERR_FORBIDDEN'],
      [`Bearer ${OPERATOR_TOKEN}`, '/ec/diss/', 'granted'],
      [`Bearer ${CANARY}-unknown`, '/ec/mars/', 'ERR_UNAUTHENTICATED'],
      [`EmailKey joe@x.int:${KIM_KEY}`, '/ec/mars/', 'ERR_UNAUTHENTICATED'],
      ['nonsense', '/ec/mars/', 'ERR_UNAUTHENTICATED'],
      ['nonsense', '/tmp/aviso/flight/', 'granted'],
    ]
    for (const [authorization, prefix, expected] of rows) {
      const shown = `${authorization.slice(0, 30)} ${prefix}`
      assert.equal(await readsOf(under, requestOf(authorization), prefix), expected, shown)
    }
    assert.equal(under.access.counts()['fail_open'], 0)
  })

  it('lets publish who may', async () => {
    const { access } = open()
    const publishes = (authorization: string, event: string, key: string): Promise<{ code: string }> =>
      outcomeOf(async () => {
        const provider = await access.forPublishing(requestOf(authorization))
        provider.requirePublish(event, key)
      })
    const rows: readonly (readonly [string, string, string, string])[] = [
      [`Bearer ${PROVIDER_TOKEN}`, 'dissemination', '/ec/diss/SCL/a', 'granted'],
      [`Bearer ${PROVIDER_TOKEN}`, 'dissemination', '/ec/diss/SCL2/a', 'ERR_FORBIDDEN'],
      [`Bearer ${PROVIDER_TOKEN}`, 'mars', '/ec/mars/a', 'ERR_FORBIDDEN'],
      [`Bearer ${JOE_TOKEN}`, 'dissemination', '/ec/diss/SCL/a', 'ERR_FORBIDDEN'],
      [`Bearer ${OPERATOR_TOKEN}`, 'mars', '/ec/mars/a', 'granted'],
      ['nonsense', 'mars', '/ec/mars/a', 'ERR_UNAUTHENTICATED'],
      ['nonsense', 'flight', '/tmp/aviso/flight/a', 'granted'],
    ]
    for (const [authorization, event, key, expected] of rows) {
      assert.equal((await publishes(authorization, event, key)).code, expected, `${event} ${key}`)
    }
  })

  /** A dependency, a request that needs it, and how it may behave as far as its protocol goes. */
  interface Dependency {
    readonly name: string
    readonly server: (own: AccessStandIns) => RawServer
    readonly authorization: (own: AccessStandIns) => Promise<string>
    readonly prefix: string
    readonly harmless: readonly Misbehaviour[]
  }

  const opaque = (authorization: string) => (): Promise<string> => Promise.resolve(authorization)
  const dependencies: readonly Dependency[] = [
    {
      name: 'auth-o-tron',
      server: ({ authOTron }) => authOTron,
      authorization: opaque(`Bearer ${JOE_TOKEN}`),
      prefix: '/ec/mars/',
      // What it says is in a header.
      harmless: ['status_204'],
    },
    {
      name: 'who-am-i',
      server: ({ whoAmI }) => whoAmI,
      authorization: opaque(`EmailKey kim@x.int:${KIM_KEY}`),
      prefix: '/ec/mars/',
      harmless: [],
    },
    {
      name: 'ECPDS',
      server: ({ ecpds }) => ecpds,
      authorization: opaque(`Bearer ${JOE_TOKEN}`),
      prefix: '/ec/diss/SCL/',
      harmless: [],
    },
    {
      name: 'the key set',
      server: ({ keySet }) => keySet,
      authorization: async ({ issuerKey }) =>
        `Bearer ${await signToken(issuerKey, claimsOf('olga', Date.now()))}`,
      prefix: '/ec/mars/',
      harmless: [],
    },
  ]

  async function misbehaveInEveryWay({
    name,
    server,
    authorization,
    prefix,
    harmless,
  }: Dependency): Promise<void> {
    const own = await startAccessStandIns()
    const credential = await authorization(own)
    for (const how of MISBEHAVIOURS.filter((each) => !harmless.includes(each))) {
      const cold = open(own)
      await server(own).misbehave(how)
      const { code, ms } = await outcomeOf(async () => {
        const listener = await cold.access.forListening(requestOf(credential))
        await listener.grant([prefixRange(prefix)], 'narrow')
      })
      assert.equal(code, 'ERR_VERDICT_UNAVAILABLE', `${name}: ${how}`)
      assert.ok(ms < ANSWER_LIMIT_MS, `${name}: ${how} took ${ms} ms`)
      await server(own).misbehave(undefined)
      // A key set that failed is left alone for a second.
      cold.clock.pass(2000)
      assert.equal(
        await readsOf(cold, requestOf(credential), prefix),
        'granted',
        `${name}: ${how} was remembered`,
      )
      assert.equal(cold.access.counts()['fail_open'], 0, `${name}: ${how}`)
    }
    await own.close()
  }

  it('has no verdict while a server misbehaves in any way, says so in time, and goes on after it', async () => {
    await Promise.all(dependencies.map(misbehaveInEveryWay))
  })

  it('uses what it remembers while the servers are down, for as long as it may, and not a moment longer', async () => {
    const under = open()
    const request = (): Request => requestOf(`Bearer ${JOE_TOKEN}`)
    assert.equal(await readsOf(under, request(), '/ec/diss/SCL/'), 'granted')
    await Promise.all([standIns.authOTron.misbehave('status_500'), standIns.ecpds.misbehave('status_500')])
    assert.equal(await readsOf(under, request(), '/ec/diss/SCL/'), 'granted')
    under.clock.pass(CACHE_MS)
    assert.equal(await readsOf(under, request(), '/ec/diss/SCL/'), 'ERR_VERDICT_UNAVAILABLE')
    await standIns.authOTron.misbehave(undefined)
    assert.equal(await readsOf(under, request(), '/ec/diss/SCL/'), 'ERR_VERDICT_UNAVAILABLE')
    assert.equal(await readsOf(under, request(), '/ec/mars/'), 'granted')
    await standIns.ecpds.misbehave(undefined)
    assert.equal(await readsOf(under, request(), '/ec/diss/SCL/'), 'granted')
    assert.equal(under.access.counts()['fail_open'], 0)
  })

  it('answers in time where one server after the other is slow', async () => {
    const under = open()
    await Promise.all([standIns.authOTron.misbehave('hang'), standIns.whoAmI.misbehave('hang')])
    const { code, ms } = await outcomeOf(() =>
      under.access.forListening(requestOf(`EmailKey kim@x.int:${KIM_KEY}`)),
    )
    assert.equal(code, 'ERR_VERDICT_UNAVAILABLE')
    assert.ok(ms < ANSWER_LIMIT_MS, `${ms} ms`)
    await Promise.all([standIns.authOTron.misbehave(undefined), standIns.whoAmI.misbehave(undefined)])
  })

  it('sends no credential of a client to a server that is not asked about it', async () => {
    const { access } = open()
    const [ecpds, whoAmI, keySet] = [standIns.ecpds, standIns.whoAmI, standIns.keySet]
    const sent = [ecpds, whoAmI, keySet].map(({ seen }) => seen.length)
    const request = requestOf(`Bearer ${JOE_TOKEN}`, { cookie: `${CANARY}-cookie` })
    const listener = await access.forListening(request)
    await listener.grant([prefixRange('/ec/diss/SCL/')], 'refuse')
    const seen = [ecpds, whoAmI, keySet].flatMap((server, index) => server.seen.slice(sent[index]))
    assert.equal(seen.length, 1)
    const text = JSON.stringify(seen.map(({ target, headers }) => [target, ...headers]))
    assert.doesNotMatch(text, new RegExp(`${JOE_TOKEN}|cookie`))
  })
})
