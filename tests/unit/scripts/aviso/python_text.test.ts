import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pythonRepr } from '../../../../scripts/aviso/python_text.ts'

describe('pythonRepr()', () => {
  for (const [value, text] of [
    [{ a: [1, true, null], b: {} }, "{'a': [1, True, None], 'b': {}}"],
    ["it's", `"it's"`],
    [`"it's"`, `'"it\\'s"'`],
    ['a\\b\n\r\t\u0000\u0085', String.raw`'a\\b\n\r\t\x00\x85'`],
    ['é 日 😀', "'é 日 😀'"],
    ['a\u00a0b\u2028c', String.raw`'a\xa0b\u2028c'`],
    [12345678901234567890n, '12345678901234567890'],
  ] as const) {
    it(`writes ${text}`, () => assert.equal(pythonRepr(value), text))
  }
})
