import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createGeometryIndex } from '#shared/geometry/geometry_index.ts'
import { meets } from '#shared/geometry/meets.ts'
import { parsePointCloud } from '#shared/geometry/parse.ts'
import type { Shape } from '#shared/geometry/shape.ts'
import { box, point, polygon, ringPairs, wrap, written } from './geometry_support.ts'

const CAP = '(80,0,80,90,80,180,80,-90,80,0)'

/** Polygons, points and clouds anywhere, caps and pairs of far islands. */
const shapes: fc.Arbitrary<Shape> = fc.oneof(
  ringPairs.map(({ first }) => polygon(written(first))),
  fc.constantFrom(CAP, box(-90, -180, 90, 180), box(-5, 170, 5, -170), box(80, 20, 90, 40)).map(polygon),
  fc
    .array(fc.tuple(fc.integer({ min: -90, max: 90 }), fc.integer({ min: -180, max: 180 })), {
      minLength: 1,
      maxLength: 80,
    })
    .map((pairs) => parsePointCloud(pairs).shape),
  fc.tuple(ringPairs, fc.integer({ min: -180, max: 180 })).map(([{ first }, x]) => {
    const ring = written(first).map(([latitude, longitude]) => [longitude, latitude])
    const square = [
      [x, 60],
      [x + 2, 60],
      [x + 2, 62],
      [x, 60],
    ].map(([longitude = 0, latitude = 0]) => [wrap(longitude), latitude])
    return polygon({ type: 'MultiPolygon', coordinates: [[ring], [square]] })
  }),
)

describe('createGeometryIndex()', () => {
  it('finds what a comparison with each shape finds, after additions and removals', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(shapes, fc.boolean()), { maxLength: 40 }),
        fc.array(shapes, { minLength: 1, maxLength: 5 }),
        (added, wanted) => {
          const index = createGeometryIndex<number>()
          const removals = added.map(([shape], id) => index.add(shape, id))
          const left = added.flatMap(([shape, isKept], id) => {
            if (!isKept) removals[id]?.()
            return isKept ? [{ shape, id }] : []
          })
          assert.equal(index.isEmpty(), left.length === 0)
          for (const shape of wanted) {
            const expected = left.filter((entry) => meets(entry.shape, shape)).map(({ id }) => id)
            assert.deepEqual(
              index.matches(shape).toSorted((a, b) => a - b),
              expected,
            )
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('finds shapes written on the other side of the antimeridian', () => {
    const index = createGeometryIndex<string>()
    index.add(polygon(box(0, 170, 10, -170)), 'pacific')
    index.add(polygon(box(0, 170, 10, 180)), 'west')
    index.add(polygon(box(0, -180, 10, -170)), 'east')
    index.add(point('5,-180'), 'line')
    assert.deepEqual(index.matches(point('5,180')).toSorted(), ['east', 'line', 'pacific', 'west'])
    assert.deepEqual(index.matches(polygon(box(4, -172, 5, -171))).toSorted(), ['east', 'pacific'])
    assert.deepEqual(index.matches(polygon(box(4, 172, 5, 173))).toSorted(), ['pacific', 'west'])
  })

  it('finds shapes that meet only at a pole', () => {
    const index = createGeometryIndex<string>()
    index.add(polygon(box(80, 0, 90, 10)), 'box')
    index.add(polygon(box(-90, 0, -80, 10)), 'south')
    assert.deepEqual(index.matches(polygon(box(85, 100, 90, 110))), ['box'])
    assert.deepEqual(index.matches(point('90,-77')), ['box'])
    assert.deepEqual(index.matches(point('-90,-77')), ['south'])
    assert.deepEqual(index.matches(point('89,-77')), [])
  })

  it('gives an id once for a shape of several parts, and once for each time it was added', () => {
    const index = createGeometryIndex<string>()
    const islands = polygon({
      type: 'MultiPolygon',
      coordinates: [
        [
          [
            [0, 0],
            [1, 0],
            [0, 1],
            [0, 0],
          ],
        ],
        [
          [
            [5, 5],
            [6, 5],
            [5, 6],
            [5, 5],
          ],
        ],
      ],
    })
    index.add(islands, 'islands')
    const removeAgain = index.add(islands, 'islands')
    const around = polygon(box(-10, -10, 20, 20))
    assert.deepEqual(index.matches(around), ['islands', 'islands'])
    removeAgain()
    removeAgain()
    assert.deepEqual(index.matches(around), ['islands'])
  })
})
