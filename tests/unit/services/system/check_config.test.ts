import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import configFile from '../../../../wrangler-like.config.json' with { type: 'json' }
import { createConfiguredSchemas } from '#services/system/runs.ts'
import { checkConfig } from '#services/system/check_config.ts'
import { loadConfig, SERVICE_NAMES } from '#services/system/settings.ts'
import { BUILTIN_SCHEMAS } from '#shared/notification/builtin_schemas.ts'
import { createSchemas, type Schemas } from '#shared/notification/schema.ts'
import { createSecretReader } from '#shared/secret.ts'
import { systemClock } from '#shared/time/clock.ts'

const schemas = createSchemas([
  { source: 'flight', content: BUILTIN_SCHEMAS.get('flight') },
  { source: 'ecmwf', content: BUILTIN_SCHEMAS.get('ecmwf') },
])

type Vars = Readonly<Record<string, unknown>>

interface Given {
  readonly vars?: Vars
  readonly rest?: Vars
  readonly admin?: Vars
  readonly adminEntry?: Vars
  readonly monitoring?: Vars
  readonly schemas?: Schemas
  readonly hasUdp?: boolean
  readonly refused?: readonly string[]
}

/** @returns what is wrong with the shipped file when these settings are laid over it. */
function problems(given: Given): readonly string[] {
  const { workers } = configFile
  const file = {
    ...configFile,
    vars: { ...configFile.vars, ...given.vars },
    workers: {
      ...workers,
      rest: { ...workers.rest, vars: { ...workers.rest.vars, ...given.rest } },
      admin: { ...workers.admin, ...given.adminEntry, vars: { ...workers.admin.vars, ...given.admin } },
      monitoring: { ...workers.monitoring, vars: { ...workers.monitoring.vars, ...given.monitoring } },
    },
  }
  return checkConfig({
    config: loadConfig(JSON.stringify(file), 'file.json'),
    services: SERVICE_NAMES,
    schemas: given.schemas ?? schemas,
    readSecret: createSecretReader({ SHORT: 'abc', LONG: LONG_TOKEN, OTHER: `${LONG_TOKEN}-too` }),
    clock: systemClock,
    hasUdp: given.hasUdp ?? true,
    ...(given.refused !== undefined && { refused: given.refused }),
  })
}

const LONG_TOKEN = 'a-token-of-more-than-16-bytes'
const ALL = { realm: '*', listen: 'everything' }
const tokens = (realm: string, secretEnv = 'LONG'): object => ({
  providers: [{ kind: 'tokens', tokens: [{ username: 'u', realm, secretEnv }] }],
})

describe('checkConfig()', () => {
  it('finds nothing wrong with the shipped file', () => {
    assert.deepEqual(problems({}), [])
  })

  it('names event types and fields that no schema has, and what was meant', () => {
    assert.deepEqual(
      problems({
        admin: { events: { fligth: {}, nope: {} } },
        rest: { skips: { daet: [1], airport: ['FCO'] } },
      }),
      [
        'workers.admin.vars.events.fligth: no schema has this event type: did you mean "flight"?',
        'workers.admin.vars.events.nope: no schema has this event type: known are dissemination, flight, mars',
        'workers.rest.vars.skips.daet: no schema has this field: did you mean "date"?',
      ],
    )
  })

  it('names what is wrong with vars.runs, and what was meant', () => {
    const run = ['class', 'stream', 'date', 'time']
    const nominal = { date: 'date', time: 'time' }
    assert.deepEqual(problems({ vars: { runs: { mars: true, dissemination: true } } }), [])
    assert.deepEqual(problems({ vars: { runs: { mrs: true } } }), [
      'vars.runs.mrs: there is no event type "mrs": did you mean "mars"?',
    ])
    assert.match(
      problems({ vars: { runs: { flight: true } } }).join(),
      /^vars\.runs\.flight: true stands for an expectation that is shipped: known are dissemination, mars$/,
    )
    assert.match(
      problems({ vars: { runs: { mars: { run: ['clas', ...run], product: ['step'], nominal } } } }).join(),
      /^vars\.runs\.mars\.run\.0: .*"clas".*did you mean "class"\?$/,
    )
  })

  it('leaves it to the store whether its schema fits vars.runs', () => {
    const stored = (runs: Vars): readonly string[] => problems({ vars: { runs, schemaService: 'aviso/v1' } })
    const run = { product: ['step'], nominal: { date: 'date' } }
    assert.deepEqual(stored({ mars: true, storm: { run: ['date', 'area'], ...run } }), [])
    assert.match(
      stored({ run: { run: ['date'], ...run }, storm: { run: ['date', 'state'], ...run } }).join('\n'),
      /^vars\.runs\.run: "run" is the event type of runs themselves: .*\nvars\.runs\.storm\.run: the field "state" cannot name a run/,
    )
  })

  it('refuses rights to runs themselves, and says what gives them', () => {
    const runs = { mars: true }
    const withRun = createConfiguredSchemas(
      [{ source: 'ecmwf', content: BUILTIN_SCHEMAS.get('ecmwf') }],
      loadConfig(JSON.stringify({ ...configFile, vars: { runs } }), 'file.json').vars,
    )
    const policy = (rule: object): Vars => ({
      runs,
      identity: tokens('a'),
      policy: { rules: [{ realm: 'a', ...rule }] },
    })
    const remedy = 'name the event types of the products, and leave it out'
    for (const [rule, expected] of [
      [
        { listen: ['mars', 'run'] },
        new RegExp(`^vars.policy.rules.0.listen.1: "run" cannot be granted: .*${remedy}$`),
      ],
      [
        { listen: ['/aviso/run/mars/'] },
        new RegExp(`^vars.policy.rules.0.listen.0: "/aviso/run/mars/" cannot .*${remedy}$`),
      ],
      [
        { publish: ['run'] },
        /^vars.policy.rules.0.publish.0: "run" cannot be granted: the service itself publishes it; leave it out$/,
      ],
    ] as const)
      assert.match(problems({ vars: policy(rule), schemas: withRun }).join(), expected)
    assert.deepEqual(problems({ vars: policy({ listen: ['mars'] }), schemas: withRun }), [])
  })

  it('names a dateField that is no date of the key', () => {
    assert.deepEqual(
      problems({ admin: { events: { flight: { dateField: 'datum' }, mars: { dateField: 'date' } } } }),
      ['workers.admin.vars.events.flight.dateField: datum is not a date in the keys of flight: use date'],
    )
  })

  it('leaves event types to the store where it holds the schema', () => {
    assert.deepEqual(problems({ vars: { schemaService: 'aviso/v1' }, admin: { events: { own: {} } } }), [])
  })

  it('refuses a policy that nobody is subject to, and identities that may do nothing', () => {
    assert.match(
      problems({ vars: { policy: { rules: [ALL] } } }).join(),
      /^vars\.policy: no requester is identified/,
    )
    assert.match(problems({ vars: { identity: tokens('r') } }).join(), /^vars\.policy: .*grants nothing/)
    assert.deepEqual(problems({ vars: { identity: tokens('r'), policy: { rules: [ALL] } } }), [])
    const publicOnly = { public: { listen: ['flight'] } }
    assert.deepEqual(problems({ vars: { identity: tokens('r'), policy: publicOnly } }), [])
  })

  it('names every rule that is wrong, and not the first alone', () => {
    const rules = [
      { realm: 'ops', publish: [{ event: 'nope' }] },
      { realm: 'ops', listen: ['/abc'] },
      { realm: 'opps', admin: true },
    ]
    assert.deepEqual(problems({ vars: { identity: tokens('ops'), policy: { rules } } }), [
      'vars.policy.rules.0.publish.0.event: no schema has the event type "nope": known are dissemination, flight, mars',
      'vars.policy.rules.1.listen.0: The prefix "/abc" cannot be granted: it must begin and end with a slash: write "/abc/"',
      'vars.policy.rules.2.realm: no provider has users of realm "opps": did you mean "ops"?',
    ])
  })

  it('names roles, users, claims and realms that nobody can have', () => {
    const user = (username: string, roles: string[], secretEnv: string): object => ({
      username,
      realm: 'ops',
      roles,
      secretEnv,
    })
    const list = [user('ann', ['admin'], 'LONG'), user('joe', ['reader'], 'OTHER')]
    const identity = {
      providers: [
        { kind: 'tokens', tokens: list },
        { kind: 'who-am-i', realm: 'ecmwf' },
      ],
    }
    const own = '/ec/diss/{destinations}/'
    const rules = [
      { realm: 'ops', roles: ['admni', 'reader'], admin: true },
      { realm: 'ops', users: ['anne'], admin: true },
      { realm: 'ops', roles: ['admin'], users: ['joe'], admin: true },
      { realm: 'ops', claims: { team: ['x'] }, admin: true },
      { realm: 'ops', listen: [own] },
      { realm: 'ecmwf', roles: ['reader'], admin: true },
      { realm: 'ecmwf', users: ['whoever'], claims: { uid: ['x'] }, listen: [own] },
      { realm: '*', roles: ['*'], users: ['whoever'], listen: ['mars', own] },
    ]
    const url = 'https://ecpds.test/list'
    const destinations = {
      url,
      username: 'u',
      passwordEnv: 'LONG',
      realms: ['ecmfw', 'ops'],
      prefix: '/ec/diss',
    }
    assert.deepEqual(problems({ vars: { identity, policy: { rules, destinations } } }), [
      'vars.policy.rules.0.roles.0: no user of realm "ops" has the role "admni": did you mean "admin"?',
      'vars.policy.rules.1.users.0: no user of realm "ops" is called "anne": did you mean "ann"?',
      'vars.policy.rules.2: no user of realm "ops" meets all of its conditions, so it can never apply',
      'vars.policy.rules.3: no provider says more of users of realm "ops" than name and roles, so the claim team is never there: leave it out, or name users or roles',
      'vars.policy.rules.4: no provider says more of users of realm "ops" than name and roles, so the claim destinations is never there: leave it out, or name users or roles',
      'vars.policy.rules.5.roles.0: no user of realm "ecmwf" has the role "reader": there is none',
      'vars.policy.destinations.prefix: The prefix "/ec/diss" cannot be granted: it must begin and end with a slash: write "/ec/diss/"',
      'vars.policy.destinations.realms.0: no provider has users of realm "ecmfw": did you mean "ecmwf"?',
    ])
  })

  it('names a claim in open that no provider gives', () => {
    const policy = { open: ['mars', '/ec/diss/{destinations}/'] }
    assert.deepEqual(problems({ vars: { identity: tokens('r'), policy } }), [
      'vars.policy.open: no provider says more of users of realm "*" than name and roles, so the claim destinations is never there: leave it out, or name users or roles',
    ])
    const identity = { providers: [{ kind: 'who-am-i' }] }
    assert.deepEqual(problems({ vars: { identity, policy } }), [])
  })

  it('names what is granted and does not exist, with its place, but not where the store has the schema', () => {
    const policy = {
      public: { listen: ['fligth'], publish: ['/ec/mras/'] },
      open: ['/ec/mars/', '/ec/config/aviso/', '/ec/own/'],
      rules: [ALL],
    }
    const identity = tokens('r')
    assert.deepEqual(problems({ vars: { identity, policy } }), [
      'vars.policy.public.listen.0: no schema has the event type "fligth": did you mean "flight"?',
      'vars.policy.public.publish.0: there are no keys below "/ec/mras/" to publish: did you mean "/ec/mars/"?',
      'vars.policy.open.2: there are no keys below "/ec/own/" to listen: known are /ec/config/, /ec/diss/, /ec/mars/, /tmp/aviso/flight/',
    ])
    const prefixes = { ...policy, public: {} }
    assert.deepEqual(problems({ vars: { identity, policy: prefixes, schemaService: 'aviso/v1' } }), [])
  })

  it('does not judge realms that tokens name themselves', () => {
    const keys = { keys: [{ kty: 'oct' }] }
    const jwt = {
      kind: 'jwt',
      name: 'j',
      issuer: 'i',
      audience: ['a'],
      algorithms: ['RS256'],
      realm: 'r',
      realmClaim: 'c',
    }
    const found = problems({
      vars: {
        identity: { providers: [{ ...jwt, keys }] },
        policy: { rules: [{ realm: 'any', admin: true }] },
      },
    })
    assert.equal(
      found.some((line) => line.includes('.realm:')),
      false,
    )
  })

  it('names two users who have the same token, and never shows it', () => {
    const user = (username: string): object => ({ username, realm: 'ops', secretEnv: 'LONG' })
    const identity = { providers: [{ kind: 'tokens', tokens: [user('ann'), user('joe')] }] }
    assert.deepEqual(problems({ vars: { identity, policy: { rules: [{ ...ALL }] } } }), [
      'vars.identity.providers.0: The tokens of ann and joe are the same: give each user a token',
    ])
  })

  it('names a secret that is too short, and never shows it', () => {
    const found = problems({ vars: { identity: tokens('r', 'SHORT'), policy: { rules: [ALL] } } })
    assert.match(found.join(), /^vars\.identity\.providers\.0: The secret of the token of u .*SHORT\)$/)
    assert.equal(found.join().includes('abc'), false)
  })

  it('names every secret that is too short, and every token that two have', () => {
    const own = ['SHORT', 'SHORT', 'LONG', 'LONG', 'LONG']
    const identity = {
      providers: [
        {
          kind: 'tokens',
          tokens: own.map((secretEnv, index) => ({ username: `u${index}`, realm: 'r', secretEnv })),
        },
      ],
    }
    const found = problems({ vars: { identity, policy: { rules: [ALL] } } }).join('\n')
    for (const who of ['token of u0 must', 'token of u1 must', 'u2 and u3 are', 'u3 and u4 are'])
      assert.match(found, new RegExp(`vars\\.identity\\.providers\\.0: .*${who}`))
  })

  it('refuses one path or port for two services, and UDP where there is none', () => {
    const routes = ['/api/v1/watch', '/api/v1/admin/*']
    assert.deepEqual(problems({ adminEntry: { routes } }), [
      'workers.admin.routes.0: "/api/v1/watch" is taken by workers.auth.routes.1 already',
    ])
    const udp = { host: '127.0.0.1', port: 8125 }
    assert.deepEqual(problems({ monitoring: { udp }, hasUdp: false }), [
      'workers.monitoring.vars.udp: this runtime has no UDP; remove the setting',
    ])
  })

  it('names the store that cannot be, without its password', () => {
    assert.match(
      problems({ vars: { store: 'http://u:geheim@h' } }).join(),
      /^vars\.store: Cannot use "http:\/\/…@h"/,
    )
    assert.match(
      problems({ vars: { storeTokenEnv: 'LONG' } }).join(),
      /^vars\.storeTokenEnv: it is for a store/,
    )
    const relayed = { store: 'http://hub.test:8080', storeTokenEnv: 'LONG' }
    assert.deepEqual(problems({ vars: relayed }), [])
    assert.equal(problems({ vars: { ...relayed, store: 'grpc://hub.test:2379' } }).length, 1)
  })

  it('judges nothing that follows from a value that was refused already', () => {
    const vars = { policy: { rules: [ALL] } }
    assert.deepEqual(problems({ vars, refused: ['vars.identity.providers.0.kind'] }), [])
    assert.deepEqual(problems({ vars, refused: ['vars.policy.rules.1'] }), [])
    assert.equal(problems({ vars, refused: ['dev.port'] }).length, 1)
  })
})
