import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { IdentityProvider, Verdict } from '#shared/access/identity/identity.ts'
import { createSecret, createSecretReader } from '#shared/secret.ts'
import { createStaticTokens } from '#shared/access/identity/static_tokens.ts'
import { CANARY } from '../../../../support/tokens.ts'
import { createManualClock } from '../../../../support/clock.ts'
import { credentialOf } from './support.ts'

const TOKEN = `${CANARY}-provider-token`
const OTHER = `${CANARY}-another-token`

function create(...tokens: readonly string[]): IdentityProvider {
  return createStaticTokens({
    name: 'tokens',
    challengeRealm: 'aviso',
    tokens: tokens.map((token, index) => {
      return { username: `user${index}`, realm: 'local', roles: ['provider'], token: createSecret(token) }
    }),
    clock: createManualClock(),
  })
}

describe('createStaticTokens()', () => {
  const provider = create(TOKEN, OTHER)
  const present = async (authorization: string): Promise<Verdict> =>
    provider.identify(credentialOf(authorization))
  const nameOf = (verdict: Verdict): string =>
    verdict.kind === 'identified' ? verdict.identity.username : verdict.kind

  it('knows its tokens in every form', async () => {
    assert.equal(nameOf(await present(`Bearer ${TOKEN}`)), 'user0')
    assert.equal(nameOf(await present(`Bearer ${OTHER}`)), 'user1')
    assert.equal(nameOf(await present(`EmailKey someone@x.int:${OTHER}`)), 'user1')
    assert.equal(nameOf(await present(`Basic ${btoa(`user1:${OTHER}`)}`)), 'user1')
    assert.ok(!(provider.identify(credentialOf(`Bearer ${TOKEN}`)) instanceof Promise))
  })

  it('refuses a token of two users, and one that no request can send, without showing either', () => {
    for (const [tokens, expected] of [
      [[TOKEN, OTHER, TOKEN], 'The tokens of user0 and user2 are the same: give each user a token'],
      [
        [OTHER, `${TOKEN}\n${TOKEN}`],
        'The token of user1 has a line break or another control character, which no request can send',
      ],
    ] as const)
      assert.throws(() => create(...tokens), { code: 'ERR_CONFIG', message: expected })
  })

  it('leaves the rest to the next provider: other tokens, parts of its own, the token of another user', async () => {
    const others = [
      'Bearer unknown',
      `Bearer ${TOKEN.slice(0, -1)}`,
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.toLowerCase()}`,
      `Basic ${btoa(`user0:${OTHER}`)}`,
      `Basic ${btoa(`user0:`)}`,
    ]
    for (const other of others) assert.deepEqual(await present(other), { kind: 'not_mine' }, other)
  })

  it('takes a token that was replaced, and the old one no longer', () => {
    const environment = { A: TOKEN }
    const token = createSecretReader(environment)('A')
    const tokens = [{ username: 'user0', realm: 'local', roles: [], token }]
    const replaced = createStaticTokens({
      name: 'tokens',
      challengeRealm: 'aviso',
      tokens,
      clock: createManualClock(),
    })
    environment.A = OTHER
    const kinds = [TOKEN, OTHER].map((text) => replaced.identify(credentialOf(`Bearer ${text}`)))
    assert.deepEqual(
      kinds.map((verdict) => (verdict as Verdict).kind),
      ['not_mine', 'identified'],
    )
  })
})
