import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { readCompactToken } from '#shared/access/identity/compact_token.ts'
import { base64Url } from '../../../../support/tokens.ts'

const SIGNATURE = base64Url(new Uint8Array(64).fill(7))

function compact(header: string | object, payload: string | object = { iss: 'a' }): string {
  const text = (part: string | object): string => (typeof part === 'string' ? part : JSON.stringify(part))
  return `${base64Url(text(header))}.${base64Url(text(payload))}.${SIGNATURE}`
}

describe('readCompactToken()', () => {
  it('reads what a token says of itself', () => {
    assert.deepEqual(
      readCompactToken(compact({ alg: 'ES256', kid: 'k1', typ: 'at+jwt' }, { iss: 'a', sub: 'joe' })),
      {
        algorithm: 'ES256',
        keyId: 'k1',
        type: 'at+jwt',
        issuer: 'a',
        claims: { iss: 'a', sub: 'joe' },
      },
    )
  })

  it('takes one spelling of each token: no other last character, no newline, no padding', () => {
    const token = compact({ alg: 'ES256' })
    assert.notEqual(readCompactToken(token), undefined)
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    // The last character of 64 bytes carries two bits, so four of the 64 characters are the one spelling of something.
    const spellings = alphabet
      .split('')
      .filter((last) => readCompactToken(token.slice(0, -1) + last) !== undefined)
    assert.equal(spellings.length, 4)
    for (const other of [
      `${token}\n`,
      ` ${token}`,
      `${token}=`,
      `${token}==`,
      token.replace('.', '..'),
      `${token}.`,
      `${token}.a`,
    ]) {
      assert.equal(readCompactToken(other), undefined, other)
    }
    const urlSafe = base64Url(new Uint8Array([0xfb, 0xff]))
    assert.equal(readCompactToken(`${token.slice(0, token.lastIndexOf('.'))}.${urlSafe}`)?.algorithm, 'ES256')
    assert.equal(readCompactToken(`${token.slice(0, token.lastIndexOf('.'))}.+/8`), undefined)
  })

  it('refuses headers that bring keys along, point to them, or change the meaning of the rest', () => {
    const members = {
      jwk: { kty: 'oct' },
      jku: 'https://evil.test/keys',
      x5u: 'https://evil.test/cert',
      x5c: ['MII'],
      crit: ['exp'],
      b64: false,
      zip: 'DEF',
      enc: 'A256GCM',
    }
    for (const [name, value] of Object.entries(members)) {
      assert.equal(readCompactToken(compact({ alg: 'ES256', [name]: value })), undefined, name)
    }
    assert.equal(readCompactToken(compact({ alg: 'ES256', crit: [] })), undefined)
  })

  it('refuses key ids, types, algorithms and issuers that are no text, or too long', () => {
    const headers = [{}, { alg: 1 }, { alg: ['ES256'] }, { alg: 'ES256', kid: 1 }, { alg: 'ES256', kid: [] }]
    for (const header of [...headers, { alg: 'ES256', typ: {} }, { alg: 'ES256', kid: 'x'.repeat(257) }]) {
      assert.equal(readCompactToken(compact(header)), undefined, JSON.stringify(header).slice(0, 80))
    }
    for (const claims of [{ iss: 1 }, { iss: ['a'] }, { iss: null }, [], '"text"', 'null']) {
      assert.equal(readCompactToken(compact({ alg: 'ES256' }, claims)), undefined, JSON.stringify(claims))
    }
  })

  it('refuses JSON with two readings', () => {
    const texts = [
      '{"iss":"a","iss":"b"}',
      '{"iss":"a","sub":"x","\\u0073ub":"y"}',
      '{"iss":"a","__proto__":{"admin":true}}',
      '{"iss":"a"}{"iss":"b"}',
      '\ufeff{"iss":"a"}',
      '{"iss":"a",}',
      `{"iss":"a","x":${'['.repeat(20)}${']'.repeat(20)}}`,
    ]
    for (const text of texts) assert.equal(readCompactToken(compact({ alg: 'ES256' }, text)), undefined, text)
    assert.equal(readCompactToken(compact('{"alg":"none","alg":"ES256"}')), undefined)
  })

  it('refuses ID tokens', () => {
    for (const name of ['at_hash', 'c_hash', 's_hash']) {
      assert.equal(readCompactToken(compact({ alg: 'ES256' }, { iss: 'a', [name]: 'x' })), undefined, name)
    }
  })

  it('does not look at what is too long or has not three parts', () => {
    for (const text of [
      '',
      'a',
      'a.b',
      '..',
      'a.b.c.d.e',
      compact({ alg: 'ES256' }, { iss: 'x'.repeat(9000) }),
    ]) {
      assert.equal(readCompactToken(text), undefined)
    }
  })
})
