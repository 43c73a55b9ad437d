import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'

import { decodeSegment, encodeSegment } from '#shared/notification/aviso2/key_text.ts'

describe('encodeSegment()', () => {
  it('leaves what can be read in keys, and encodes the rest', () => {
    const rows: readonly (readonly [value: string, text: string])[] = [
      ['1.45*foo>bar%baz', '1.45*foo>bar%25baz'],
      ['s3://a b/c', 's3:%2F%2Fa b%2Fc'],
      ['.', '%2E'],
      ['..', '%2E%2E'],
      ['...', '...'],
      ['\u0000\n\u007f\u0085', '%00%0A%7F%C2%85'],
      ['Köln Straße 気象 🌧', 'Köln Straße 気象 🌧'],
    ]
    for (const [value, text] of rows) {
      assert.equal(encodeSegment(value), text)
      assert.equal(decodeSegment(text), value)
    }
  })

  it('is read back, whatever the value, and never ends its segment', () => {
    const anyText = fc.string({ unit: 'binary', minLength: 1 }).filter((text) => text.isWellFormed())
    fc.assert(
      fc.property(anyText, (value) => {
        const text = encodeSegment(value)
        // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
        assert.doesNotMatch(text, /[/\u0000-\u001f\u007f-\u009f]|^\.\.?$/)
        assert.equal(decodeSegment(text), value)
      }),
    )
  })
})

describe('decodeSegment()', () => {
  it('reads nothing that encodeSegment() does not write: a value has one key', () => {
    for (const text of ['%', '%2', '%2G', 'abc%ZZ', '%41', '%2f', '%C3%A9', '%ff', '.', '..', 'a\nb']) {
      assert.equal(decodeSegment(text), undefined, text)
    }
  })
})
