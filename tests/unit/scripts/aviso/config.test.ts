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
    const { origin, ...config } = await load()
    assert.ok(origin.settings.every(({ from }) => from === 'default'))
    assert.deepEqual(config, {
      stateFolder: '/home/joe/.aviso/state',
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
      '/etc/aviso/config.yaml': 'debug: true\nnotification_engine:\n  hots: x\nquite: true\nport: 1\n',
    })
    assert.deepEqual(warnings, [
      '/etc/aviso/config.yaml:4:1 quite: Unknown key, ignored. Did you mean quiet?',
      '/etc/aviso/config.yaml:5:1 port: Unknown key, ignored. Did you mean notification_engine.port?',
      '/etc/aviso/config.yaml:3:3 notification_engine.hots: Unknown key, ignored. Did you mean host?',
    ])
  })

  it('warns of unknown variables, but not of those that others set', async () => {
    const { warnings } = await load(
      {},
      {
        environment: {
          AVISO_FOO: '1',
          AVISO_PORT: '8081',
          AVISO_HOTS: 'h',
          AVISO_TIMOUT: '3',
          AVISO_TOKENFILE: '/t',
          AVISO_WHATEVER: '1',
          AVISO_PASSWORD: 'secret',
          AVISO_NOTIFICATION_SERVICE: 'aviso/v1',
          AVISO_EVENT_TYPE: 'flight',
          AVISO_IDENTIFIER_DATE: '1',
          AVISO_AUTH_BACKEND_URL: 'x',
          AVISO_ETCD: '/bin/etcd',
          AVISOSERVER_X: 'y',
        },
      },
    )
    assert.deepEqual(warnings, [
      'AVISO_FOO: Unknown variable, ignored',
      'AVISO_HOTS: Unknown variable, ignored. Did you mean AVISO_NOTIFICATION_HOST?',
      'AVISO_PASSWORD: ignored: put the key into a file for you alone, and name that with AVISO_KEY_FILE',
      'AVISO_PORT: Unknown variable, ignored. Did you mean AVISO_NOTIFICATION_PORT?',
      'AVISO_TIMOUT: Unknown variable, ignored. Did you mean AVISO_TIMEOUT?',
      'AVISO_TOKENFILE: Unknown variable, ignored. Did you mean AVISO_TOKEN_FILE?',
      'AVISO_WHATEVER: Unknown variable, ignored',
    ])
  })

  for (const [what, input, expected] of [
    ['AVISO_TOKEN', { environment: { AVISO_TOKEN: ' t\n' } }, { authType: 'bearer', key: 't' }],
    [
      'AVISO_TOKEN before AVISO_TOKEN_FILE',
      { environment: { AVISO_TOKEN: 't', AVISO_TOKEN_FILE: '/f', AVISO_AUTH_TYPE: 'openid' } },
      { authType: 'openid', key: 't' },
    ],
    [
      '--token-file before AVISO_TOKEN',
      { environment: { AVISO_TOKEN: 't' }, flags: { tokenFile: '~/f' } },
      { authType: 'bearer', keyFile: '/home/joe/f' },
    ],
    [
      '--key before AVISO_TOKEN',
      { environment: { AVISO_TOKEN: 't', AVISO_AUTH_TYPE: 'ecmwf' }, flags: { key: '/k' } },
      { authType: 'ecmwf', keyFile: '/k' },
    ],
  ] as const) {
    it(`takes a credential: ${what}`, async () => {
      const config = await load({}, input)
      const { authType, key, keyFile } = config
      assert.deepEqual({ authType, ...(key === undefined ? { keyFile } : { key }) }, expected)
    })
  }

  it('says where each value comes from, and shows no secret whole', async () => {
    const { origin } = await load(
      { '/home/joe/.aviso/config.yaml': 'notification_engine:\n  host: h\n  catchup: off\nusername: joe\n' },
      { environment: { AVISO_TOKEN: 'eyJhbGciOiJIUzI1NiJ9', AVISO_STATE: '~/s' }, flags: { port: '81' } },
    )
    const place = (line: string, key: string): string => `/home/joe/.aviso/config.yaml:${line} ${key}`
    const shown = Object.fromEntries(origin.settings.map(({ name, value, from }) => [name, [value, from]]))
    assert.deepEqual(shown['base_url'], [
      'http://h:81',
      `${place('2:3', 'notification_engine.host')}, --port`,
    ])
    assert.deepEqual(shown['catchup'], ['off', place('3:3', 'notification_engine.catchup')])
    assert.deepEqual(shown['username'], ['joe', place('4:1', 'username')])
    assert.deepEqual(shown['token'], ['eyJh… (20 characters)', 'AVISO_TOKEN'])
    assert.deepEqual(shown['auth_type'], ['bearer', 'AVISO_TOKEN'])
    assert.deepEqual(shown['state'], ['/home/joe/s', 'AVISO_STATE'])
    assert.deepEqual(shown['timeout'], ['60', 'default'])
    assert.deepEqual(origin.files, [
      { path: '/etc/aviso/config.yaml', isThere: false },
      { path: '/home/joe/.aviso/config.yaml', isThere: true },
    ])
  })

  it("reads booleans as 1.x's files have them, and warns of a key that is never sent", async () => {
    const config = await load({
      '/etc/aviso/config.yaml': 'debug: yes\nquiet: Off\nno_fail: TRUE\nkey_file: /k\n',
    })
    assert.deepEqual([config.debug, config.quiet, config.noFail], [true, false, true])
    assert.deepEqual(config.warnings, [
      '/etc/aviso/config.yaml:4:1 key_file: the key is not sent, because auth_type is none: set it to ecmwf, openid, plain or bearer',
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
      'a boolean that is none',
      { environment: { AVISO_DEBUG: 'maybe' } },
      /^ClientError: AVISO_DEBUG: debug must be true or false, not maybe$/,
    ],
    [
      'a token for plain',
      { environment: { AVISO_TOKEN: 't', AVISO_AUTH_TYPE: 'plain' } },
      /^ClientError: AVISO_TOKEN: auth_type plain takes a user name and a key, not a token/,
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

  it('says where a value has the wrong form, and refuses a secret', async () => {
    await assert.rejects(
      load({ '/etc/aviso/config.yaml': 'debug: true\ntoken: abc\n' }),
      /config\.yaml:2:1 token: a configuration file must not hold a token: .*token_file/,
    )
    await assert.rejects(
      load({ '/etc/aviso/config.yaml': 'notification_engine:\n  port: [1]\n' }),
      /config\.yaml:2:3 notification_engine\.port: /,
    )
  })
})
