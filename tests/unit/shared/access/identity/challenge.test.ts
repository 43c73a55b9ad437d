import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { formatChallenges, parseChallenges } from '#shared/access/identity/challenge.ts'

describe('formatChallenges()', () => {
  it('writes each scheme once, in the order given', () => {
    const bearer = { scheme: 'Bearer', realm: 'auth-o-tron' } as const
    const basic = { scheme: 'Basic', realm: 'auth-o-tron' } as const
    assert.equal(
      formatChallenges([bearer, basic, bearer]),
      'Bearer realm="auth-o-tron", Basic realm="auth-o-tron"',
    )
    assert.equal(formatChallenges([]), '')
  })

  it('says that a token was wrong in the scheme that has a word for it', () => {
    const challenges = [
      { scheme: 'Bearer', realm: 'a' },
      { scheme: 'EmailKey', realm: 'b', info: 'hint' },
    ] as const
    assert.equal(
      formatChallenges(challenges, true),
      'Bearer realm="a", error="invalid_token", EmailKey realm="b", info="hint"',
    )
  })
})

describe('parseChallenges()', () => {
  it('reads the challenge of auth-o-tron and of 1.0', () => {
    assert.deepEqual(parseChallenges('Bearer realm="ecmwf", Basic realm="localrealm"'), [
      { scheme: 'Bearer', realm: 'ecmwf' },
      { scheme: 'Basic', realm: 'localrealm' },
    ])
    assert.deepEqual(parseChallenges("EmailKey realm='ecmwf',info='Authenticate <email>:<key>'"), [
      { scheme: 'EmailKey', realm: 'ecmwf' },
    ])
  })

  it('lets nothing through that it has not understood', () => {
    const hostile = [
      null,
      '',
      'Bearer realm="a\\"b"',
      'Bearer realm="<script>"',
      'Evil realm="x"',
      'Bearer realm="é"',
      `Bearer realm="${'x'.repeat(65)}"`,
      `${' '.repeat(600)}Bearer realm="x"`,
    ]
    for (const header of hostile) assert.deepEqual(parseChallenges(header), [], String(header))
  })
})
