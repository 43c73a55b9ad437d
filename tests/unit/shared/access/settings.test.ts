import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { loadConfig } from '#services/system/settings.ts'
import { isAvisoError } from '#shared/errors.ts'

const SERVICE = (name: string): object => ({ name, main: `services/${name}/handler.ts`, routes: ['/'] })
const SERVICES = { rest: SERVICE('rest'), auth: SERVICE('auth') }

const JWT = {
  kind: 'jwt',
  name: 'openid',
  issuer: 'https://issuer.test',
  audience: ['aviso'],
  algorithms: ['ES256'],
  keysUrl: 'https://issuer.test/keys',
  realm: 'openid',
}
const AUTH_O_TRON = {
  kind: 'auth-o-tron',
  url: 'https://auth.test',
  issuer: 'authotron',
  audience: 'none',
  secretEnvs: ['AUTHOTRON_SECRET'],
}
const ECPDS = {
  url: 'https://ecpds.test/ecpds/v1/destination/list',
  username: 'aviso',
  passwordEnv: 'ECPDS_PASSWORD',
  realms: ['ecmwf'],
}

function load(vars: object): ReturnType<typeof loadConfig> {
  return loadConfig(JSON.stringify({ name: 'aviso', vars, services: SERVICES }), 'file.json')
}

function refuses(vars: object, pattern: RegExp): void {
  assert.throws(
    () => load(vars),
    (error) => isAvisoError(error, 'ERR_CONFIG') && pattern.test(error.message),
    `${JSON.stringify(vars)} was not refused for ${String(pattern)}`,
  )
}

const provider = (base: object, more: object): object => ({ identity: { providers: [{ ...base, ...more }] } })

describe('identityConfig', () => {
  it('is none, unless said otherwise', () => {
    assert.equal(load({}).vars.identity, 'none')
  })

  it('takes providers in their order, with bounds filled in', () => {
    const tokens = { kind: 'tokens', tokens: [{ username: 'maci', realm: 'local', secretEnv: 'MACI_TOKEN' }] }
    const { identity } = load({
      identity: { providers: [JWT, AUTH_O_TRON, { kind: 'who-am-i' }, tokens] },
    }).vars
    assert.ok(identity !== 'none')
    assert.deepEqual(
      identity.providers.map(({ kind, name }) => [kind, name]),
      [
        ['jwt', 'openid'],
        ['auth-o-tron', 'auth-o-tron'],
        ['who-am-i', 'who-am-i'],
        ['tokens', 'tokens'],
      ],
    )
    const [jwt, authOTron] = identity.providers
    assert.ok(jwt?.kind === 'jwt' && jwt.clockToleranceSeconds === 60 && jwt.usernameClaim === 'sub')
    assert.ok(authOTron?.kind === 'auth-o-tron' && authOTron.cacheSeconds === 30)
    assert.deepEqual(authOTron.algorithms, ['HS256'])
  })

  it('refuses providers that could not be trusted', () => {
    const { audience: _audience, ...noAudience } = JWT
    const { issuer: _issuer, ...noIssuer } = JWT
    refuses({ identity: { providers: [] } }, /identity/)
    refuses({ identity: 'off' }, /identity/)
    refuses({ identity: { providers: [noAudience] } }, /audience/)
    refuses({ identity: { providers: [noIssuer] } }, /issuer/)
    refuses(provider(JWT, { audience: [] }), /audience/)
    refuses(provider(JWT, { audience: 'none' }), /audience/)
    refuses(provider(JWT, { algorithms: [] }), /algorithms/)
    refuses(provider(JWT, { algorithms: ['none'] }), /algorithms/)
    refuses(provider(JWT, { algorithms: ['ES256', 'HS256'] }), /HS\* algorithms go with secretEnvs/)
    refuses(provider(AUTH_O_TRON, { algorithms: ['RS256'] }), /HS\* algorithms go with secretEnvs/)
    refuses(provider(JWT, { secretEnvs: ['X'] }), /exactly one of/)
    refuses(provider(JWT, { keysUrl: undefined }), /exactly one of/)
    refuses(provider(JWT, { clockToleranceSeconds: 301 }), /clockTolerance/)
    refuses(provider(JWT, { issuer: ' https://issuer.test' }), /white space/)
    refuses(provider(JWT, { realm: 'a"b' }), /realm/)
    refuses(provider(JWT, { secret: 'held in the file' }), /secret/)
    refuses(provider(AUTH_O_TRON, { secretEnvs: ['not a name'] }), /not the secret/)
    refuses(provider(AUTH_O_TRON, { cacheSeconds: 31 }), /cacheSeconds/)
    refuses({ identity: { providers: [{ kind: 'tokens', tokens: [] }] } }, /tokens/)
  })

  it('takes plain http to this machine only, unless the network in between is said to be trusted', () => {
    for (const url of [
      'http://127.0.0.1:8080',
      'http://localhost:1',
      'http://[::1]:1',
      'https://auth.test',
    ]) {
      assert.ok(load(provider(AUTH_O_TRON, { url })))
    }
    refuses(provider(AUTH_O_TRON, { url: 'http://auth.test' }), /http is for loopback/)
    refuses(provider(AUTH_O_TRON, { url: 'http://127.0.0.1.evil.test' }), /http is for loopback/)
    refuses(provider(JWT, { keysUrl: 'http://issuer.test/keys' }), /http is for loopback/)
    assert.ok(load(provider(AUTH_O_TRON, { url: 'http://auth.test', plaintext: true })))
  })

  it('takes no address with credentials, a query or another protocol', () => {
    for (const url of [
      'https://u:p@auth.test',
      'https://auth.test/?a=1',
      'https://auth.test/#a',
      'gopher://auth.test',
      'file:///etc/passwd',
      'auth.test',
    ]) {
      refuses(provider(AUTH_O_TRON, { url }), /url/)
    }
  })
})

describe('policyConfig', () => {
  it('grants nothing unless it says so', () => {
    const { policy } = load({}).vars
    assert.deepEqual(policy, { public: { listen: [], publish: [] }, open: [], rules: [] })
  })

  it('takes rules and destinations', () => {
    const rules = [
      { realm: 'ecmwf', roles: ['operator'], listen: 'everything', publish: 'everything', admin: true },
      {
        realm: '*',
        listen: ['/ec/mars/'],
        publish: [{ event: 'dissemination', prefixes: ['/ec/diss/{d}/'] }],
      },
    ]
    const { policy } = load({
      policy: { public: { listen: ['flight'] }, open: ['/ec/mars/'], rules, destinations: ECPDS },
    }).vars
    assert.equal(policy.rules.length, 2)
    assert.equal(policy.destinations?.prefix, '/ec/diss/')
    assert.equal(policy.destinations.cacheSeconds, 30)
  })

  it('takes what is granted in one form, wherever it stands', () => {
    const forms = [
      'everything',
      ['flight', '/ec/mars/', { event: 'mars' }, { event: 'mars', prefixes: ['/ec/mars/x/'] }],
    ]
    for (const form of forms) {
      const policy = {
        public: { listen: form, publish: form },
        open: form,
        rules: [{ realm: '*', listen: form, publish: form }],
      }
      assert.deepEqual(load({ policy }).vars.policy, policy)
    }
  })

  it('says how a right must be written', () => {
    const rule = (more: object): object => ({ policy: { rules: [{ realm: '*', ...more }] } })
    refuses(
      rule({ listen: 'flight' }),
      /rules\.0\.listen: "flight" does not fit\. Write \["flight"\], or "everything"/,
    )
    refuses(rule({ publish: '*' }), /rules\.0\.publish: .*Use "everything", or a list/)
    refuses({ policy: { public: { listen: true } } }, /public\.listen: Use "everything", or a list/)
    refuses(rule({ publish: [{ evnt: 'flight' }] }), /there is no setting "evnt" here: did you mean "event"/)
    refuses(rule({ publish: [{ event: 'flight', prefixes: [] }] }), /rules\.0\.publish\.0\.prefixes/)
    refuses(rule({ publsh: ['flight'] }), /did you mean "publish"/)
  })

  it('refuses rules that grant nothing, or have no realm', () => {
    refuses({ policy: { rules: [{ realm: '*' }] } }, /must grant something/)
    refuses({ policy: { rules: [{ realm: '*', admin: false }] } }, /must grant something/)
    refuses({ policy: { rules: [{ roles: ['x'], admin: true }] } }, /realm/)
    refuses({ policy: { rules: [{ realm: '*', roles: [], admin: true }] } }, /roles/)
    refuses({ policy: { rules: [{ realm: '*', listen: [] }] } }, /listen/)
    refuses({ policy: { rules: [{ realm: '*', listen: 'all' }] } }, /listen/)
    refuses({ policy: { destinations: { ...ECPDS, realms: [] } } }, /realms/)
    refuses({ policy: { destinations: { ...ECPDS, url: 'http://ecpds.test/x' } } }, /http is for loopback/)
    refuses({ policy: { destinations: { ...ECPDS, cacheSeconds: 86_400 } } }, /cacheSeconds/)
  })
})

describe('quotaConfig', () => {
  it('has the bounds of the design', () => {
    assert.deepEqual(load({}).vars.quota, {
      streamsPerPrincipal: 2_000,
      opensPerPrincipal: { perSecond: 50, burst: 2_000 },
      readsPerPrincipal: { perSecond: 200, burst: 400 },
      publishesPerPrincipal: { perSecond: 200, burst: 400 },
      streamsPerAddress: 200,
      opensPerAddress: { perSecond: 10, burst: 200 },
      readsPerAddress: { perSecond: 200, burst: 400 },
      publishesPerAddress: { perSecond: 10, burst: 100 },
      streamsForIdentities: 40,
      streamsForRelays: 10,
      wrongCredentialsPerAddress: { perSecond: 0.5, burst: 30 },
      trustedProxies: 0,
    })
  })

  it('refuses to keep more streams free than there are', () => {
    const quota = load({ quota: { streamsForIdentities: 60, streamsForRelays: 40 } }).vars.quota
    assert.deepEqual([quota.streamsForIdentities, quota.streamsForRelays], [60, 40])
    refuses({ quota: { streamsForIdentities: 61, streamsForRelays: 40 } }, /together at most 100 percent/)
  })
})

describe('loadConfig()', () => {
  it('refuses a name that occurs twice: of two policies the reader sees one', () => {
    const text = `{\n"name":"aviso",\n"vars":{"policy":{"open":[]},\n"policy":{"open":["/ec/"]}},"services":{}}`
    assert.throws(() => loadConfig(text, 'file.json'), { code: 'ERR_CONFIG', message: /twice.*line 4/ })
  })
})
