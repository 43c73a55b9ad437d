import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toText } from '#shared/bytes/bytes.ts'
import { inSlabs, toSlabBytes } from '#shared/bytes/slab.ts'

/** Texts of 0 to 3 bytes a unit, and one of more than a slab. */
const TEXTS = ['', 'a', 'é𝄞€', 'x'.repeat(700), '€'.repeat(1_000), 'y'.repeat(100_000), 'z']

describe('toSlabBytes()', () => {
  it('gives each text its own bytes, whatever comes after it', () => {
    const many = Array.from({ length: 200 }, (_, index) => TEXTS.map((text) => `${text}${index}`)).flat()
    assert.deepEqual(inSlabs(() => many.map(toSlabBytes)).map(toText), many)
  })

  it('shares memory within one work only, and little where there is little', () => {
    const buffersOf = (): ArrayBufferLike[] =>
      inSlabs(() => ['a', 'b'].map((text) => toSlabBytes(text).buffer))
    const [first, second] = [buffersOf(), buffersOf()]
    assert.equal(first[0], first[1])
    assert.notEqual(first[0], second[0])
    assert.ok((first[0]?.byteLength ?? 0) <= 2_048)
    assert.equal(toSlabBytes('alone').buffer.byteLength, 5)
  })

  it('ends with the work, also where that fails', () => {
    assert.throws(() => inSlabs(() => assert.fail('As the test says')))
    assert.equal(toSlabBytes('alone').buffer.byteLength, 5)
  })
})
