/**
 * The ready policies of `scripts/examples/policies`, each on running services: what it permits and refuses, and that
 * `aviso config explain-access` says the same.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

import { checkConfig } from '#services/system/check_config.ts'
import { loadConfig, SERVICE_NAMES, type Config, type ServiceName } from '#services/system/settings.ts'
import type { System } from '#services/system/system.ts'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { createSecretReader } from '#shared/secret.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { explainAccess, type ExplainFlags } from '../../scripts/aviso/explain_access.ts'
import { secretNames } from '../../scripts/serve/secret_names.ts'
import {
  active,
  ECPDS_ACCOUNT,
  ECPDS_PASSWORD,
  ECPDS_PATH,
  startEcpds,
  startWhoAmI,
} from '../support/auth_servers.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { dissemination, flight, MARS } from '../support/notifications.ts'
import { BASE_URL, startTestSystem } from '../support/system.ts'
import { readFrames } from './auth_fixture.ts'
import { storeOn } from './tree_fixture.ts'

const FOLDER = fileURLToPath(new URL('../../scripts/examples/policies', import.meta.url))
/** Key of kim, whom who-am-i knows. */
const KIM_KEY = 'kim-key-0123456789'

const tokenOf = (name: string): string => `${name.toLowerCase().replaceAll('_', '-')}-0123456789`
/** The token of a user of the files: `tower` has that of `TOWER_TOKEN`. */
const bearer = (user: string): string => `Bearer ${tokenOf(`${user}_TOKEN`)}`

const NOTIFICATIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  flight: flight('AZ203'),
  dissemination: dissemination('KIM', 1),
  mars: MARS,
}

/** What somebody does, in the words of `explain-access`. */
type Words = readonly [right: string, event?: string, ...fields: string[]]
/** Who, what, and whether the policy permits it. `undefined` has no identity. */
type Row = readonly [who: string | undefined, words: Words, isPermitted: boolean]

const LISTEN_KIM: Words = ['listen', 'dissemination', 'destination=KIM']
const LISTEN_BAR: Words = ['listen', 'dissemination', 'destination=BAR']

/** What a policy permits and refuses. */
interface Case {
  readonly rows: readonly Row[]
  /** Who may read the configuration files of services, as 1.x's clients do. */
  readonly readsFiles?: readonly (string | undefined)[]
}

const CASES: Readonly<Record<string, Case>> = {
  open_inside: {
    rows: [
      [undefined, ['listen', 'flight'], true],
      [undefined, LISTEN_KIM, true],
      [undefined, ['publish', 'flight'], true],
      [undefined, ['publish', 'mars'], true],
      [undefined, ['administer'], false],
      ['operator', ['listen', 'mars'], true],
      ['operator', ['administer'], true],
    ],
  },
  one_team: {
    rows: [
      [undefined, ['listen', 'flight'], false],
      [undefined, ['publish', 'flight'], false],
      [undefined, ['administer'], false],
      ['team', ['listen', 'flight'], true],
      ['team', LISTEN_KIM, true],
      ['team', ['publish', 'mars'], true],
      ['team', ['administer'], false],
      ['operator', ['publish', 'flight'], true],
      ['operator', ['administer'], true],
    ],
  },
  provider_per_event_type: {
    rows: [
      [undefined, ['listen', 'flight'], true],
      [undefined, ['listen', 'mars'], false],
      [undefined, ['publish', 'flight'], false],
      ['tower', ['publish', 'flight'], true],
      ['tower', ['publish', 'mars'], false],
      ['tower', ['listen', 'mars'], false],
      ['archive', ['publish', 'mars'], true],
      ['archive', ['publish', 'flight'], false],
      ['archive', ['publish', 'dissemination'], false],
      ['reader', ['listen', 'mars'], true],
      ['reader', LISTEN_KIM, false],
      ['reader', ['publish', 'mars'], false],
      ['operator', ['administer'], true],
      ['reader', ['administer'], false],
    ],
  },
  aviso1_ecpds: {
    rows: [
      [undefined, ['listen', 'mars'], false],
      [undefined, ['publish', 'mars'], false],
      ['kim', ['listen', 'mars'], true],
      ['kim', LISTEN_KIM, true],
      ['kim', LISTEN_BAR, false],
      ['kim', ['listen', 'flight'], false],
      ['kim', ['publish', 'dissemination'], false],
      ['disseminator', ['publish', 'dissemination'], true],
      ['disseminator', ['publish', 'mars'], true],
      ['disseminator', ['publish', 'flight'], false],
      ['disseminator', LISTEN_KIM, false],
      ['operator', LISTEN_BAR, true],
      ['operator', ['administer'], true],
      ['kim', ['administer'], false],
    ],
    readsFiles: ['kim', 'disseminator', 'operator'],
  },
  relay: {
    rows: [
      [undefined, ['listen', 'mars'], false],
      ['reader', ['listen', 'mars'], true],
      ['reader', LISTEN_KIM, false],
      ['reader', ['relay'], false],
      ['relay', ['listen', 'mars'], true],
      ['relay', LISTEN_KIM, false],
      ['relay', ['publish', 'mars'], false],
      ['operator', ['publish', 'mars'], true],
      ['operator', ['administer'], true],
    ],
  },
}

function identifierOf(event: string, fields: readonly string[]): Record<string, string> {
  const given = Object.fromEntries(fields.map((pair) => pair.split('=') as [string, string]))
  return { ...NOTIFICATIONS[event], ...given }
}

describe('ready policies', () => {
  let servers: readonly { close(): Promise<void> }[]
  let addresses: ReadonlyMap<string, string>

  before(async () => {
    const whoAmI = await startWhoAmI({ [KIM_KEY]: { uid: 'kim', email: 'kim@x.int' } })
    const ecpds = await startEcpds({ kim: active('KIM') })
    servers = [whoAmI, ecpds]
    addresses = new Map([
      ['https://api.ecmwf.int/v1/who-am-i', `${whoAmI.url}/v1/who-am-i`],
      ['https://ecpds.example.int/ecpds/v1/destination/list', ecpds.url + ECPDS_PATH],
    ])
  })
  after(() => Promise.all(servers.map((server) => server.close())))

  /** The file, with stand-ins at the addresses of other servers. */
  async function configOf(name: string, environment?: string): Promise<Config> {
    let text = await readFile(join(FOLDER, `${name}.json`), 'utf8')
    for (const [theirs, ours] of addresses) text = text.replace(theirs, ours)
    text = text.replace('"username": "aviso"', `"username": "${ECPDS_ACCOUNT}"`)
    return loadConfig(text, `${name}.json`, environment)
  }

  function secretsOf(config: Config): Record<string, string> {
    const own = secretNames(config).map((name) => [
      name,
      name === 'ECPDS_PASSWORD' ? ECPDS_PASSWORD : tokenOf(name),
    ])
    return Object.fromEntries(own) as Record<string, string>
  }

  function problemsOf(config: Config, services: readonly ServiceName[]): readonly string[] {
    const readSecret = createSecretReader(secretsOf(config))
    const schemas = createBuiltinSchemas()
    return checkConfig({ config, services, schemas, readSecret, clock: systemClock, hasUdp: true })
  }

  async function start(config: Config, services: readonly ServiceName[], store?: Store): Promise<System> {
    const system = startTestSystem({
      config,
      services,
      schemas: createBuiltinSchemas(),
      readSecret: createSecretReader(secretsOf(config)),
      ...(store !== undefined && { store }),
    })
    await system.ready
    return system
  }

  function headersOf(who: string | undefined): Readonly<Record<string, string>> {
    if (who === undefined) return {}
    return { authorization: who === 'kim' ? `EmailKey kim@x.int:${KIM_KEY}` : bearer(who) }
  }

  /** @returns the status that the service answers with. */
  async function statusOf(system: System, who: string | undefined, words: Words): Promise<number> {
    const [right, event = '', ...fields] = words
    const headers = headersOf(who)
    const send = async (path: string, init: RequestInit = {}): Promise<number> => {
      const response = await system.fetch(new Request(BASE_URL + path, { ...init, headers }))
      await response.body?.cancel()
      return response.status
    }
    switch (right) {
      case 'listen':
        return send(`/api/v1/watch?${[`event=${event}`, ...fields].join('&')}`)
      case 'publish': {
        const body = { event_type: event, identifier: identifierOf(event, fields), payload: 'here' }
        return send('/api/v1/notification', { method: 'POST', body: JSON.stringify(body) })
      }
      default:
        return send('/api/v1/admin/status')
    }
  }

  /** @returns the exit code of `explain-access`, and the places that it names. */
  async function explained(
    name: string,
    who: string | undefined,
    words: Words,
  ): Promise<{ readonly code: number; readonly by: readonly string[] }> {
    const [right, event, ...fields] = words
    const asked = [
      right,
      ...(event === undefined ? [] : [event]),
      ...(right === 'publish' && event !== undefined
        ? Object.entries(identifierOf(event, fields)).map(([field, value]) => `${field}=${value}`)
        : fields),
    ]
    const options: ExplainFlags = {
      servicesConfig: join(FOLDER, `${name}.json`),
      ...(who === undefined && { anonymous: true }),
      ...(who === 'kim' && { destinations: 'KIM' }),
    }
    let printed = ''
    const code = await explainAccess(
      { words: who === undefined ? asked : [who, ...asked], options },
      {
        output: { result: (text: string) => (printed += text) },
        json: true,
        readText: (path) => readFile(path, 'utf8'),
        environment: {},
        home: '/nowhere',
      },
    )
    const { by } = JSON.parse(printed) as { by: readonly string[] }
    return { code, by }
  }

  it('are all tested', async () => {
    assert.deepEqual(
      (await readdir(FOLDER)).toSorted(),
      Object.keys(CASES)
        .map((name) => `${name}.json`)
        .toSorted(),
    )
  })

  for (const [name, { rows, readsFiles = [] }] of Object.entries(CASES)) {
    it(`${name} permits and refuses what it says, and explain-access says the same`, async () => {
      const config = await configOf(name)
      assert.deepEqual(problemsOf(config, SERVICE_NAMES), [])
      const system = await start(config, ['rest', 'auth', 'admin'])
      try {
        for (const [who, words, isPermitted] of rows) {
          const shown = `${who ?? 'nobody'} ${words.join(' ')}`
          if (words[0] !== 'relay') {
            const refused = who === undefined ? 401 : 403
            assert.equal(await statusOf(system, who, words), isPermitted ? 200 : refused, shown)
          }
          const { code, by } = await explained(name, who, words)
          assert.equal(code, isPermitted ? 0 : 1, `explain-access ${shown}`)
          assert.equal(by.length > 0, isPermitted, `explain-access ${shown}: ${by.join()}`)
        }
        for (const who of [undefined, 'kim', 'disseminator', 'operator']) {
          if (readsFiles.length === 0) break
          const response = await system.fetch(
            new Request(`${BASE_URL}/v3/kv/range`, {
              method: 'POST',
              headers: headersOf(who),
              body: JSON.stringify({ key: encodeBase64(toBytes('/ec/config/aviso/v1/schema.json')) }),
            }),
          )
          assert.equal(response.status, readsFiles.includes(who) ? 200 : 401, String(who))
          await response.body?.cancel()
        }
      } finally {
        await system.close()
      }
    })
  }

  it('relay: a relay passes on what its rule lets it see, to who may listen there', async () => {
    const platform = await detectPlatform()
    const origin = await start(
      await configOf('relay'),
      ['rest', 'auth'],
      createMemoryStore({ clock: systemClock }),
    )
    const server = await platform.serve(origin.handle, { host: '127.0.0.1', port: 0 })
    const config = await configOf('relay', 'relay')
    assert.equal(config.vars.storeTokenEnv, 'RELAY_TOKEN')
    assert.deepEqual(problemsOf(config, ['auth']), [])
    const relay = await start(config, ['auth'], await storeOn(server.url, tokenOf('RELAY_TOKEN')))
    try {
      assert.equal(await statusOf(relay, 'reader', LISTEN_KIM), 403)
      const request = new Request(`${BASE_URL}/api/v1/watch?event=mars`, { headers: headersOf('reader') })
      const reader = readFrames(await relay.fetch(request))
      await reader.next(({ data }) => data.type === 'connection_established')
      assert.equal(await statusOf(origin, 'operator', ['publish', 'dissemination']), 200)
      assert.equal(await statusOf(origin, 'operator', ['publish', 'mars']), 200)
      const { data } = await reader.next((frame) => frame.data.data !== undefined)
      assert.equal(data.id, 'mars@1')
    } finally {
      await relay.close()
      await origin.close()
      await server.close()
    }
  })

  it('aviso1_ecpds: says by which part of the configuration', async () => {
    const by = async (who: string, words: Words): Promise<readonly string[]> =>
      (await explained('aviso1_ecpds', who, words)).by
    assert.deepEqual(await by('kim', LISTEN_KIM), ['vars.policy.destinations'])
    assert.deepEqual(await by('kim', ['listen', 'mars']), ['vars.policy.open.0'])
    assert.deepEqual(await by('disseminator', ['publish', 'mars']), ['vars.policy.rules.0.publish.1'])
    assert.deepEqual(await by('operator', ['administer']), ['vars.policy.rules.1.admin'])
    assert.deepEqual(await by('operator', ['listen', 'mars']), [
      'vars.policy.open.0',
      'vars.policy.rules.1.listen',
    ])
  })
})
