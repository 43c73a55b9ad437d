import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import fc from 'fast-check'
import type { JWTPayload } from 'jose'

import { createInlineKeys, createSecretKeys, type KeySource } from '#shared/access/identity/key_set.ts'
import { createSecret } from '#shared/secret.ts'
import {
  createTokenVerifier,
  type TokenRules,
  type TokenVerdict,
} from '#shared/access/identity/token_verifier.ts'
import type { JsonValue } from '#shared/json/strict_json.ts'
import {
  AUDIENCE,
  base64Url,
  claimsOf,
  createIssuerKey,
  ISSUER,
  SHARED_SECRET,
  signRaw,
  signRawShared,
  signShared,
  signToken,
  type IssuerKey,
} from '../../../../support/tokens.ts'
import { createManualClock } from '../../../../support/clock.ts'

const RULES: TokenRules = {
  issuer: ISSUER,
  audience: [AUDIENCE],
  algorithms: ['ES256', 'RS256'],
  requiredClaims: ['sub'],
  clockToleranceSeconds: 60,
}

const clock = createManualClock()
let ec: IssuerKey
let rsa: IssuerKey
let other: IssuerKey
let keys: KeySource

function claims(more: JWTPayload = {}): JWTPayload {
  return claimsOf('joe', clock.now(), more)
}

function verify(token: string, rules: Partial<TokenRules> = {}, from = keys): Promise<TokenVerdict> {
  return createTokenVerifier({ rules: { ...RULES, ...rules }, keys: from, clock }).verify(token)
}

async function reasonOf(token: string, rules: Partial<TokenRules> = {}, from = keys): Promise<string> {
  const verdict = await verify(token, rules, from)
  return verdict.kind === 'refused' ? verdict.reason : 'accepted'
}

/** A token whose payload text is exactly this, well signed. */
function signedText(payload: string, header: object = { alg: 'ES256', kid: 'ec' }): Promise<string> {
  return signRaw(ec, JSON.stringify(header), payload)
}

describe('createTokenVerifier()', () => {
  before(async () => {
    ec = await createIssuerKey('ec')
    rsa = await createIssuerKey('rsa', 'RS256')
    other = await createIssuerKey('ec')
    keys = createInlineKeys({ keys: [ec.publicJwk, rsa.publicJwk] } as unknown as JsonValue, ISSUER)
  })

  it('accepts a right token, and says when it ends, tolerance included', async () => {
    for (const key of [ec, rsa]) {
      const verdict = await verify(await signToken(key, claims()))
      assert.equal(verdict.kind, 'verified')
      if (verdict.kind !== 'verified') return
      assert.equal(verdict.claims['sub'], 'joe')
      assert.equal(verdict.endsAt, (Math.floor(clock.now() / 1000) + 3600 + 60) * 1000)
    }
  })

  it('does not look at issuer and audience where the operator says any, and at everything else as ever', async () => {
    const strange = claims({ iss: 'someone', aud: 'something' })
    const rules = { issuer: 'any', audience: 'any' } as const
    assert.equal(await reasonOf(await signToken(ec, strange), rules), 'accepted')
    assert.equal(await reasonOf(await signToken(ec, strange), { issuer: 'any' }), 'claim aud')
    assert.equal(await reasonOf(await signToken(ec, strange), { audience: 'any' }), 'claim iss')
    assert.equal(await reasonOf(await signToken(other, strange), rules), 'signature')
    assert.equal(await reasonOf(await signToken(ec, { ...strange, exp: 1 }), rules), 'expired')
  })

  it('verifies with a secret of any length', async () => {
    const weak = createSecretKeys([createSecret('short')])
    const rules = { algorithms: ['HS256'] } as const
    assert.equal(await reasonOf(await signShared(claims(), 'short'), rules, weak), 'accepted')
    assert.equal(await reasonOf(await signShared(claims(), 'other'), rules, weak), 'signature')
  })

  it('accepts exactly the tokens of which everything is right', async () => {
    const now = Math.floor(clock.now() / 1000)
    /** A right value, then wrong ones. `undefined`: the claim is absent. */
    const choices = {
      iss: [ISSUER, `${ISSUER}/`, ISSUER.toUpperCase(), 'https://evil.test', [ISSUER], undefined],
      aud: [AUDIENCE, 'other', 'avisoo', [], ['other'], undefined, AUDIENCE.toUpperCase()],
      exp: [now + 3600, now - 61, undefined, String(now + 3600), 1e99, -1, now - 60.5, null],
      nbf: [undefined, now + 62, 'soon', now + 61.5],
      iat: [now, now + 600, 'now', -1],
      sub: ['joe', undefined],
      alg: ['ES256', 'none', 'None', 'nOnE', '', 'HS256', 'PS256', 'ES384', 7],
      kid: ['ec', 'rsa', '../../etc/passwd', "' or 1=1", undefined],
      typ: ['at+jwt', 'JWT', undefined],
    } as const
    const names = Object.keys(choices) as (keyof typeof choices)[]
    const index = fc.record(
      Object.fromEntries(
        names.map((name) => [
          name,
          fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(choices[name].length - 1)),
        ]),
      ),
    )
    await fc.assert(
      fc.asyncProperty(index, async (chosen) => {
        const value = (name: keyof typeof choices): unknown => choices[name][chosen[name] ?? 0]
        const { iss, aud, exp, nbf, iat, sub } = Object.fromEntries(names.map((name) => [name, value(name)]))
        const payload = JSON.stringify({ iss, aud, exp, nbf, iat, sub })
        const header = JSON.stringify({ alg: value('alg'), kid: value('kid'), typ: value('typ') })
        const reason = await reasonOf(await signRaw(ec, header, payload), { type: 'at+jwt' })
        const allRight = names.every((name) => chosen[name] === 0)
        assert.equal(reason === 'accepted', allRight, `${reason}: ${header} ${payload}`)
      }),
      { numRuns: 400 },
    )
  })

  it('takes one of several audiences, and none from an issuer that names none', async () => {
    assert.equal(await reasonOf(await signToken(ec, claims({ aud: ['other', AUDIENCE] }))), 'accepted')
    const { aud: _aud, ...without } = claims()
    assert.equal(await reasonOf(await signToken(ec, without), { audience: 'none' }), 'accepted')
    assert.equal(await reasonOf(await signToken(ec, claims()), { audience: 'none' }), 'claim aud')
  })

  it('tolerates clocks that are a minute apart, and no more', async () => {
    const now = Math.floor(clock.now() / 1000)
    assert.equal(await reasonOf(await signToken(ec, claims({ exp: now - 59, nbf: now - 100 }))), 'accepted')
    assert.equal(await reasonOf(await signToken(ec, claims({ exp: now - 60 }))), 'expired')
    assert.equal(await reasonOf(await signToken(ec, claims({ nbf: now + 59 }))), 'accepted')
    assert.equal(await reasonOf(await signToken(ec, claims({ nbf: now + 61 }))), 'claim nbf')
    assert.equal(await reasonOf(await signToken(ec, claims({ iat: now + 61 }))), 'claim iat')
  })

  it('reads times with a fraction (RFC 7519 §2), exactly', async () => {
    await clock.advance(500)
    const now = clock.now() / 1000
    const accepts = async (more: JWTPayload): Promise<string> => reasonOf(await signToken(ec, claims(more)))
    assert.equal(await accepts({ iat: now - 10.25, nbf: now - 5.5, exp: now + 3600.5 }), 'accepted')
    assert.equal(await accepts({ exp: now - 59.75 }), 'accepted')
    assert.equal(await accepts({ exp: now - 60.25 }), 'expired')
    assert.equal(await accepts({ nbf: now + 59.75 }), 'accepted')
    assert.equal(await accepts({ nbf: now + 60.25 }), 'claim nbf')
    const verdict = await verify(await signToken(ec, claims({ exp: now + 100.5 })))
    assert.equal(verdict.kind === 'verified' && verdict.endsAt, Math.round((now + 160.5) * 1000))
  })

  it('knows the algorithm names of RFC 9864, and a key of the older name', async () => {
    const made = await createIssuerKey('ed', 'EdDSA')
    for (const alg of ['Ed25519', 'EdDSA', undefined]) {
      const jwk = { ...made.publicJwk, alg }
      const keysOfIt = createInlineKeys({ keys: [jwk] } as unknown as JsonValue, ISSUER)
      for (const algorithm of ['Ed25519', 'EdDSA'] as const) {
        const rules = {
          issuer: ISSUER,
          audience: [AUDIENCE],
          algorithms: [algorithm],
          requiredClaims: ['sub'],
          clockToleranceSeconds: 60,
        }
        const verifier = createTokenVerifier({ rules, keys: keysOfIt, clock })
        const token = await signToken({ ...made, algorithm }, claims())
        assert.equal((await verifier.verify(token)).kind, 'verified', `${alg} ${algorithm}`)
        const other = algorithm === 'EdDSA' ? ('Ed25519' as const) : ('EdDSA' as const)
        const crossed = await verifier.verify(await signToken({ ...made, algorithm: other }, claims()))
        assert.deepEqual(crossed, { kind: 'refused', reason: 'algorithm' })
      }
    }
  })

  it('is not fooled by the public key as a shared secret', async () => {
    const encoder = new TextEncoder()
    const spki = await crypto.subtle.exportKey(
      'spki',
      await crypto.subtle.importKey(
        'jwk',
        rsa.publicJwk as JsonWebKey,
        { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
        true,
        ['verify'],
      ),
    )
    const pem = `-----BEGIN PUBLIC KEY-----\n${btoa(String.fromCharCode(...new Uint8Array(spki)))}\n-----END PUBLIC KEY-----`
    for (const secret of [
      encoder.encode(pem),
      new Uint8Array(spki),
      encoder.encode(JSON.stringify(rsa.publicJwk)),
    ]) {
      const header = JSON.stringify({ alg: 'HS256', kid: 'rsa' })
      const token = await signRawShared(secret, header, JSON.stringify(claims()))
      assert.equal(await reasonOf(token), 'algorithm')
      // Even where somebody allows the algorithm, these keys do not serve it.
      assert.equal(await reasonOf(token, { algorithms: ['HS256', 'RS256'] }), 'unknown key')
    }
  })

  it('refuses a signature by another key, of another algorithm, and none', async () => {
    assert.equal(await reasonOf(await signToken(other, claims())), 'signature')
    const crossed = await signRaw(rsa, JSON.stringify({ alg: 'ES256', kid: 'ec' }), JSON.stringify(claims()))
    assert.equal(await reasonOf(crossed), 'signature')
    const right = await signToken(ec, claims())
    const [head = '', , signature = ''] = right.split('.')
    const forged = `${head}.${base64Url(JSON.stringify(claims({ sub: 'admin' })))}.${signature}`
    assert.equal(await reasonOf(forged), 'signature')
    for (const cut of [
      right.slice(0, right.lastIndexOf('.')),
      `${right.slice(0, right.lastIndexOf('.'))}.`,
    ]) {
      assert.equal(await reasonOf(cut), 'malformed')
    }
  })

  it('refuses payloads with two readings, and ID tokens, however well signed', async () => {
    const text = JSON.stringify(claims())
    assert.equal(await reasonOf(await signedText(`${text.slice(0, -1)},"sub":"admin"}`)), 'malformed')
    assert.equal(await reasonOf(await signedText(JSON.stringify(claims({ at_hash: 'x' })))), 'malformed')
    assert.equal(
      await reasonOf(await signedText(text, { alg: 'ES256', kid: 'ec', crit: ['exp'] })),
      'malformed',
    )
    assert.equal(await reasonOf(await signedText(text)), 'accepted')
  })

  it('verifies shared secrets, the old one too while it is replaced', async () => {
    const rules = { algorithms: ['HS256'] as const }
    const next = `${SHARED_SECRET}-next`
    const secrets = createSecretKeys([createSecret(next), createSecret(SHARED_SECRET)])
    for (const secret of [next, SHARED_SECRET]) {
      assert.equal(await reasonOf(await signShared(claims(), secret), rules, secrets), 'accepted')
    }
    assert.equal(await reasonOf(await signShared(claims(), `${next}-x`), rules, secrets), 'signature')
    assert.equal(await reasonOf(await signToken(ec, claims()), RULES, secrets), 'unknown key')
  })

  it('asks nobody for the keys of a token that is for somebody else', async () => {
    let asked = 0
    const counting: KeySource = {
      find: () => {
        asked++
        return Promise.resolve([])
      },
      version: () => 0,
    }
    await reasonOf(await signToken(ec, claims({ iss: 'https://evil.test' })), {}, counting)
    await reasonOf(await signToken(ec, claims({ exp: 1 })), {}, counting)
    assert.equal(asked, 0)
    await reasonOf(await signToken(ec, claims()), {}, counting)
    assert.equal(asked, 1)
  })
})
