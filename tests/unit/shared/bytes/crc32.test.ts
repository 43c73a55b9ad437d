import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { crc32 as native } from 'node:zlib'
import { toBytes } from '#shared/bytes/bytes.ts'
import { crc32 } from '#shared/bytes/crc32.ts'

describe('crc32()', () => {
  it('is the check value of the standard', () => {
    assert.equal(crc32(toBytes('123456789')), 0xcbf43926)
    assert.equal(crc32(new Uint8Array(0)), 0)
  })

  it('is what the runtime computes, in one piece or several', () => {
    const bytes = Uint8Array.from({ length: 1_000 }, (_, index) => (index * 197) % 256)
    assert.equal(crc32(bytes), native(bytes))
    assert.equal(crc32(bytes.subarray(300), crc32(bytes.subarray(0, 300))), native(bytes))
  })
})
