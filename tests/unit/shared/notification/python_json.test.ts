import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import fc from 'fast-check'

import { toPythonJson, toPythonJsonSorted } from '#shared/notification/python_json.ts'

describe('toPythonJson()', () => {
  // Expected texts are CPython 3.11's.
  it('writes as json.dumps does', () => {
    const value = {
      b: [1, null, true, false, []],
      a: { x: 'é😀"\\/\n\r\t\f\b\u0001\u007f' },
      n: 1.5,
      e: {},
      s: 1e-7,
      t: 1e22,
    }
    assert.equal(
      toPythonJson(value),
      '{"b": [1, null, true, false, []], "a": {"x": "\\u00e9\\ud83d\\ude00\\"\\\\/\\n\\r\\t\\f\\b\\u0001\\u007f"}, "n": 1.5, "e": {}, "s": 1e-07, "t": 1e+22}',
    )
    assert.equal(
      toPythonJson([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]),
      '[NaN, Infinity, -Infinity]',
    )
    assert.equal(
      toPythonJson({ revision: 12345678901234567890n, gone: undefined }),
      '{"revision": 12345678901234567890}',
    )
  })

  it('reads back as the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        assert.deepEqual(JSON.parse(toPythonJson(value)), JSON.parse(JSON.stringify(value)))
        assert.deepEqual(JSON.parse(toPythonJsonSorted(value, 4)), JSON.parse(JSON.stringify(value)))
      }),
    )
  })
})

describe('toPythonJsonSorted()', () => {
  it('indents and sorts by code point', () => {
    assert.equal(
      toPythonJsonSorted({ b: [1, { d: 1, c: {} }], a: [], '\u{1f600}': 1, '\uffee': 2 }, 4),
      [
        '{',
        '    "a": [],',
        '    "b": [',
        '        1,',
        '        {',
        '            "c": {},',
        '            "d": 1',
        '        }',
        '    ],',
        '    "\\uffee": 2,',
        '    "\\ud83d\\ude00": 1',
        '}',
      ].join('\n'),
    )
  })
})
