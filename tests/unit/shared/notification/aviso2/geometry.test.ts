import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { geometryOf, placeCondition } from '#shared/notification/aviso2/geometry.ts'
import { satisfies } from '#shared/notification/match.ts'

const POLYGON = geometryOf(new Map([['polygon', { type: 'PolygonHandler' }]]))
const SQUARE = '[[0,0],[0,2],[2,2],[2,0],[0,0]]'

describe('placeCondition()', () => {
  assert.ok(POLYGON !== undefined)
  const condition = placeCondition(POLYGON, 'point', '1,1')
  const accepts = (asked: typeof condition, polygon: string): boolean =>
    satisfies([['polygon', asked]], { polygon })

  it('tests one text after the other, whoever asks', () => {
    const other = placeCondition(POLYGON, 'point', '5,5')
    for (const text of [SQUARE, '[[4,4],[4,6],[6,6],[6,4],[4,4]]', SQUARE]) {
      assert.equal(accepts(condition, text), text === SQUARE)
      assert.equal(accepts(other, text), text !== SQUARE)
    }
  })

  it('accepts no text that is no geometry', () => {
    for (const text of ['', 'x', '[[0,0]]', '{}', '[[0,0],[0,2],[2,2],[2,0]]']) {
      assert.equal(accepts(condition, text), false, text)
    }
  })
})
