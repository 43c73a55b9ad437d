import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'

import { createAuthOTron } from '#shared/access/identity/auth_o_tron.ts'
import type { IdentityProvider, Verdict, VerdictOptions } from '#shared/access/identity/identity.ts'
import { createSecretKeys } from '#shared/access/identity/key_set.ts'
import { createSecret } from '#shared/secret.ts'
import { createTokenVerifier } from '#shared/access/identity/token_verifier.ts'
import {
  AUTH_O_TRON_ISSUER,
  MISBEHAVIOURS,
  startAuthOTron,
  type AuthOTronStandIn,
  type TokenFault,
} from '../../../../support/auth_servers.ts'
import { CANARY, SHARED_SECRET } from '../../../../support/tokens.ts'
import { credentialOf, realParts, whileMisbehaving } from './support.ts'

const TOKEN = `${CANARY}-token`

describe('createAuthOTron()', () => {
  let server: AuthOTronStandIn
  let parts: ReturnType<typeof realParts>
  let provider: IdentityProvider

  beforeEach(async () => {
    server = await startAuthOTron({
      [`Bearer ${TOKEN}`]: { username: 'joe', roles: ['reader'], attributes: { team: 'a' } },
      [`Basic ${btoa('ann:secret')}`]: { username: 'ann', realm: 'localrealm' },
    })
    provider = create(`${server.url}/`)
  })
  afterEach(() => server.close())

  function create(baseUrl: string, timeoutMs = 2_000): IdentityProvider {
    parts = realParts()
    const rules = {
      issuer: AUTH_O_TRON_ISSUER,
      audience: 'none',
      algorithms: ['HS256'],
      requiredClaims: ['username'],
      clockToleranceSeconds: 60,
    } as const
    const keys = createSecretKeys([createSecret(SHARED_SECRET)])
    const verifier = createTokenVerifier({ rules, keys, clock: parts.clock })
    return createAuthOTron({ ...parts, name: 'auth-o-tron', baseUrl, verifier, limits: { timeoutMs } })
  }

  const present = async (authorization: string, options?: VerdictOptions): Promise<Verdict> =>
    provider.identify(credentialOf(authorization), options)

  it('says who sends a token in each of the forms, and hands on the credential and nothing else', async () => {
    const forms = [`Bearer ${TOKEN}`, `EmailKey joe@x.int:${TOKEN}`, `Basic ${btoa('ann:secret')}`]
    const verdicts = await Promise.all(forms.map((form) => present(form)))
    const seen = verdicts.map((verdict) => {
      if (verdict.kind !== 'identified') return verdict
      const { realm, username, roles } = verdict.identity
      return { realm, username, roles }
    })
    assert.deepEqual(seen, [
      { realm: 'ecmwf', username: 'joe', roles: ['reader'] },
      { realm: 'ecmwf', username: 'joe', roles: ['reader'] },
      { realm: 'localrealm', username: 'ann', roles: [] },
    ])
    const upstream = server.seen.map(({ method, target, headers }) => [
      method,
      target,
      headers.get('authorization'),
    ])
    assert.deepEqual(upstream.map(String).toSorted(), [
      `GET,/authenticate,Basic ${btoa('ann:secret')}`,
      `GET,/authenticate,Bearer ${TOKEN}`,
      `GET,/authenticate,Bearer ${TOKEN}`,
    ])
    const names = new Set(server.seen.flatMap(({ headers }) => [...headers.keys()]))
    for (const name of [
      'accept',
      'accept-encoding',
      'accept-language',
      'authorization',
      'connection',
      'host',
      'sec-fetch-mode',
      'user-agent',
    ]) {
      names.delete(name)
    }
    assert.deepEqual([...names], [])
  })

  it('asks once for the same credential, and again for a fresh verdict', async () => {
    await present(`Bearer ${TOKEN}`)
    await present(`Bearer ${TOKEN}`)
    assert.equal(server.seen.length, 1)
    server.users.delete(`Bearer ${TOKEN}`)
    assert.equal((await present(`Bearer ${TOKEN}`)).kind, 'identified')
    await parts.clock.advance(2)
    assert.equal((await present(`Bearer ${TOKEN}`, { maxAgeMs: 1 })).kind, 'refused')
    assert.equal((await present(`Bearer ${TOKEN}`)).kind, 'refused')
    assert.equal(server.seen.length, 2)
  })

  it('asks anew for the same token in another form, or with another X-Auth-Type', async () => {
    await present(`Bearer ${TOKEN}`)
    await provider.identify(credentialOf(`Bearer ${TOKEN}`, 'ecmwf'))
    await present(`EmailKey a@x.int:${TOKEN}`)
    await present(`EmailKey b@x.int:${TOKEN}`)
    assert.equal(server.seen.length, 4)
  })

  it('refuses what the server refuses, with its challenge, and asks once about it', async () => {
    const verdict = await present('Bearer unknown')
    await present('Bearer unknown')
    assert.deepEqual(verdict, {
      kind: 'refused',
      reason: 'auth-o-tron says 401',
      challenges: [
        { scheme: 'Bearer', realm: 'ecmwf' },
        { scheme: 'Basic', realm: 'localrealm' },
      ],
    })
    assert.equal(server.seen.length, 1)
  })

  it('believes no token of the server that does not hold: that is no verdict, not a refusal, and not remembered', async () => {
    const faults: readonly TokenFault[] = [
      'no_header',
      'not_bearer',
      'empty_token',
      'unsigned',
      'other_secret',
      'expired',
      'other_issuer',
      'other_audience',
      'wrong_user',
      'no_username',
    ]
    for (const fault of faults) {
      server.fault = fault
      await assert.rejects(
        present(`Bearer ${TOKEN}`),
        { code: 'ERR_VERDICT_UNAVAILABLE', status: 503 },
        fault,
      )
    }
    server.fault = undefined
    assert.equal((await present(`Bearer ${TOKEN}`)).kind, 'identified')
    assert.equal(server.seen.length, faults.length + 1)
  })

  it('has no verdict from a server that misbehaves in any way, within its time, and remembers none', async () => {
    // An answer without a body says all there is to say, by its header.
    for (const how of MISBEHAVIOURS.filter((name) => name !== 'status_204')) {
      await whileMisbehaving(server, { how, clock: parts.clock, limitMs: 2_000 }, () =>
        assert.rejects(present(`Bearer ${TOKEN}`), { code: 'ERR_VERDICT_UNAVAILABLE' }, how),
      )
    }
    assert.equal((await present(`Bearer ${TOKEN}`)).kind, 'identified')
    assert.ok(!server.seen.some(({ target }) => target !== '/authenticate'), 'a redirect was followed')
    assert.doesNotMatch(parts.lines.join(), new RegExp(`${CANARY}|127\\.0\\.0\\.1`))
  })

  it('reads the token from the body where aviso-server does', async () => {
    const signed = await startAuthOTron({ [`Bearer ${TOKEN}`]: { username: 'joe' } })
    try {
      const answer = await fetch(`${signed.url}/authenticate`, {
        headers: { authorization: `Bearer ${TOKEN}` },
      })
      const token = answer.headers.get('authorization')?.slice('Bearer '.length) ?? ''
      for (const member of ['token', 'jwt', 'access_token']) {
        provider = createFrom(JSON.stringify({ [member]: token }))
        assert.equal((await present(`Bearer ${TOKEN}`)).kind, 'identified', member)
      }
      for (const body of [
        '',
        'null',
        '[]',
        token,
        JSON.stringify({ other: token }),
        JSON.stringify({ token: 7 }),
      ]) {
        provider = createFrom(body)
        await assert.rejects(
          present(`Bearer ${TOKEN}`),
          { code: 'ERR_VERDICT_UNAVAILABLE' },
          body.slice(0, 20),
        )
      }
    } finally {
      await signed.close()
    }
  })

  function createFrom(body: string): IdentityProvider {
    create('http://unused.test')
    const rules = {
      issuer: AUTH_O_TRON_ISSUER,
      audience: 'none',
      algorithms: ['HS256'],
      requiredClaims: [],
      clockToleranceSeconds: 60,
    } as const
    const keys = createSecretKeys([createSecret(SHARED_SECRET)])
    const verifier = createTokenVerifier({ rules, keys, clock: parts.clock })
    const answering = { ...parts, fetch: () => Promise.resolve(new Response(body)) }
    return createAuthOTron({ ...answering, name: 'auth-o-tron', baseUrl: 'http://unused.test', verifier })
  }
})
