import assert from 'node:assert/strict'
import { before, beforeEach, describe, it } from 'node:test'

import { toIdentity, type ClaimNames } from '#shared/access/identity/claims.ts'
import { createCounters, type Counters } from '#shared/access/identity/counters.ts'
import type { IdentityProvider, Verdict } from '#shared/access/identity/identity.ts'
import { createJwtProvider } from '#shared/access/identity/jwt.ts'
import { createInlineKeys, type KeySource } from '#shared/access/identity/key_set.ts'
import type { JsonValue } from '#shared/json/strict_json.ts'
import {
  AUDIENCE,
  claimsOf,
  createIssuerKey,
  ISSUER,
  signToken,
  type IssuerKey,
} from '../../../../support/tokens.ts'
import { createManualClock, type ManualClock } from '../../../../support/clock.ts'
import { credentialOf } from './support.ts'

const NAMES: ClaimNames = {
  username: 'sub',
  roles: 'realm_access.roles',
  realm: 'realm',
  fixedRealm: 'openid',
}

describe('createJwtProvider()', () => {
  let key: IssuerKey
  let clock: ManualClock
  let counters: Counters
  let version: number
  let lookups: number
  let provider: IdentityProvider

  before(async () => {
    key = await createIssuerKey('k')
  })
  beforeEach(() => {
    clock = createManualClock()
    counters = createCounters()
    version = 0
    lookups = 0
    const inline = createInlineKeys({ keys: [key.publicJwk] } as unknown as JsonValue, ISSUER)
    const keys: KeySource = {
      find: (hint) => {
        lookups++
        return inline.find(hint)
      },
      version: () => version,
    }
    const rules = {
      issuer: ISSUER,
      audience: [AUDIENCE],
      algorithms: ['ES256'] as const,
      requiredClaims: ['sub'],
      clockToleranceSeconds: 60,
    }
    const parts = { name: 'openid', challengeRealm: 'aviso', rules, keys, names: NAMES }
    provider = createJwtProvider({ ...parts, clock, count: counters.count })
  })

  const present = async (token: string): Promise<Verdict> =>
    provider.identify(credentialOf(`Bearer ${token}`))
  const tokenOf = (more = {}): Promise<string> => signToken(key, claimsOf('joe', clock.now(), more))

  it('says who sends a right token, with roles and the end of the token', async () => {
    const verdict = await present(await tokenOf({ realm_access: { roles: ['reader', 7, 'writer'] } }))
    assert.equal(verdict.kind, 'identified')
    if (verdict.kind !== 'identified') return
    const { provider: name, realm, username, roles, endsAt } = verdict.identity
    assert.deepEqual(
      { name, realm, username, roles },
      {
        name: 'openid',
        realm: 'openid',
        username: 'joe',
        roles: ['reader', 'writer'],
      },
    )
    assert.equal(endsAt, (Math.floor(clock.now() / 1000) + 3660) * 1000)
    assert.equal(verdict.validUntil, clock.monotonic() + 600_000)
  })

  it('verifies a token once, and then answers at once with the same identity', async () => {
    const token = await tokenOf()
    const first = await present(token)
    const again = provider.identify(credentialOf(`Bearer ${token}`))
    assert.ok(!(again instanceof Promise))
    assert.ok(first.kind === 'identified' && again.kind === 'identified' && first.identity === again.identity)
    assert.equal(lookups, 1)
  })

  it('verifies again when the keys of the issuer have changed, and after ten minutes', async () => {
    const token = await tokenOf()
    await present(token)
    version++
    await present(token)
    assert.equal(lookups, 2)
    await clock.advance(600_000)
    await present(token)
    assert.equal(lookups, 3)
  })

  it('lets no verdict outlive its token', async () => {
    const token = await tokenOf({ exp: Math.floor(clock.now() / 1000) + 10 })
    const verdict = await present(token)
    assert.ok(verdict.kind === 'identified')
    const { validUntil, identity } = verdict
    assert.equal(validUntil - clock.monotonic(), (identity.endsAt ?? 0) - clock.now())
    await clock.advance(69_000)
    assert.equal((await present(token)).kind, 'identified')
    await clock.advance(2000)
    assert.deepEqual(await present(token), { kind: 'refused', reason: 'expired', final: true })
  })

  it('takes a token for ended when the date says so, however lately it was verified', async () => {
    const token = await tokenOf()
    await present(token)
    clock.jump(2 * 3_600_000)
    assert.deepEqual(await present(token), { kind: 'refused', reason: 'expired', final: true })
    clock.jump(-2 * 3_600_000)
    assert.equal((await present(token)).kind, 'identified')
  })

  it('keeps a verdict no longer where the date is set back', async () => {
    const token = await tokenOf()
    await present(token)
    clock.jump(-50_000)
    await clock.advance(600_000)
    await present(token)
    assert.equal(lookups, 2)
  })

  it('keeps no wrong token, and shows it to no other provider', async () => {
    const token = `${(await tokenOf()).slice(0, -4)}AAAA`
    for (let attempt = 0; attempt < 2; attempt++) {
      assert.deepEqual(await present(token), { kind: 'refused', reason: 'signature', final: true })
    }
    assert.equal(lookups, 2)
  })

  it('refuses a token whose claims name no user', async () => {
    for (const more of [
      { sub: 'admin\u202e' },
      { sub: ' ' },
      { sub: 'x'.repeat(321) },
      { sub: 7 },
      { realm: 7 },
    ]) {
      assert.equal((await present(await tokenOf(more as object))).kind, 'refused', JSON.stringify(more))
    }
  })

  it('leaves tokens of other issuers, opaque tokens and other forms to others', async () => {
    const foreign = await signToken(key, claimsOf('joe', clock.now(), { iss: 'https://other.test' }))
    const credentials = [
      `Bearer ${foreign}`,
      'Bearer opaque',
      `EmailKey joe@x.int:${await tokenOf()}`,
      `Basic ${btoa(`joe:${await tokenOf()}`)}`,
    ]
    for (const text of credentials) {
      assert.deepEqual(await provider.identify(credentialOf(text)), { kind: 'not_mine' }, text.slice(0, 20))
    }
    assert.equal(lookups, 0)
  })

  it('asks nothing where it is to answer from memory', async () => {
    const token = credentialOf(`Bearer ${await tokenOf()}`)
    assert.deepEqual(await provider.identify(token, { onlyRemembered: true }), { kind: 'not_mine' })
    await provider.identify(token)
    assert.equal((await provider.identify(token, { onlyRemembered: true })).kind, 'identified')
    assert.equal(lookups, 1)
  })
})

describe('toIdentity()', () => {
  it('reads claims inside objects, and lets a claim whose name has the dots win', () => {
    const names = { ...NAMES, username: 'a.b' }
    assert.equal(toIdentity({ a: { b: 'inner' } }, names, 'p')?.username, 'inner')
    assert.equal(toIdentity({ a: { b: 'inner' }, 'a.b': 'outer' }, names, 'p')?.username, 'outer')
    assert.equal(toIdentity({ a: 'text' }, names, 'p'), undefined)
    for (const name of ['__proto__', 'constructor', 'toString', 'constructor.name']) {
      assert.equal(toIdentity({}, { ...names, username: name }, 'p'), undefined, name)
    }
  })
})
