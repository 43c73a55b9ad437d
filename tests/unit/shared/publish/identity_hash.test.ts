import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createIdentityHash, HASH_WORDS, type IdentityHash } from '#shared/publish/identity_hash.ts'

function hashOf(hash: IdentityHash, text: string): readonly number[] {
  const words = new Uint32Array(HASH_WORDS)
  hash(text, words)
  return [...words]
}

const hash = createIdentityHash('a secret')

describe('createIdentityHash()', () => {
  it('is HalfSipHash-1-3', () => {
    // By another implementation, which gives the vectors of the reference for HalfSipHash-2-4.
    assert.deepEqual(hashOf(hash, '1:sid\0/a/b'), [0x84925ee0, 0x7884dd11, 0x66ae173d, 0xfd0fdea1])
  })

  it('tells texts apart that differ in one unit, in length, or in order', () => {
    const texts = [
      '',
      '\0',
      '\0\0',
      'a',
      'a\0',
      '\0a',
      'aa',
      'ab',
      'ba',
      'é',
      'e\u0301',
      '\u{1f600}',
      'abc',
      'abc\0',
    ]
    const hashes = new Set(texts.map((text) => hashOf(hash, text).join()))
    assert.equal(hashes.size, texts.length)
  })

  it('depends on the secret in each word', () => {
    const other = hashOf(createIdentityHash('another'), 'x')
    for (const [index, word] of hashOf(hash, 'x').entries()) assert.notEqual(word, other[index])
  })

  it('changes half of its bits with each bit of a text', () => {
    const text = 'bench-0000000001'
    const before = hashOf(hash, text)
    let changed = 0
    for (let index = 0; index < text.length; index++) {
      const unit = String.fromCharCode(text.charCodeAt(index) ^ 1)
      const after = hashOf(hash, text.slice(0, index) + unit + text.slice(index + 1))
      for (const [word, bits] of after.entries())
        changed += ((bits ^ (before[word] ?? 0)) >>> 0).toString(2).replaceAll('0', '').length
    }
    const share = changed / (text.length * HASH_WORDS * 32)
    assert.ok(share > 0.45 && share < 0.55, String(share))
  })

  it('has no two equal words among 20,000 names more often than chance', () => {
    const seen = Array.from({ length: HASH_WORDS }, () => new Set<number>())
    for (let index = 0; index < 20_000; index++)
      for (const [word, bits] of hashOf(hash, `provider-${index}`).entries()) seen[word]?.add(bits)
    // Of 20,000 random words of 32 bits, one of 20 has a pair in 20 such tries: more than two pairs are no chance.
    for (const words of seen) assert.ok(words.size >= 19_998, String(words.size))
  })
})
