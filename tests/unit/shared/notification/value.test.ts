import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { isAvisoError } from '#shared/errors.ts'
import { decodePayload, encodePayload, payloadJson, storePayload } from '#shared/notification/value.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'

describe('encodePayload()', () => {
  it('stores None where there is no payload', () => {
    for (const payload of [undefined, null, '']) assert.equal(toText(encodePayload(payload)), 'None')
  })

  it('stores text as it is and other values as JSON', () => {
    assert.equal(toText(encodePayload('s3://x/é "quoted"')), 's3://x/é "quoted"')
    assert.equal(toText(encodePayload({ a: [1, null, true], é: 'x' })), '{"a":[1,null,true],"é":"x"}')
    assert.equal(toText(encodePayload(0)), '0')
    assert.equal(toText(encodePayload(false)), 'false')
    assert.equal(toText(encodePayload([])), '[]')
    assert.equal(toText(encodePayload(2n ** 60n)), '1152921504606846976')
  })

  it('refuses what has no JSON text', () => {
    const cycle: unknown[] = []
    cycle.push(cycle)
    for (const payload of [cycle, [1n], () => 1]) {
      assert.throws(
        () => encodePayload(payload),
        (error) => isAvisoError(error, 'ERR_INVALID_NOTIFICATION'),
      )
    }
  })
})

describe('decodePayload()', () => {
  it('reads None as no payload', () => {
    assert.equal(decodePayload(encodePayload(undefined)), undefined)
    assert.equal(decodePayload(encodePayload('x')), 'x')
    assert.equal(decodePayload(new Uint8Array()), '')
  })
})

/** JSON of a payload, what is stored for it, and the kind that is remembered. */
const KINDS: readonly (readonly [json: string, value: string, kind?: string])[] = [
  ['null', 'None'],
  ['""', 'None', 'empty'],
  ['"None"', 'None', 'text'],
  ['"null"', 'null'],
  ['" "', ' '],
  ['"s3://x/é"', 's3://x/é'],
  ['"5"', '5'],
  ['"true"', 'true'],
  ['"[broken"', '[broken'],
  ['"{\\"a\\":1}"', '{"a":1}', 'text'],
  ['" [1]"', ' [1]', 'text'],
  ['"\\"quoted\\""', '"quoted"'],
  ['"a\\nb"', 'a\nb'],
  ['5', '5', 'json'],
  ['0', '0', 'json'],
  ['-1.5', '-1.5', 'json'],
  ['1e+21', '1e+21', 'json'],
  ['1e-7', '1e-7', 'json'],
  ['true', 'true', 'json'],
  ['false', 'false', 'json'],
  ['{}', '{}'],
  ['{"a":[1,null,"x"]}', '{"a":[1,null,"x"]}'],
  ['[]', '[]'],
  ['[[1,2],{"b":""}]', '[[1,2],{"b":""}]'],
]

describe('payloadJson()', () => {
  for (const [json, value, kind] of KINDS) {
    it(`gives ${json} back, which 1.x reads as ${JSON.stringify(value)}`, () => {
      const stored = storePayload(JSON.parse(json))
      assert.deepEqual([toText(stored.value), stored.payloadKind], [value, kind])
      assert.equal(payloadJson(stored.value, stored.payloadKind), json)
    })
  }

  it('keeps JSON whole, whatever a value holds that is called JSON', () => {
    for (const value of ['x', '', '1,2', '01', 'NaN', '{', '1}', ' 1', 'None']) {
      assert.doesNotThrow(() => JSON.parse(payloadJson(toBytes(value), 'json')) as unknown, value)
    }
  })
})
