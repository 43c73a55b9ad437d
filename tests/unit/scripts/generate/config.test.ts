import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Ajv } from 'ajv'

import shipped from '../../../../wrangler-like.config.json' with { type: 'json' }
import { loadConfig } from '#services/system/settings.ts'
import { configReferenceText } from '../../../../scripts/generate/config_reference.ts'
import { configNode, configSchemaText, type SchemaNode } from '../../../../scripts/generate/config_schema.ts'

const SERVICE = { name: 'n', main: 'm', routes: ['/'] }
const SERVICES = { rest: SERVICE, auth: SERVICE }

/** Formats are checked by the loader alone: editors differ in which they know. */
const accepts = new Ajv({ strict: false, validateFormats: false }).compile(
  JSON.parse(configSchemaText()) as object,
)

/** A list of texts or numbers is told of as a whole. */
function isPlain({ properties, oneOf }: SchemaNode): boolean {
  return properties === undefined && oneOf === undefined
}

function withVars(vars: object): object {
  return { name: 'aviso', vars, workers: SERVICES }
}

function reasonFor(file: object): string | undefined {
  try {
    loadConfig(JSON.stringify(file), 'file.json')
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

describe('configSchemaText()', () => {
  it('accepts the shipped file, which names it', () => {
    assert.ok(accepts(shipped), JSON.stringify(accepts.errors))
    assert.equal(shipped.$schema, './services/config.schema.json')
    assert.equal(reasonFor(shipped), undefined)
  })

  it('refuses a typo wherever it is, as the loader does, which names the setting that was meant', () => {
    const { auth } = shipped.workers
    const typo = {
      ...shipped,
      workers: { ...shipped.workers, auth: { ...auth, vars: { heartbeatSecond: 5 } } },
    }
    assert.equal(accepts(typo), false)
    assert.equal(
      reasonFor(typo),
      'file.json: workers.auth.vars.heartbeatSecond: there is no setting "heartbeatSecond" here: did you mean "heartbeatSeconds"?',
    )
    assert.equal(accepts({ ...shipped, env: { etcd: { vars: { stroe: 'x' } } } }), false)
    const inEnv = {
      ...shipped,
      workers: { ...shipped.workers, auth: { ...auth, env: { x: { vars: { heartbeatSecond: 5 } } } } },
    }
    assert.equal(accepts(inEnv), false)
    assert.match(String(reasonFor(inEnv)), /workers\.auth\.env\.x\.vars\.heartbeatSecond: .*did you mean/)
  })

  it('accepts an environment that names a part of the file only', () => {
    const auth = { ...shipped.workers.auth, env: { test: { vars: { maxStreams: 5 } } } }
    assert.ok(accepts({ ...shipped, env: { test: {} }, workers: { ...shipped.workers, auth } }))
  })

  it('accepts and refuses what the loader does', () => {
    const tokens = [{ username: 'u', realm: 'r', secretEnv: 'U' }]
    const pods = { url: 'http://a', namespace: 'a b' }
    const rows: readonly (readonly [file: object, isRight: boolean])[] = [
      [{ name: 'aviso', workers: SERVICES }, true],
      [{ name: 'aviso', workers: {} }, false],
      [withVars({ identity: 'none' }), true],
      [withVars({ identity: 'off' }), false],
      [withVars({ identity: { providers: [{ kind: 'tokens', tokens }] } }), true],
      [withVars({ identity: { providers: [{ kind: 'token', tokens }] } }), false],
      [withVars({ identity: { providers: [{ kind: 'tokens', tokens: [] }] } }), false],
      [withVars({ policy: { rules: [{ realm: '*', listen: 'everything' }] } }), true],
      [withVars({ policy: { rules: [{ realm: '*', listen: 'all' }] } }), false],
      [withVars({ logLevel: 'loud' }), false],
      [{ name: 'aviso', dev: { port: 70_000 }, workers: SERVICES }, false],
      [{ name: 'aviso', workers: { ...SERVICES, admin: { ...SERVICE, vars: { history: '3d' } } } }, true],
      [{ name: 'aviso', workers: { ...SERVICES, admin: { ...SERVICE, vars: { history: 3 } } } }, false],
      [{ name: 'aviso', workers: { ...SERVICES, monitoring: { ...SERVICE, vars: { etcd: null } } } }, true],
      [{ name: 'aviso', workers: { ...SERVICES, monitoring: { ...SERVICE, vars: { pods } } } }, false],
    ]
    for (const [file, isRight] of rows) {
      assert.equal(accepts(file), isRight, JSON.stringify(file))
      assert.equal(reasonFor(file) === undefined, isRight, JSON.stringify(file))
    }
  })

  it('says in words what JSON Schema cannot', () => {
    const text = configSchemaText()
    for (const said of [
      'Give exactly one of keysUrl, keys and secretEnvs',
      'A rule must grant something: listen, publish, admin or relay',
      'A duration is a whole number with a unit s, m, h, d or w, such as 15d',
      'Nothing may be kept for less than an hour',
      'A folder of keys, with a slash at both ends, that is not the whole store',
      'Unit: seconds',
    ])
      assert.ok(text.includes(said), said)
  })
})

describe('the shipped file', () => {
  it('states defaults alone, so that a default that is changed counts', () => {
    const { dev: _dev, vars: _vars, ...file } = shipped
    const workers = Object.fromEntries(
      Object.entries(shipped.workers).map(([name, { name: own, main, routes }]) => [
        name,
        { name: own, main, routes },
      ]),
    )
    const load = (content: object): object => loadConfig(JSON.stringify(content), 'file.json')
    assert.deepEqual(load(shipped), load({ ...file, workers }))
    const { admin: _admin, monitoring: _monitoring, ...needed } = workers
    assert.deepEqual(load(shipped), load({ ...file, workers: needed }))
  })
})

describe('configReferenceText()', () => {
  it('has a row with type, default, unit and description for a setting', () => {
    const text = configReferenceText()
    for (const row of [
      '| `workers.auth.vars.heartbeatSeconds` | number from 1 to 60 | `5` | seconds | Time without a notification',
      '| `vars.quota.opensPerPrincipal` | section | `{"perSecond":50,"burst":2000}` | streams per second | Streams',
      '| `vars.identity.providers[tokens].tokens[].secretEnv` | text | required |  | Secret with the token',
      '| `workers.admin.vars.events.*.count` | whole number from 1 |  | notifications | Most',
      '| `workers.NAME.dev.port` | whole number from 0 to 65535 |  |  | Port of this service alone',
      '| `env` | name → section |  |  | Environments by name',
    ])
      assert.ok(text.includes(`\n${row}`), row)
    assert.ok(!text.includes('workers.monitoring.dev.port'))
  })

  it('is made of settings that say what they are, and of numbers that have a unit', () => {
    const faults: string[] = []
    const look = (node: SchemaNode, path: string, unitAbove?: string): void => {
      const unit = node.unit ?? unitAbove
      const isNumber = node.type === 'number' || node.type === 'integer'
      if (isNumber && unit === undefined && !path.endsWith('port')) faults.push(`${path}: no unit`)
      // A JSON Web Key Set is another standard's.
      const isOurs = node.additionalProperties === false
      for (const [name, part] of isOurs ? Object.entries(node.properties ?? {}) : []) {
        if (part.description === undefined && part.properties === undefined)
          faults.push(`${path}.${name}: no description`)
        look(part, `${path}.${name}`, unit)
      }
      const { items = {}, anyOf = [], oneOf = [], additionalProperties } = node
      for (const shape of [...anyOf, ...oneOf]) look(shape, path, unit)
      for (const part of [items, additionalProperties ?? {}])
        if (typeof part === 'object' && !isPlain(part)) look(part, `${path}[]`, unit)
    }
    look(configNode(), '')
    assert.deepEqual(faults, [])
  })
})
