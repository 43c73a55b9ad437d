import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parsePolygon } from '#shared/geometry/parse.ts'
import { crossesItself, touchesItself } from './exact_oracle.ts'
import { refusal, ringOf, type Spot, toPlane, written } from './geometry_support.ts'

describe('refuseCrossings()', () => {
  const lines: [name: string, value: string, crosses: boolean][] = [
    ['a bow tie', '0,0,10,10,0,10,10,0,0,0', true],
    ['a bow tie across the antimeridian', '0,175,10,-175,0,-175,10,175,0,175', true],
    ['a bow tie whose knot is a vertex', '0,0,5,5,10,10,0,10,5,5,10,0,0,0', true],
    ['a line through a vertex of it', '0,0,0,10,10,10,5,5,-5,5,5,0,0,0', true],
    ['an edge through a vertex', '0,0,10,0,10,4,-1,4,-1,6,10,6,10,10,0,10,0,0', true],
    ['a knot whose first line turns right', '0,0,5,5,0,10,10,10,9,5,5,5,-9,3,-9,-9,0,0', true],
    ['two triangles that touch at a vertex', '0,0,5,5,0,10,10,10,5,5,10,0,0,0', false],
    ['a vertex that touches an edge', '0,0,10,0,10,4,0,5,10,6,10,10,0,10,0,0', false],
    ['a hole that a bridge joins', '0,0,10,0,10,10,0,10,0,0,3,3,3,6,6,6,6,3,3,3,0,0', false],
    ['a spike', '0,0,10,0,10,10,5,10,5,20,5,10,0,10,0,0', false],
    ['points repeated', '0,0,0,0,10,0,10,0,10,10,0,10,0,10,0,0', false],
    ['one place', '5,5,5,5,5,5,5,5', false],
    ['a straight line there and back', '0,0,5,5,10,10,5,5,0,0', false],
    ['a cap with the pole', '70,-180,70,0,70,180,90,180,90,-180,70,-180', false],
  ]
  for (const [name, value, crosses] of lines) {
    it(`${crosses ? 'refuses' : 'accepts'} ${name}`, () => {
      const message = refusal(() => parsePolygon(value))?.message ?? 'accepted'
      assert.match(
        message,
        crosses ? /it crosses itself: the edge from point \d+ to \d+ crosses the edge/ : /^accepted$/,
      )
    })
  }

  it('names the edges', () => {
    const message = refusal(() => parsePolygon('0,0,10,10,0,10,10,0,0,0'))?.message ?? ''
    assert.match(
      message,
      /the edge from point 0 to 1 crosses the edge from point 2 to 3; put the points in order/,
    )
  })

  it('agrees with exact arithmetic: what crosses is refused, and what does not touch itself is accepted', () => {
    fc.assert(
      fc.property(ringOf(), fc.integer({ min: -180, max: 180 }), (ring, x) => {
        const spots = ring.map(([column, row]): Spot => [x + column, row - 2])
        const isRefused = refusal(() => parsePolygon(written(spots))) !== undefined
        if (crossesItself(toPlane(spots))) assert.ok(isRefused)
        else if (!touchesItself(toPlane(spots))) assert.ok(!isRefused)
      }),
      { numRuns: 2000 },
    )
  })

  it('does not depend on where the line begins, nor on its direction', () => {
    // Few places, so that the line comes to some of them again, and runs along itself.
    const spot = fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 }))
    const line = fc.array(spot, { minLength: 3, maxLength: 9 })
    fc.assert(
      fc.property(line, fc.nat(8), (ring, start) => {
        const turned = [...ring.slice(start % ring.length), ...ring.slice(0, start % ring.length)]
        const isRefused = (spots: readonly Spot[]): boolean =>
          refusal(() => parsePolygon(written(spots))) !== undefined
        const expected = isRefused(ring)
        assert.equal(isRefused(turned), expected)
        assert.equal(isRefused(ring.toReversed()), expected)
      }),
      { numRuns: 3000 },
    )
  })

  it('refuses a hatch whose edges all lie close together, before it compares them all', () => {
    const hatch = Array.from({ length: 3400 }, (_, index): [number, number] => {
      const [far, step] = [index % 2 === 0 ? 0 : 40, index / 1000]
      return [Number((far + step).toFixed(3)), Number((far - step).toFixed(3))]
    })
    const message = refusal(() => parsePolygon([...hatch, [60, 60], [60, -60], [0, -60], [0, 0]]))?.message
    assert.match(message ?? 'accepted', /too many of its edges are close together; leave out points/)
  })
})
