import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { meets } from '#shared/geometry/meets.ts'
import { parsePointCloud } from '#shared/geometry/parse.ts'
import type { Shape } from '#shared/geometry/shape.ts'
import { type Plane, planeHolds, planesMeet, toUnits } from './exact_oracle.ts'
import { box, point, polygon, ringPairs, type Spot, toPlane, wrap, written } from './geometry_support.ts'

/** A14 of the conformance cases. */
const BERLIN = '(52.5,13.4,52.6,13.5,52.5,13.6,52.4,13.5,52.5,13.4)'
const PACIFIC = box(0, 170, 10, -170)
const WORLD = box(-90, -180, 90, 180)
const ARCTIC = '(80,0,80,90,80,180,80,-90,80,0)'
const ANTARCTIC = '(-80,0,-80,90,-80,180,-80,-90,-80,0)'
/** The Pacific box with a hole just east of the antimeridian. */
const WITH_HOLE = {
  type: 'Polygon',
  coordinates: [
    [
      [170, 0],
      [-170, 0],
      [-170, 10],
      [170, 10],
      [170, 0],
    ],
    [
      [-179, 4],
      [-177, 4],
      [-177, 6],
      [-179, 6],
      [-179, 4],
    ],
  ],
}
const TWO_ISLANDS = {
  type: 'MultiPolygon',
  coordinates: [
    [
      [
        [0, 0],
        [1, 0],
        [1, 1],
        [0, 1],
        [0, 0],
      ],
    ],
    [
      [
        [50, 50],
        [51, 50],
        [51, 51],
        [50, 51],
        [50, 50],
      ],
    ],
  ],
}

function both(a: Shape, b: Shape): boolean {
  const result = meets(a, b)
  assert.equal(meets(b, a), result, 'the result does not depend on the order')
  return result
}

describe('meets()', () => {
  const points: [name: string, polygon: unknown, point: string, expected: boolean][] = [
    ['G3: a point inside', BERLIN, '52.55,13.5', true],
    ['G3: a point outside', '(10.0,10.0,10.2,10.0,10.2,10.2,10.0,10.2,10.0,10.0)', '52.55,13.5', false],
    ['G7: a point on an edge', box(0, 0, 10, 10), '5,10', true],
    ['G7: a point on a vertex', BERLIN, '52.5,13.4', true],
    ['G8: the point 0,0', BERLIN, '0,0', false],
    ['G13: a polygon across 180°, west of it', PACIFIC, '5,179', true],
    ['G13: east of it', PACIFIC, '5,-179', true],
    ['G13: on it, as 180', PACIFIC, '5,180', true],
    ['G13: on it, as -180', PACIFIC, '5,-180', true],
    ['G13: on the other side of the earth', PACIFIC, '5,0', false],
    ['G13: on its eastern edge', PACIFIC, '5,-170', true],
    ['a polygon with a vertex at 180', '0,170,0,180,0,-170,10,-170,10,180,10,170,0,170', '5,-175', true],
    ['the same, on the other side', '0,170,0,180,0,-170,10,-170,10,180,10,170,0,170', '5,0', false],
    ['the whole world', WORLD, '5,0', true],
    ['the whole world, at its seam', WORLD, '5,-180', true],
    ['a grid from -180 to 179.75', box(-90, -180, 90, 179.75), '5,0', true],
    ['the gap of that grid', box(-90, -180, 90, 179.75), '5,179.9', false],
    ['a box wider than half the earth, from -180', box(0, -180, 10, 90), '5,0', true],
    ['its complement', box(0, -180, 10, 90), '5,100', false],
    ['a cap round the north pole', ARCTIC, '85,45', true],
    ['the cap, at the seam of its line', ARCTIC, '81,0', true],
    ['the cap, on its line', ARCTIC, '80,45', true],
    ['the cap, south of it', ARCTIC, '79,45', false],
    ['the cap, at the pole', ARCTIC, '90,-123', true],
    ['the cap, at the other pole', ARCTIC, '-90,0', false],
    ['a cap round the south pole', ANTARCTIC, '-85,-100', true],
    ['the cap, north of it', ANTARCTIC, '-79,-100', false],
    ['a cap that is written with the pole', '70,-180,70,0,70,180,90,180,90,-180,70,-180', '75,13', true],
    ['a cap of more than half the earth', '-10,-180,-10,0,-10,180,90,180,90,-180,-10,-180', '0,77', true],
    ['the cap, south of it', '-10,-180,-10,0,-10,180,90,180,90,-180,-10,-180', '-20,77', false],
    ['a box at the pole, and the pole written with another longitude', box(80, 0, 90, 10), '90,-100', true],
    ['in a hole', WITH_HOLE, '5,-178', false],
    ['on the edge of a hole', WITH_HOLE, '5,-179', true],
    ['beside a hole', WITH_HOLE, '5,179', true],
    ['the second polygon of two', TWO_ISLANDS, '50.5,50.5', true],
    ['between two polygons', TWO_ISLANDS, '25,25', false],
  ]
  for (const [name, area, place, expected] of points) {
    it(`finds a point: ${name}`, () => assert.equal(both(polygon(area), point(place)), expected))
  }

  const polygons: [name: string, first: unknown, second: unknown, expected: boolean][] = [
    ['G6: only an edge in common', box(0, 0, 10, 10), box(0, 10, 10, 20), true],
    ['a part of an edge in common', box(0, 0, 10, 10), box(3, 10, 5, 20), true],
    ['only a vertex in common', box(0, 0, 10, 10), box(10, 10, 20, 20), true],
    ['a vertex on an edge', box(0, 0, 10, 10), '5,10,0,20,10,20,5,10', true],
    ['the smallest gap of the grid', box(0, 0, 10, 10), box(0, 10 + 2 ** -42, 10, 20), false],
    ['one inside the other', box(0, 0, 10, 10), box(4, 4, 5, 5), true],
    ['a cross without vertices inside', box(0, 4, 10, 5), box(4, 0, 5, 10), true],
    ['boxes that overlap around polygons that do not', '0,0,0,10,10,0,0,0', '10,1,10,10,1,10,10,1', false],
    ['across the antimeridian', PACIFIC, box(4, -178, 5, -177), true],
    ['two across the antimeridian', PACIFIC, box(4, 175, 20, -175), true],
    ['an edge at 180 and one at -180', box(0, 170, 10, 180), box(0, -180, 10, -170), true],
    ['the Pacific and Greenwich', PACIFIC, box(4, -1, 5, 1), false],
    ['inside a hole', WITH_HOLE, box(4.5, -178.5, 5.5, -177.5), false],
    ['exactly the hole', WITH_HOLE, box(4, -179, 6, -177), true],
    ['around a hole, inside the polygon', WITH_HOLE, box(3, 179, 7, -176), true],
    ['around everything', WITH_HOLE, box(-20, 150, 20, -150), true],
    ['the second polygon of two', TWO_ISLANDS, box(50.2, 50.2, 50.4, 50.4), true],
    ['between two polygons', TWO_ISLANDS, box(20, 20, 21, 21), false],
    ['around the second polygon of two', box(49, 49, 60, 60), TWO_ISLANDS, true],
    ['two at the north pole', box(80, 0, 90, 10), box(85, 170, 90, 175), true],
    ['two caps', ARCTIC, ANTARCTIC, false],
    ['a cap in a larger one', ARCTIC, '70,-180,70,0,70,180,90,180,90,-180,70,-180', true],
    ['a box in a cap', ARCTIC, box(82, 100, 84, 110), true],
    ['the world and a point of it', WORLD, box(4, 4, 4.5, 4.5), true],
    ['a polygon without an area on another', '5,5,5,5,5,5,5,5', box(0, 0, 10, 10), true],
    ['a polygon without an area beside another', '5,15,5,15,5,15,5,15', box(0, 0, 10, 10), false],
    ['a line of a polygon through another', '5,-5,5,15,5,-5,5,-5', box(0, 0, 10, 10), true],
  ]
  for (const [name, first, second, expected] of polygons) {
    it(`compares polygons: ${name}`, () => assert.equal(both(polygon(first), polygon(second)), expected))
  }

  const ring = {
    outer: [
      [0, 60],
      [120, 60],
      [-120, 60],
      [0, 60],
    ],
    hole: [
      [30, 80],
      [150, 80],
      [-90, 80],
      [30, 80],
    ],
  }
  it('leaves out the pole in a ring round it', () => {
    const belt = polygon({ type: 'Polygon', coordinates: [ring.outer, ring.hole] })
    assert.equal(both(belt, point('70,-100')), true)
    assert.equal(both(belt, point('85,30')), false, 'north of the hole, on the meridian of its first vertex')
    assert.equal(both(belt, point('90,0')), false)
    assert.equal(both(belt, polygon(box(82, 10, 84, 40))), false)
    assert.equal(both(belt, polygon(ARCTIC)), true, 'they touch along 80')
  })

  it('finds a cloud with one point on the boundary (G12), and one across the antimeridian', () => {
    const cloud = (value: unknown): Shape => parsePointCloud(value).shape
    assert.equal(
      both(
        cloud([
          [50, 50],
          [5, 10],
        ]),
        polygon(box(0, 0, 10, 10)),
      ),
      true,
    )
    assert.equal(
      both(
        cloud([
          [50, 50],
          [5, 10.5],
        ]),
        polygon(box(0, 0, 10, 10)),
      ),
      false,
    )
    assert.equal(
      both(
        cloud([
          [5, 179],
          [5, -179],
        ]),
        polygon(box(0, -179.5, 10, -178)),
      ),
      true,
    )
    assert.equal(
      both(
        cloud([
          [5, 179],
          [5, -179],
        ]),
        polygon(box(0, 0, 10, 10)),
      ),
      false,
    )
    assert.equal(
      both(
        cloud([
          [5, 179],
          [5, -180],
        ]),
        point('5,180'),
      ),
      true,
    )
    assert.equal(
      both(
        cloud([
          [5, 179],
          [5, -180],
        ]),
        point('5,-178'),
      ),
      false,
    )
    assert.equal(
      both(
        cloud([
          [1, 1],
          [90, 33],
        ]),
        point('90,-44'),
      ),
      true,
    )
    assert.equal(
      both(
        cloud([
          [1, 1],
          [90, 33],
        ]),
        polygon(ARCTIC),
      ),
      true,
    )
  })

  it('agrees with exact arithmetic on polygons, in both orders, wherever they are on the earth', () => {
    fc.assert(
      fc.property(ringPairs, fc.integer({ min: -720, max: 720 }), ({ first, second }, moved) => {
        const expected = planesMeet([toPlane(first)], [toPlane(second)])
        assert.equal(both(polygon(written(first)), polygon(written(second))), expected)
        // Moving both round the earth changes nothing. A move of whole degrees is exact for all steps of the lattice.
        const move = (ring: readonly Spot[]): Spot[] => ring.map(([x, y]) => [x + moved, y])
        assert.equal(both(polygon(written(move(first))), polygon(written(move(second)))), expected)
      }),
      { numRuns: 1500 },
    )
  })

  it('agrees with exact arithmetic on points, one by one and in a cloud', () => {
    fc.assert(
      fc.property(ringPairs, ({ first, second }) => {
        const plane = [toPlane(first)]
        const shape = polygon(written(first))
        const found = second.map(([x, y]) => {
          const expected = planeHolds(plane, [toUnits(x), toUnits(y)])
          assert.equal(both(shape, point([y, wrap(x)])), expected)
          return expected
        })
        const cloud = parsePointCloud(second.map(([x, y]) => [y, wrap(x)])).shape
        assert.equal(both(shape, cloud), found.includes(true))
      }),
      { numRuns: 800 },
    )
  })

  it('agrees with exact arithmetic on polygons with a hole', () => {
    const square = (x: number, y: number, size: number): Spot[] => [
      [x, y],
      [x + size, y],
      [x + size, y + size],
      [x, y + size],
    ]
    const closed = (spots: readonly Spot[]): number[][] =>
      written(spots).map(([latitude, x]) => [x, latitude])
    fc.assert(
      fc.property(ringPairs, fc.constantFrom(0, 1, 2), ({ first, second, step }, corner) => {
        const [[x, y] = [0, 0]] = first
        const outer = square(x - 3 * step, y - 3 * step, 6 * step)
        const hole = square(x - corner * step, y - 2 * step, 3 * step)
        fc.pre(Math.max(...[...outer, ...second].map(([, latitude]) => Math.abs(latitude))) < 90 && step < 16)
        const plane: Plane = [toPlane(outer), toPlane(hole)]
        const shape = polygon({ type: 'Polygon', coordinates: [closed(outer), closed(hole)] })
        assert.equal(both(shape, polygon(written(second))), planesMeet(plane, [toPlane(second)]))
      }),
      { numRuns: 500 },
    )
  })

  it('agrees with exact arithmetic on caps, which are drawn with the pole on the plane', () => {
    // Above the equator: a ring that runs along it is as near to one pole as to the other, and is refused.
    const line = fc.array(fc.integer({ min: -5, max: 4 }), { minLength: 4, maxLength: 8 })
    fc.assert(
      fc.property(
        line,
        fc.integer({ min: -180, max: 179 }),
        fc.boolean(),
        ringPairs,
        (rows, start, isSouth, { second }) => {
          const sign = isSouth ? -1 : 1
          const steps = rows.length
          const spots = rows.map((row, index): Spot => [
            start + Math.floor((index * 360) / steps),
            sign * (30 + row * 5),
          ])
          const [[x, y] = [0, 0]] = spots
          const plane: Plane = [toPlane([...spots, [x + 360, y], [x + 360, sign * 90], [x, sign * 90]])]
          const cap = polygon(written(spots))
          assert.equal(both(cap, polygon(written(second))), planesMeet(plane, [toPlane(second)]))
          for (const [longitude, latitude] of second) {
            const expected = planeHolds(plane, [toUnits(longitude), toUnits(latitude)])
            assert.equal(both(cap, point([latitude, wrap(longitude)])), expected)
          }
        },
      ),
      { numRuns: 400 },
    )
  })
})
