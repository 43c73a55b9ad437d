import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { geometryOf, placeCondition } from '#shared/notification/aviso2/geometry.ts'

const POLYGON = geometryOf(new Map([['polygon', { type: 'PolygonHandler' }]]))
const SQUARE = '[[0,0],[0,2],[2,2],[2,0],[0,0]]'

describe('placeCondition()', () => {
  assert.ok(POLYGON !== undefined)
  const condition = placeCondition(POLYGON, 'point', '1,1')
  assert.ok(condition.kind === 'test')

  it('tests one text after the other, whoever asks', () => {
    const other = placeCondition(POLYGON, 'point', '5,5')
    assert.ok(other.kind === 'test')
    for (const text of [SQUARE, '[[4,4],[4,6],[6,6],[6,4],[4,4]]', SQUARE]) {
      assert.equal(condition.test(text), text === SQUARE)
      assert.equal(other.test(text), text !== SQUARE)
    }
  })

  it('accepts no text that is no geometry', () => {
    for (const text of ['', 'x', '[[0,0]]', '{}', '[[0,0],[0,2],[2,2],[2,0]]']) {
      assert.equal(condition.test(text), false, text)
    }
  })
})
