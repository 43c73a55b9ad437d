import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createSecret, createSecretReader } from '#shared/secret.ts'
import { CANARY } from '../../support/tokens.ts'

describe('createSecret()', () => {
  it('reveals itself to whoever asks for it by name, and prints itself to nobody', async () => {
    const secret = createSecret(CANARY)
    assert.equal(secret.reveal(), CANARY)
    const inspect = await import('node:util').then((util) => util.inspect)
    const printed = [
      String(secret),
      `${secret as unknown as string}`,
      JSON.stringify({ secret }),
      inspect({ secret }, { depth: 9, showHidden: true }),
      Object.entries(secret).map(String).join(),
    ]
    for (const text of printed) assert.doesNotMatch(text, new RegExp(CANARY))
    assert.equal(String(secret), '[secret]')
  })
})

describe('createSecretReader()', () => {
  it('reads by name, without the newline that files end in', () => {
    assert.equal(createSecretReader({ A: 'value\n' })('A').reveal(), 'value')
  })

  it('names what is missing', () => {
    for (const environment of [{}, { A: '' }, { A: ' \n' }]) {
      assert.throws(() => createSecretReader(environment)('A'), {
        code: 'ERR_CONFIG',
        message: /variable A, or A_FILE /,
      })
    }
  })

  const rule = { purpose: 'tests', minBytes: 32 }

  it('refuses a secret that could be guessed, without showing it', () => {
    assert.equal(createSecretReader({ A: 'x'.repeat(32) })('A', rule).reveal().length, 32)
    assert.throws(
      () => createSecretReader({ A: CANARY })('A', rule),
      (error: unknown) => {
        return (
          error instanceof Error &&
          /tests must have at least 32 bytes/.test(error.message) &&
          !error.message.includes(CANARY)
        )
      },
    )
  })

  it('refuses a token that fits no header, without showing it', () => {
    assert.equal(createSecretReader({ A: 'a-token\n' })('A', 'token').reveal(), 'a-token')
    for (const wrong of ['a b', 'a\nb', 'ä', 'x'.repeat(4_097)]) {
      assert.throws(() => createSecretReader({ A: wrong })('A', 'token'), {
        code: 'ERR_CONFIG',
        message: 'The token in the environment variable A must be ASCII without spaces',
      })
    }
  })

  it('reveals what is there now, and goes on with the last good one', () => {
    const environment: Record<string, string | undefined> = { A: 'a'.repeat(32) }
    const refused: string[] = []
    const secret = createSecretReader(environment, ({ message }) => refused.push(message))('A', rule)
    environment['A'] = 'b'.repeat(32)
    assert.equal(secret.reveal(), 'b'.repeat(32))
    for (const wrong of ['short', '', undefined]) {
      environment['A'] = wrong
      assert.equal(secret.reveal(), 'b'.repeat(32))
      assert.equal(secret.reveal(), 'b'.repeat(32))
    }
    assert.equal(refused.length, 3, 'each is told once')
    environment['A'] = 'c'.repeat(32)
    assert.equal(secret.reveal(), 'c'.repeat(32))
  })
})
