import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { compareBytes, joinBytes, nextKey, toBytes } from '#shared/bytes/bytes.ts'

describe('joinBytes()', () => {
  it('joins any number of pieces, empty ones among them', () => {
    const pieces = (...texts: string[]): Uint8Array[] => texts.map(toBytes)
    assert.deepEqual(joinBytes([]), new Uint8Array(0))
    assert.deepEqual(joinBytes(pieces('')), new Uint8Array(0))
    assert.deepEqual(joinBytes(pieces('ab')), toBytes('ab'))
    assert.deepEqual(joinBytes(pieces('', 'a', '', 'bc', 'd', '')), toBytes('abcd'))
    assert.deepEqual(joinBytes(pieces('a', 'bc'), 3), toBytes('abc'))
  })

  it('takes the bytes of a view, not of what it looks at', () => {
    const all = toBytes('0123456789')
    assert.deepEqual(joinBytes([all.subarray(2, 4), all.subarray(8)]), toBytes('2389'))
  })

  it('makes new memory of its own size, of a single piece too', () => {
    const piece = toBytes('xab').subarray(1)
    const joined = joinBytes([piece])
    piece.fill(0)
    assert.deepEqual(joined, toBytes('ab'))
    assert.equal(joined.buffer.byteLength, 2)
  })
})

describe('nextKey()', () => {
  it('is behind a key, and before everything else behind it', () => {
    for (const key of [[], [0], [0, 0], [0x61], [0x61, 0xff], [0xff, 0xff]].map((one) =>
      Uint8Array.from(one),
    )) {
      const next = nextKey(key)
      assert.ok(compareBytes(key, next) < 0)
      for (const byte of [0, 1, 0xff]) {
        const longer = joinBytes([key, Uint8Array.of(byte)])
        assert.ok(compareBytes(next, longer) <= 0)
      }
    }
  })
})
