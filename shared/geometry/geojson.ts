/**
 * GeoJSON (RFC 7946): geometry objects. Positions are `[lon,lat]`, and each ring repeats its first position at the end.
 *
 * @module
 */

import type { JsonRecord } from '#shared/json/record.ts'
import { type Fail, type Pairs, quote, readPosition, toJsonNumber } from './coordinates.ts'

/**
 * Reads a Polygon or a MultiPolygon.
 *
 * @returns the rings of each polygon; the first ring is the outer one, the others are holes.
 * @throws {AvisoError} by `fail`, for another type or shape, and for more points than `maxPoints`.
 */
export function readPolygons(
  value: JsonRecord,
  fail: Fail,
  maxPoints: number,
): readonly (readonly Pairs[])[] {
  const isMulti = value['type'] === 'MultiPolygon'
  const coordinates = readPositions(value, ['Polygon', 'MultiPolygon'], fail)
  const polygons = isMulti ? asList(coordinates, 'polygons', fail) : [coordinates]
  let points = 0
  return polygons.map((polygon, number) => {
    const failHere: Fail = isMulti ? (reason) => fail(`polygon ${String(number)}: ${reason}`) : fail
    return asList(polygon, 'rings', failHere).map((ring, index) => {
      const positions = asList(ring, 'positions', failHere)
      points += positions.length
      if (points > maxPoints) {
        throw fail(`it contains more than ${String(maxPoints)} points; leave out points`)
      }
      const pairs = new Float64Array(positions.length * 2)
      for (const [at, position] of positions.entries()) {
        readPosition(position, pairs, at, (reason) =>
          failHere(`ring ${String(index)}, point ${String(at)}: ${reason}`),
        )
      }
      return pairs
    })
  })
}

/** @returns the member `coordinates` of a geometry object, after a check of its type. */
export function readPositions(value: JsonRecord, types: readonly string[], fail: Fail): unknown {
  const { type, crs, coordinates } = value
  if (typeof type !== 'string' || !types.includes(type)) {
    const given = typeof type === 'string' ? `the type ${quote(type)}` : 'no type'
    throw fail(`it is an object with ${given}; give a GeoJSON object of type ${types.join(' or ')}`)
  }
  if (crs !== undefined) throw fail('crs is not part of GeoJSON any more; give WGS 84 degrees without it')
  return coordinates
}

function asList(value: unknown, of: string, fail: Fail): readonly unknown[] {
  if (!Array.isArray(value) || value.length === 0) throw fail(`coordinates must have an array of ${of}`)
  return value
}

/** Canonical GeoJSON text of polygons, without heights and other members. */
export function polygonsToGeoJson(polygons: readonly (readonly Pairs[])[]): string {
  const [first = [], ...others] = polygons.map((rings) => `[${rings.map(ringText).join(',')}]`)
  return others.length === 0
    ? `{"type":"Polygon","coordinates":${String(first)}}`
    : `{"type":"MultiPolygon","coordinates":[${[first, ...others].join(',')}]}`
}

function ringText(pairs: Pairs): string {
  const positions: string[] = []
  for (let at = 0; at < pairs.length; at += 2) {
    positions.push(`[${toJsonNumber(pairs[at + 1] ?? 0)},${toJsonNumber(pairs[at] ?? 0)}]`)
  }
  return `[${positions.join(',')}]`
}
