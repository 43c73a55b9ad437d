import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readQuery, readSegment } from '#shared/http/query.ts'

describe('readQuery()', () => {
  it('reads percent-encoded UTF-8, and a plus as a space', () => {
    assert.deepEqual(
      [...readQuery('http://h/p?a=%C3%A9&b=x+y&b=%2B&c#f')],
      [
        ['a', 'é'],
        ['b', 'x y'],
        ['b', '+'],
        ['c', ''],
      ],
    )
    assert.equal(readQuery('http://h/p').size, 0)
  })

  it('never invents a character for bytes that are no UTF-8', () => {
    for (const wrong of ['%ff', '%', '%zz', '%C3', '%ED%A0%80'])
      assert.throws(() => readQuery(`http://h/p?ok=1&stream=${wrong}`), {
        code: 'ERR_BAD_REQUEST',
        message: /parameter "stream" is not/,
      })
    assert.throws(() => readQuery('http://h/p?%ff=1'), {
      message: 'The query parameter is not percent-encoded UTF-8',
    })
  })
})

describe('readSegment()', () => {
  it('reads percent-encoded UTF-8, and never invents a character', () => {
    assert.equal(readSegment('fl%69ght%C3%A9+', 'event type'), 'flighté+')
    for (const wrong of ['fl%ffight', '%', '%C3'])
      assert.throws(() => readSegment(wrong, 'event type'), {
        code: 'ERR_BAD_REQUEST',
        message: 'The event type in the path is not percent-encoded UTF-8',
      })
  })
})
