import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { loadConfig, SERVICE_NAMES } from '#services/system/settings.ts'
import { isAvisoError } from '#shared/errors.ts'
import { findGivenConfig, type GivenConfig } from '../../../../scripts/serve/given_config.ts'
import { readSchemaFiles } from '#services/system/schema_files.ts'
import type { ServeOptions } from '../../../../scripts/serve/options.ts'

const OURS = 'wrangler-like.config.json'
const THEIRS = `
application: { host: 127.0.0.1, port: 8000 }
notification_schema: { a: { topic: { base: a, key_order: [b] }, identifier: { b: { type: StringHandler } } } }
auth: { jwt_secret: hidden-hidden-hidden-hidden-hidden }
`

interface Asked {
  readonly files: Readonly<Record<string, string>>
  readonly options?: Partial<ServeOptions>
  readonly environment?: Readonly<Record<string, string>>
}

function find({ files, options, environment = {} }: Asked): Promise<GivenConfig> {
  return findGivenConfig(
    { services: SERVICE_NAMES, config: OURS, isConfigNamed: false, ...options },
    {
      readText: (path) =>
        files[path] === undefined ? Promise.reject(new Error('ENOENT')) : Promise.resolve(files[path]),
      environment,
      home: '/home/u',
      newToken: () => 'invented',
    },
  )
}

const named = (config: string): Partial<ServeOptions> => ({ config, isConfigNamed: true })

describe('findGivenConfig()', () => {
  it('reads a file of 2.x that is named as ours, with its schema beside it', async () => {
    const given = await find({ files: { 'server.yaml': THEIRS }, options: named('server.yaml') })
    const { dev, vars } = loadConfig(await given.readText(given.options.config), 'x')
    assert.equal(dev.port, 8000)
    const [schema] = await readSchemaFiles(vars.schemas, given.readText)
    assert.deepEqual(Object.keys(Object(schema?.content)), ['notification_schema'])
    assert.match(given.notes.join('\n'), /^server\.yaml: auth\.jwt_secret: auth is not enabled$/m)
  })

  it('leaves a file of ours as it is, and one that nobody knows to whoever reads it', async () => {
    const files = { [OURS]: '{"vars":{},"services":{}}', 'damaged.json': '{"vars":', 'own.yaml': 'a: 1' }
    for (const options of [{}, named(OURS), named('damaged.json'), named('own.yaml'), named('gone.json')]) {
      const given = await find({ files: { ...files, 'configuration/config.yaml': THEIRS }, options })
      assert.deepEqual([given.options.config, given.notes], [options.config ?? OURS, []])
    }
  })

  it('looks where 2.x looks where the folder has no file of ours', async () => {
    const files = {
      'configuration/config.yaml': THEIRS,
      '/etc/aviso_server/config.yaml': 'application: { port: 2 }',
    }
    const given = await find({ files, environment: { AVISOSERVER_APPLICATION__HOST: 'localhost' } })
    const { dev } = loadConfig(await given.readText(given.options.config), 'x')
    assert.deepEqual([dev.host, dev.port], ['localhost', 2])
  })

  it('prefers the file that AVISOSERVER_CONFIG_FILE names to ours, and the flag to both', async () => {
    const files = { [OURS]: '{"vars":{},"services":{}}', 'named.yaml': THEIRS }
    const environment = { AVISOSERVER_CONFIG_FILE: 'named.yaml' }
    assert.equal((await find({ files, environment })).options.config, 'named.yaml')
    assert.equal((await find({ files, environment, options: named(OURS) })).options.config, OURS)
  })

  it('gives the services the secrets, and invents a token for administration that nobody has', async () => {
    const text = `application: { host: 0.0.0.0 }`
    const given = await find({ files: { f: text }, options: named('f') })
    assert.equal(given.environment['AVISO_ADMIN_TOKEN'], 'invented')
    const own = await find({
      files: { f: text },
      options: named('f'),
      environment: { AVISO_ADMIN_TOKEN: 'mine' },
    })
    assert.equal(own.environment['AVISO_ADMIN_TOKEN'], 'mine')
  })

  it('refuses what cannot be taken over', async () => {
    const text = 'notification_backend: { kind: kafka }\nmetrics: { enabled: true }'
    await assert.rejects(
      find({ files: { f: text }, options: named('f') }),
      (error) =>
        isAvisoError(error, 'ERR_CONFIG') &&
        error.message.includes('kafka') &&
        error.message.includes('metrics.port'),
    )
  })
})
