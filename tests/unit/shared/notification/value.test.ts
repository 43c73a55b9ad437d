import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { isAvisoError } from '#shared/errors.ts'
import { decodePayload, encodePayload } from '#shared/notification/value.ts'
import { toText } from '#shared/bytes/bytes.ts'

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
  })

  it('refuses what has no JSON text', () => {
    const cycle: unknown[] = []
    cycle.push(cycle)
    for (const payload of [cycle, 1n, () => 1]) {
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
