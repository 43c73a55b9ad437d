import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createSecret, createSecretReader, requireLength } from '#shared/identity/secret.ts'
import { CANARY } from '../../../support/tokens.ts'

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
        message: /variable A$/,
      })
    }
  })
})

describe('requireLength()', () => {
  it('refuses a secret that could be guessed, without showing it', () => {
    assert.equal(requireLength(createSecret('x'.repeat(32)), 32, 'tests').reveal().length, 32)
    assert.throws(
      () => requireLength(createSecret(`${CANARY}`), 32, 'tests'),
      (error: unknown) => {
        return (
          error instanceof Error &&
          /tests must have at least 32 bytes/.test(error.message) &&
          !error.message.includes(CANARY)
        )
      },
    )
  })
})
