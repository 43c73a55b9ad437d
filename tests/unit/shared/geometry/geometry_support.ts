/** Polygons for tests: drawn on an endless plane of lattice points, and written as a sender writes them. */

import fc from 'fast-check'
import { isAvisoError } from '#shared/errors.ts'
import { parsePoint, parsePolygon } from '#shared/geometry/parse.ts'
import type { Shape } from '#shared/geometry/shape.ts'
import { type Place, toUnits, touchesItself } from './exact_oracle.ts'

/** x and y in degrees, on the endless plane. */
export type Spot = readonly [x: number, y: number]

export function polygon(value: unknown): Shape {
  return parsePolygon(value).shape
}

export function point(value: unknown): Shape {
  return parsePoint(value).shape
}

/** The box between two latitudes and two longitudes, in 2.x's text. */
export function box(south: number, west: number, north: number, east: number): string {
  return [south, west, north, west, north, east, south, east, south, west].join(',')
}

/** The message of a refusal, and its field; undefined where the value is accepted. */
export function refusal(
  work: () => unknown,
): { message: string; field: unknown; status: number } | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (!isAvisoError(error)) throw error
    return { message: error.message, field: error.details.field, status: error.status }
  }
}

/** Longitude as a sender writes it: from -180 to 180. */
export function wrap(x: number): number {
  return x - 360 * Math.floor((x + 180) / 360)
}

/**
 * A ring as a sender writes it: `[lat,lon]`, the first one repeated. A vertex on the antimeridian is written as 180 where its line goes
 * on to the west, otherwise as -180.
 */
export function written(ring: readonly Spot[]): [number, number][] {
  const pairs = ring.map(([x, y], index): [number, number] => {
    const longitude = wrap(x)
    const later = [...ring.slice(index), ...ring].find(([other]) => other !== x)
    return [y, longitude === -180 && later !== undefined && later[0] < x ? 180 : longitude]
  })
  const [first] = pairs
  return first === undefined ? pairs : [...pairs, first]
}

export function toPlane(ring: readonly Spot[]): Place[] {
  return ring.map(([x, y]) => [toUnits(x), toUnits(y)])
}

/** Steps between lattice points: from 2^-40 degrees (tiny) to 16 degrees (a polygon of half the earth). */
const STEPS = [2 ** -40, 2 ** -20, 1 / 8, 1, 4, 16]
/** Lattice points are few, so vertices and edges of two polygons often coincide. */
const LATTICE = 5

/** Two rings on one lattice anywhere on the earth, which do not touch themselves and reach no pole. */
export const ringPairs = fc
  .record({
    step: fc.constantFrom(...STEPS),
    x: fc.constantFrom(-180, -179.5, -170, -8, 0, 13.25, 90, 172, 179.75, 180),
    first: ringOf(),
    second: ringOf(),
    /** Where the second lattice lies, in steps. */
    offset: fc.tuple(fc.integer({ min: -4, max: 4 }), fc.integer({ min: -2, max: 2 })),
  })
  .map(({ step, x, first, second, offset: [east, north] }) => {
    const place = (ring: readonly Spot[], dx: number, dy: number): Spot[] =>
      ring.map(([column, row]) => [x + step * (column + dx), step * (row - 2 + dy)])
    return { first: place(first, 0, 0), second: place(second, east, north), step }
  })
  .filter(({ first, second }) => !touchesItself(toPlane(first)) && !touchesItself(toPlane(second)))

/** Any closed line through a few lattice points; most cross themselves. */
export function ringOf(): fc.Arbitrary<Spot[]> {
  const spot = fc.tuple(fc.integer({ min: 0, max: LATTICE - 1 }), fc.integer({ min: 0, max: LATTICE - 1 }))
  return fc.uniqueArray(spot, { minLength: 3, maxLength: 7, selector: ([x, y]) => x * LATTICE + y })
}
