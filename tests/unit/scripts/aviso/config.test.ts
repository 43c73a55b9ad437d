import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadClientConfig, type ClientConfig, type ConfigFlags } from '../../../../scripts/aviso/config.ts'

function load(
  files: Readonly<Record<string, string>> = {},
  { environment = {}, flags = {} }: { environment?: Record<string, string>; flags?: ConfigFlags } = {},
): Promise<ClientConfig> {
  return loadClientConfig({
    flags,
    environment,
    home: '/home/joe',
    readText: (path) => Promise.resolve(files[path]),
  })
}

describe('loadClientConfig()', () => {
  it('has defaults that fit the project own service', async () => {
    assert.deepEqual(await load(), {
      baseUrl: 'http://127.0.0.1:8080',
      authType: 'none',
      keyFile: '/etc/aviso/key',
      timeoutMs: 60_000,
      catchup: true,
      debug: false,
      quiet: false,
      noFail: false,
      warnings: [],
    })
  })

  it('lays system file, home file, $AVISO_CONFIG, -c, environment and flags over one another', async () => {
    const port = (number: number): string => `notification_engine: {port: ${number}}`
    const files = {
      '/etc/aviso/config.yaml': `${port(1001)}\nusername: system`,
      '/home/joe/.aviso/config.yaml': port(1002),
      '/home/joe/env.yaml': port(1003),
      '/c.yaml': port(1004),
    }
    const environment: Record<string, string> = {}
    const flags: { config?: string; port?: string } = {}
    const portNow = async (): Promise<string> =>
      new URL((await load(files, { environment, flags })).baseUrl).port
    assert.equal(await portNow(), '1002')
    environment['AVISO_CONFIG'] = '~/env.yaml'
    assert.equal(await portNow(), '1003')
    flags.config = '/c.yaml'
    assert.equal(await portNow(), '1004')
    environment['AVISO_NOTIFICATION_PORT'] = '1005'
    assert.equal(await portNow(), '1005')
    environment['AVISO_BASE_URL'] = 'http://other:1006/'
    assert.equal(await portNow(), '1006')
    flags.port = '1007'
    assert.equal(await portNow(), '1007')
    assert.equal((await load(files, { environment, flags })).username, 'system')
  })

  it('reads a typical 1.x file', async () => {
    const text = [
      'notification_engine: {host: aviso.ecmwf.int, port: 443, https: True, polling_interval: 30, type: etcd_rest, timeout: null}',
      'configuration_engine: {host: aviso.ecmwf.int}',
      'schema_parser: ecmwf',
      'remote_schema: True',
      'auth_type: ECMWF',
      'username_file: ~/name',
      'key_file: ~/key',
    ].join('\n')
    const config = await load(
      { '/home/joe/.aviso/config.yaml': text, '/home/joe/name': 'joe@x.int\n' },
      { environment: { AVISO_USERNAME: 'other' } },
    )
    assert.equal(config.baseUrl, 'https://aviso.ecmwf.int')
    assert.equal(config.authType, 'ecmwf')
    assert.equal(config.username, 'joe@x.int')
    assert.equal(config.keyFile, '/home/joe/key')
    assert.equal(config.timeoutMs, undefined)
    assert.deepEqual(config.warnings, [])
  })

  it('lets AVISO_TIMEOUT=null wait for ever and -u win over username_file', async () => {
    const config = await load(
      { '/n': 'file' },
      { environment: { AVISO_TIMEOUT: 'null', AVISO_USERNAME_FILE: '/n' }, flags: { username: 'flag' } },
    )
    assert.equal(config.timeoutMs, undefined)
    assert.equal(config.username, 'flag')
  })

  it('warns of unknown keys with their place', async () => {
    const { warnings } = await load({
      '/etc/aviso/config.yaml': 'debug: true\nnotification_engine:\n  hots: x\nquite: true\n',
    })
    assert.deepEqual(warnings, [
      '/etc/aviso/config.yaml:4:1 quite: Unknown key, ignored',
      '/etc/aviso/config.yaml:3:3 notification_engine.hots: Unknown key, ignored',
    ])
  })

  it('takes an IPv6 host', async () => {
    assert.equal((await load({}, { flags: { host: '::1', port: '8081' } })).baseUrl, 'http://[::1]:8081')
  })

  for (const [what, input, message] of [
    [
      'a chosen file that is not there',
      { flags: { config: '/nope.yaml' } },
      /There is no configuration file \/nope\.yaml/,
    ],
    ['a port that is none', { flags: { port: '80a' } }, /Not a port: 80a/],
    ['a host that is none', { flags: { host: 'a/b' } }, /Not a host name/],
    ['a host with a port', { flags: { host: 'a:80' } }, /Not a host name/],
    [
      'an address that is none',
      { environment: { AVISO_BASE_URL: 'ftp://x' } },
      /Not an address of a service/,
    ],
    [
      'a password in the address',
      { environment: { AVISO_BASE_URL: 'http://u:p@x' } },
      /must not hold a password/,
    ],
    [
      'an unknown auth_type',
      { environment: { AVISO_AUTH_TYPE: 'kerberos' } },
      /auth_type kerberos is not known/,
    ],
    [
      'a time limit that is no number',
      { environment: { AVISO_TIMEOUT: 'soon' } },
      /timeout must be a positive number of seconds/,
    ],
    [
      'a username_file that is not there',
      { environment: { AVISO_USERNAME_FILE: '/nope' } },
      /Cannot read the username_file \/nope/,
    ],
  ] as const) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(load({}, input), message)
    })
  }

  it('says where a value has the wrong form', async () => {
    await assert.rejects(
      load({ '/etc/aviso/config.yaml': 'notification_engine:\n  port: [1]\n' }),
      /config\.yaml:2:3 notification_engine\.port: /,
    )
  })
})
