import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { parseServeArguments, refuseOpenAddress, resolveConfig } from '../../../../scripts/serve/options.ts'

const readText = (path: string): Promise<string> => readFile(path, 'utf8')
const missing = (): Promise<string> => Promise.reject(new Error('ENOENT'))

describe('resolveConfig()', () => {
  it('reads the shipped file, and lays the flags over it', async () => {
    const options = { services: ['rest'], config: 'wrangler-like.config.json' } as const
    const config = await resolveConfig(
      { ...options, env: 'etcd', port: 0, host: '::1', data: '/d' },
      readText,
    )
    assert.equal(config.vars.store, 'http://127.0.0.1:2379')
    assert.deepEqual(config.dev, { host: '::1', port: 0, data: '/d', drainSeconds: 0 })
    assert.equal(
      (await resolveConfig({ ...options, store: 'embedded:memory' }, readText)).vars.store,
      'embedded:memory',
    )
  })

  it('names a file that cannot be read', async () => {
    await assert.rejects(
      resolveConfig({ services: [], config: 'nope.json' }, missing),
      (error) => isAvisoError(error, 'ERR_CONFIG') && error.message.includes('nope.json'),
    )
  })
})

describe('parseServeArguments()', () => {
  it('refuses a service that is named twice', (context) => {
    const told = context.mock.method(console, 'error', () => undefined)
    assert.equal(parseServeArguments(['rest', 'auth', 'rest'], 'node'), 2)
    assert.match(String(told.mock.calls[0]?.arguments[0]), /^error: the service rest is named twice/)
  })
})

describe('refuseOpenAddress()', () => {
  const configAt = async (
    host: string,
    identity: unknown,
  ): Promise<Parameters<typeof refuseOpenAddress>[0]> => {
    const text = JSON.stringify({
      ...(JSON.parse(await readText('wrangler-like.config.json')) as object),
      vars: { identity },
    })
    return resolveConfig({ services: [], config: 'x', host }, () => Promise.resolve(text))
  }
  const tokens = [{ username: 'u', realm: 'r', secretEnv: 'U' }]
  const identity = { providers: [{ kind: 'tokens', tokens }] }

  it('lets only this machine ask where there are no identities', async () => {
    for (const host of ['127.0.0.1', '::1', 'localhost']) refuseOpenAddress(await configAt(host, 'none'))
    for (const host of ['0.0.0.0', '::', '192.0.2.1', '127.0.0.1.evil.test', '']) {
      const config = await configAt(host, 'none')
      assert.throws(
        () => refuseOpenAddress(config),
        { code: 'ERR_CONFIG', message: /every client could do everything/ },
        host,
      )
    }
  })

  it('listens anywhere where there are', async () => {
    refuseOpenAddress(await configAt('0.0.0.0', identity))
  })
})
