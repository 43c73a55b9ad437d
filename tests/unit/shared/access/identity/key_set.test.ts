import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createInlineKeys, createSecretKeys, parseKeySet } from '#shared/access/identity/key_set.ts'
import type { JsonValue } from '#shared/json/strict_json.ts'
import { createSecretReader } from '#shared/secret.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createIssuerKey } from '../../../../support/tokens.ts'

const asJson = (value: unknown): JsonValue => value as JsonValue

describe('parseKeySet()', () => {
  it('finds a key by its id and algorithm, and imports it once', async () => {
    const [ec, rsa] = await Promise.all([createIssuerKey('a'), createIssuerKey('a', 'RS256')])
    const keys = parseKeySet(asJson({ keys: [ec.publicJwk, rsa.publicJwk] }))
    const [first] = (await keys?.find({ algorithm: 'ES256', keyId: 'a' })) ?? []
    const [again] = (await keys?.find({ algorithm: 'ES256', keyId: 'a' })) ?? []
    assert.ok(first instanceof CryptoKey)
    assert.equal(first, again)
    assert.equal(first.algorithm.name, 'ECDSA')
    for (const hint of [
      { algorithm: 'ES384', keyId: 'a' },
      { algorithm: 'PS256', keyId: 'a' },
      { algorithm: 'HS256', keyId: 'a' },
      { algorithm: 'ES256', keyId: 'b' },
      { algorithm: 'ES256', keyId: undefined },
    ] as const) {
      assert.deepEqual(await keys?.find(hint), [], JSON.stringify(hint))
    }
  })

  it('gives a token without key id a key without one, and chooses between two of a name for nobody', async () => {
    const [one, two] = await Promise.all([createIssuerKey('a'), createIssuerKey('a')])
    const { kid: _kid, ...nameless } = one.publicJwk
    const alone = parseKeySet(asJson({ keys: [nameless, two.publicJwk] }))
    assert.equal((await alone?.find({ algorithm: 'ES256', keyId: undefined }))?.length, 1)
    const both = parseKeySet(asJson({ keys: [one.publicJwk, two.publicJwk] }))
    assert.deepEqual(await both?.find({ algorithm: 'ES256', keyId: 'a' }), [])
  })

  it('leaves out keys that are not for verifying signatures', async () => {
    const { publicJwk } = await createIssuerKey('a')
    const unusable = [
      { kty: 'oct', k: 'AAAA', kid: 'a', alg: 'HS256' },
      { ...publicJwk, use: 'enc' },
      { ...publicJwk, key_ops: ['sign'] },
      { ...publicJwk, d: 'AAAA' },
      { ...publicJwk, kid: 7 },
      { ...publicJwk, kty: 'ec' },
      null,
      'key',
    ]
    assert.equal(parseKeySet(asJson({ keys: unusable })), undefined)
    const { x: _x, ...incomplete } = publicJwk
    const broken = parseKeySet(asJson({ keys: [incomplete] }))
    assert.deepEqual(await broken?.find({ algorithm: 'ES256', keyId: 'a' }), [])
    const good = parseKeySet(asJson({ keys: [{ ...publicJwk, key_ops: ['verify'] }] }))
    assert.equal((await good?.find({ algorithm: 'ES256', keyId: 'a' }))?.length, 1)
  })

  it('refuses what is no key set, an empty one, and one of too many keys', async () => {
    const { publicJwk } = await createIssuerKey('a')
    const many = Array.from({ length: 101 }, (_, index) => ({ ...publicJwk, kid: String(index) }))
    for (const document of [undefined, null, [], {}, { keys: {} }, { keys: [] }, { keys: many }]) {
      assert.equal(parseKeySet(asJson(document)), undefined)
    }
    assert.notEqual(parseKeySet(asJson({ keys: many.slice(1) })), undefined)
  })
})

describe('createInlineKeys()', () => {
  it('names the issuer whose keys are wrong', () => {
    assert.throws(() => createInlineKeys({ keys: [] }, 'https://issuer.test'), {
      code: 'ERR_CONFIG',
      message: /issuer\.test/,
    })
  })
})

describe('createSecretKeys()', () => {
  it('follows secrets that are replaced, and says that what was verified has to be verified again', async () => {
    const environment = { NEW: 'new', OLD: 'old' }
    const readSecret = createSecretReader(environment)
    const keys = createSecretKeys([readSecret('NEW'), readSecret('OLD')])
    const find = (algorithm: 'HS256' | 'RS256'): Promise<readonly unknown[]> =>
      keys.find({ algorithm, keyId: undefined })
    const before = keys.version()
    assert.equal(keys.version(), before)
    assert.deepEqual(await find('HS256'), [toBytes('new'), toBytes('old')])
    Object.assign(environment, { NEW: 'newer', OLD: 'new' })
    assert.ok(keys.version() > before)
    assert.deepEqual(await find('HS256'), [toBytes('newer'), toBytes('new')])
    assert.deepEqual(await find('RS256'), [])
  })
})
