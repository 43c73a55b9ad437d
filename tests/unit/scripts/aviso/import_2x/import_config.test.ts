import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { loadConfig } from '#services/system/settings.ts'
import { isAvisoError } from '#shared/errors.ts'
import {
  documentOf,
  mergeDocuments,
  parseDocument2x,
  type Document2x,
} from '../../../../../scripts/aviso/import_2x/document.ts'
import { findConfig2x, readFile2x } from '../../../../../scripts/aviso/import_2x/given.ts'
import { importConfig, type Imported } from '../../../../../scripts/aviso/import_2x/import_config.ts'

const SECRET = 'a-shared-secret-of-more-than-32-bytes'

/** A configuration with a setting of each section, as the reference of aviso-server 0.7 lists them. */
const JETSTREAM = `
application: { host: "0.0.0.0", port: 8000, base_url: "https://aviso.example.org/", static_files_path: /app/static }
watch_endpoint:
  sse_heartbeat_interval_sec: 30
  connection_max_duration_sec: 1800
  replay_batch_size: 100
  max_historical_notifications: 10000
notification_backend:
  kind: jetstream
  jetstream: { nats_url: "nats://nats:4222", retention_time: 7d, max_messages: 5000, replicas: 3 }
auth:
  enabled: true
  mode: direct
  auth_o_tron_url: http://auth-o-tron:8080/
  jwt_secret: ${SECRET}
  admin_roles: { localrealm: [admin] }
  timeout_ms: 5000
metrics: { enabled: true, host: 127.0.0.1, port: 9090 }
logging: { level: debug, format: json }
ecpds:
  username: service
  password: ecpds-password
  servers: ["https://one.example.org/", "https://two.example.org"]
  match_key: destination
  partial_outage_policy: any_success
  cache_ttl_seconds: 300
notification_schema:
  open:
    topic: { base: open, key_order: [number] }
    identifier: { number: { type: IntHandler, required: true } }
  diss:
    topic: { base: diss, key_order: [destination, class] }
    identifier:
      destination: { type: StringHandler, required: true }
      class: { type: StringHandler, required: true }
    auth: { required: true, plugins: [ecpds] }
    storage_policy: { max_messages: 10 }
`

/** The one that needs least. */
const MEMORY = `
application: { host: 127.0.0.1, port: 8000 }
notification_backend: { kind: in_memory, in_memory: { max_history_per_topic: 10000, max_topics: 100 } }
`

function parse(text: string): Document2x {
  const document = parseDocument2x(text, 'server.yaml')
  assert.ok(document !== undefined)
  return document
}

function imported(text: string, over: Document2x = {}): Imported {
  return importConfig(mergeDocuments([parse(text), over]), 'schema.json')
}

describe('importConfig()', () => {
  it('takes over what has a counterpart, as a file that our services accept', () => {
    const { config, problems, secrets } = imported(JETSTREAM)
    assert.deepEqual(problems, [])
    const ours = loadConfig(JSON.stringify(config), 'ours.json')
    assert.deepEqual(ours.dev, { host: '0.0.0.0', port: 8000, data: 'data', drainSeconds: 0 })
    const { vars, workers } = ours
    assert.equal(vars.store, 'embedded:')
    assert.equal(vars.baseUrl, 'https://aviso.example.org')
    assert.equal(vars.logLevel, 'debug')
    assert.deepEqual(vars.schemas, ['schema.json'])
    assert.equal(workers.auth.vars.heartbeatSeconds, 30)
    assert.equal(workers.auth.vars.streamMaxAgeSeconds, 1800)
    assert.equal(workers.monitoring.dev?.port, 9090)
    assert.equal(workers.admin.vars.retention.age, 7 * 86_400_000)
    assert.equal(workers.admin.vars.history, 8 * 86_400_000)
    assert.deepEqual(workers.admin.vars.events, { open: { count: 5000 } })
    assert.deepEqual(
      [...secrets],
      [
        ['AVISOSERVER_AUTH__JWT_SECRET', SECRET],
        ['AVISOSERVER_ECPDS__PASSWORD', 'ecpds-password'],
      ],
    )
    assert.doesNotMatch(JSON.stringify(config), new RegExp(`${SECRET}|ecpds-password`))
  })

  it('opens to everybody what 2.x opens, and gives administrators everything', () => {
    const { policy, identity } = loadConfig(JSON.stringify(imported(JETSTREAM).config), 'ours.json').vars
    assert.deepEqual(policy.public, { listen: ['open'], publish: ['open'] })
    assert.deepEqual(
      policy.rules.map(({ realm, roles, admin }) => ({ realm, roles, admin })),
      [{ realm: 'localrealm', roles: ['admin'], admin: true }],
    )
    assert.deepEqual(policy.destinations?.url, [
      'https://one.example.org/ecpds/v1/destination/list',
      'https://two.example.org/ecpds/v1/destination/list',
    ])
    assert.deepEqual(policy.destinations?.prefix, ['/aviso2/diss/'])
    assert.equal(policy.destinations?.partialOutage, 'any_success')
    assert.ok(identity !== 'none')
    const [provider] = identity.providers
    assert.ok(provider?.kind === 'auth-o-tron')
    assert.equal(provider.url, 'http://auth-o-tron:8080')
    assert.deepEqual([provider.issuer, provider.audience], ['any', 'any'])
  })

  it('says in words what has no counterpart, and keeps no secret of it', () => {
    const notes = imported(JETSTREAM).notes.join('\n')
    for (const name of [
      'application.static_files_path',
      'watch_endpoint.replay_batch_size',
      'watch_endpoint.max_historical_notifications',
      'notification_backend.jetstream.nats_url',
      'notification_backend.jetstream.replicas',
      'auth.timeout_ms',
      'ecpds.cache_ttl_seconds',
      'metrics.host',
      'logging.format',
    ])
      assert.ok(notes.includes(name), name)
    assert.deepEqual(imported('application: { host: 127.0.0.1, hots: x }').notes, [
      'application.hots: this is not a setting of 2.x that is known here, and has no effect',
    ])
    assert.deepEqual(imported('application: { host: 127.0.0.1 }\nlogging: { level: verbose }').notes, [
      'logging.level: "verbose" is none of trace, debug, info, warn, error: info counts',
    ])
  })

  it('keeps the schema in the form of 2.x', () => {
    const { schema } = imported(JETSTREAM)
    const { notification_schema: given } = parse(JETSTREAM)
    assert.deepEqual(schema, { notification_schema: given })
    assert.deepEqual(imported(`${MEMORY}notification_schema_strict: false`).schema, {
      notification_schema: {},
      notification_schema_strict: false,
    })
  })

  it('puts the field that ECPDS decides about first in keys, and says so', () => {
    const { schema, config, notes, problems } = imported(
      JETSTREAM.replace('[destination, class]', '[class, destination]'),
    )
    assert.deepEqual(problems, [])
    const { notification_schema: given } = schema as {
      notification_schema: { diss: { topic: { base: string; key_order: readonly string[] } } }
    }
    assert.deepEqual(given.diss.topic, { base: 'diss', key_order: ['destination', 'class'] })
    assert.match(notes.join('\n'), /^notification_schema\.diss\.topic\.key_order: .*destination comes first/m)
    assert.deepEqual(loadConfig(JSON.stringify(config), 'f').vars.policy.destinations?.prefix, [
      '/aviso2/diss/',
    ])
  })

  it('needs no identities where only this machine gets in, and opens the service where 2.x has it open', () => {
    const here = loadConfig(JSON.stringify(imported(MEMORY).config), 'ours.json').vars
    assert.equal(here.identity, 'none')
    assert.equal(here.store, 'embedded:memory')
    const everywhere = imported(MEMORY, { application: { host: '0.0.0.0' } })
    assert.deepEqual(everywhere.problems, [])
    assert.match(everywhere.notes.join('\n'), /AVISO_ADMIN_TOKEN/)
    const { policy, identity, quota } = loadConfig(JSON.stringify(everywhere.config), 'ours.json').vars
    assert.deepEqual(policy.public, { listen: 'everything', publish: 'everything' })
    assert.notEqual(identity, 'none')
    assert.equal(quota.streamsPerAddress, 1_000)
  })

  it('keeps everything where JetStream keeps everything', () => {
    const { config } = imported('notification_backend: { kind: jetstream }')
    const { retention } = loadConfig(JSON.stringify(config), 'ours.json').workers.admin.vars
    assert.ok(retention.age > 90 * 366 * 86_400_000)
  })

  it('refuses what would make the services behave otherwise, with place and remedy', () => {
    const refused: readonly (readonly [text: string, problem: RegExp])[] = [
      ['application: { port: high }', /^application\.port: it must be a number$/],
      ['application: 7', /^application: it must be a section/],
      ['notification_backend: { kind: kafka }', /^notification_backend\.kind: "kafka"/],
      [
        'notification_backend: { kind: jetstream, jetstream: { retention_policy: workqueue } }',
        /jetstream\.retention_policy: .*set limits/,
      ],
      [
        'notification_backend: { kind: jetstream, jetstream: { discard_policy: new, max_messages: 5 } }',
        /jetstream\.discard_policy: .*set old/,
      ],
      [
        'notification_backend: { kind: jetstream, jetstream: { retention_time: 10 } }',
        /retention_time: it must be/,
      ],
      [
        'application: {}\nauth: { enabled: true, admin_roles: { r: [a] }, jwt_secret: x }',
        /auth\.auth_o_tron_url/,
      ],
      ['application: {}\nauth: { enabled: maybe }', /^auth\.enabled: it must be true or false$/],
      [
        `application: {}\nauth: { enabled: true, mode: trusted_proxy, jwt_secret: ${SECRET} }\nnotification_schema_strict: true`,
        /^auth\.admin_roles: give at least one realm/,
      ],
      [
        'notification_schema: { a: { topic: { base: a, key_order: [b] }, auth: { required: true } } }',
        /^auth\.enabled: notification_schema\.a\.auth asks for credentials/,
      ],
      [
        JETSTREAM.replace('match_key: destination', 'match_key: destinatoin'),
        /^ecpds\.match_key: "destinatoin" is not in .*key_order: did you mean "destination"\?/,
      ],
      [
        JETSTREAM.replace(
          'destination: { type: StringHandler, required: true }',
          'destination: { type: StringHandler }',
        ),
        /^ecpds\.match_key: notification_schema\.diss\.identifier\.destination must have "required: true"/,
      ],
      [
        JETSTREAM.replace('https://two.example.org', 'http://two.example.org'),
        /^ecpds\.servers: "http:\/\/two\.example\.org" must be an https address/,
      ],
      [
        JETSTREAM.replace('https://two.example.org', 'https://two.example.org/?a=b'),
        /^ecpds\.servers: .*query/,
      ],
      ['application: {}\nmetrics: { enabled: true }', /^metrics\.port/],
    ]
    for (const [text, problem] of refused) {
      const { problems } = imported(text)
      assert.ok(
        problems.some((line) => problem.test(line)),
        `${text}: ${problems.join('; ')}`,
      )
    }
  })

  it('takes a short secret as 2.x does, and says so', () => {
    const { config, notes } = imported(JETSTREAM.replaceAll(SECRET, 'short'))
    assert.match(notes.join('\n'), /auth\.jwt_secret: it is shorter than 32 bytes/)
    const { identity } = loadConfig(JSON.stringify(config), 'ours.json').vars
    assert.ok(identity !== 'none' && identity.providers[0]?.kind === 'auth-o-tron')
    assert.ok(identity.providers[0].weakSecrets)
  })
})

describe('parseDocument2x()', () => {
  it('finds out by content what a text is', () => {
    assert.deepEqual(parseDocument2x('{"application":{"port":1}}', 'f'), { application: { port: 1 } })
    assert.deepEqual(parseDocument2x('application: {port: 1}', 'f'), { application: { port: 1 } })
    for (const other of [
      '',
      '[]',
      'text',
      '{"vars":{},"services":{},"application":{}}',
      '{"name":"x"}',
      'listeners: []',
    ])
      assert.equal(parseDocument2x(other, 'f'), undefined, other)
  })

  it('says where a text is damaged', () => {
    assert.throws(
      () => parseDocument2x('application:\n  port: [1\nnotification_schema: {}', 'f.yaml'),
      (error) => isAvisoError(error, 'ERR_CONFIG') && /^f\.yaml: \d+:\d+: /.test(error.message),
    )
  })
})

describe('documentOf()', () => {
  it('reads the variables of 2.x, whose steps two underscores part', () => {
    const environment = {
      AVISOSERVER_APPLICATION__PORT: '8001',
      AVISOSERVER_NOTIFICATION_BACKEND__JETSTREAM__NATS_URL: 'nats://x',
      AVISOSERVER_AUTH__ENABLED: 'false',
      AVISOSERVER_CONFIG_FILE: 'x',
      AVISOSERVER___PROTO____X: 'x',
      AVISO_TOKEN: 'x',
    }
    assert.deepEqual(documentOf(environment), {
      application: { port: '8001' },
      notification_backend: { jetstream: { nats_url: 'nats://x' } },
      auth: { enabled: 'false' },
    })
    const { config, problems } = imported(MEMORY, documentOf(environment))
    assert.deepEqual(problems, [])
    assert.equal(loadConfig(JSON.stringify(config), 'ours.json').dev.port, 8001)
  })
})

describe('findConfig2x()', () => {
  const files: Readonly<Record<string, string>> = {
    'configuration/config.yaml': 'application: { host: a, port: 1 }',
    '/etc/aviso_server/config.yaml': 'application: { port: 2 }',
    '/home/u/.aviso_server/config.yaml': 'logging: { level: warn }\nwatch_endpoint: {}',
    'named.json': '{"application":{"port":9}}',
    'other.yaml': 'listeners: []',
  }
  const readText = (path: string): Promise<string | undefined> => Promise.resolve(files[path])

  it('merges the files of the three places in their order, and the environment over them', async () => {
    const given = await findConfig2x(
      { readText, environment: { AVISOSERVER_APPLICATION__HOST: 'b' } },
      '/home/u',
    )
    assert.deepEqual(given?.document, {
      application: { host: 'b', port: 2 },
      logging: { level: 'warn' },
      watch_endpoint: {},
    })
  })

  it('reads one file alone where AVISOSERVER_CONFIG_FILE names it', async () => {
    const environment = { AVISOSERVER_CONFIG_FILE: 'named.json' }
    assert.deepEqual((await findConfig2x({ readText, environment }, '/home/u'))?.document, {
      application: { port: 9 },
    })
    for (const missing of ['gone.yaml', 'other.yaml'])
      await assert.rejects(
        findConfig2x({ readText, environment: { AVISOSERVER_CONFIG_FILE: missing } }, '/home/u'),
        (error) => isAvisoError(error, 'ERR_CONFIG') && error.message.includes(missing),
      )
  })

  it('finds nothing where there is no file, and nothing in a file of something else', async () => {
    const nothing = (): Promise<undefined> => Promise.resolve(undefined)
    assert.equal(await findConfig2x({ readText: nothing, environment: {} }, '/home/u'), undefined)
    assert.equal(await readFile2x('other.yaml', { readText, environment: {} }), undefined)
  })
})
