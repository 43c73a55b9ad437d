import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { isJsonRecord, parseJsonRecord } from '#shared/json/record.ts'

describe('isJsonRecord()', () => {
  it('tells objects from everything else', () => {
    assert.ok(isJsonRecord({}))
    assert.ok(isJsonRecord({ a: null }))
    for (const value of [null, undefined, [], [{}], 1, 1n, '', '{}', true])
      assert.equal(isJsonRecord(value), false)
  })
})

describe('parseJsonRecord()', () => {
  it('takes an object and nothing else', () => {
    assert.deepEqual(parseJsonRecord('{"a":1}'), { a: 1 })
    for (const text of ['', '[]', '1', 'null', '"x"', '{"a":', '<html>'])
      assert.equal(parseJsonRecord(text), undefined, text)
  })
})
