/**
 * Reads polygons, points and point clouds in every form of 2.x, and in GeoJSON.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { isJsonRecord } from '#shared/json/record.ts'
import {
  type Fail,
  type Pairs,
  pairsToJson,
  quote,
  readPair,
  readPairsText,
  readPosition,
  toPlainNumber,
} from './coordinates.ts'
import { polygonsToGeoJson, readPolygons, readPositions } from './geojson.ts'
import type { Shape } from './shape.ts'
import { toAreaShape, toPointShape } from './to_shape.ts'

/** Most points of a cloud, and the default of `max_points`: the limit of 2.x. */
export const MAX_CLOUD_POINTS = 10_000
/** Most points of a polygon with its holes. 2.x names no number; no text of {@link MAX_TEXT_BYTES} holds many more. */
export const MAX_POLYGON_POINTS = 10_000
/**
 * Most bytes of a value, its whole numbers counted without `.0`: so 10,000 points of 2.x's largest cloud fit. 2.x names this limit for
 * clouds. Its JetStream refuses a polygon near that too, since both are headers.
 */
export const MAX_TEXT_BYTES = 60 * 1024
/** Three corners, and the first one again. */
const MIN_RING_POINTS = 4

/** A value of a field, understood. */
export interface Geometry {
  /** Canonical text: what is stored and compared. {@link readShape} reads it. */
  readonly text: string
  /** JSON text as events carry it: an array as in 2.x; GeoJSON where there are holes or several polygons. */
  readonly json: string
  readonly shape: Shape
}

/** Whose value it is, for errors. */
export interface GeometryField {
  /** Name of the field: errors begin with it. */
  readonly field: string
  /** Code of errors. `ERR_BAD_REQUEST` without one. */
  readonly code?: 'ERR_BAD_REQUEST' | 'ERR_INVALID_NOTIFICATION'
}

/** The kinds of geometry that are stored. */
export type GeometryKind = 'polygon' | 'point_cloud' | 'point'

/**
 * Reads a polygon: `(lat,lon,lat,lon,…)` with or without parentheses, `[[lat,lon],…]`, or a GeoJSON Polygon or MultiPolygon, whose
 * positions are `[lon,lat]`. The text form stays as it was typed.
 *
 * @throws {AvisoError} (`details.field`) that says what is wrong, where, and how to fix it.
 */
export function parsePolygon(value: unknown, field: GeometryField = { field: 'polygon' }): Geometry {
  const fail = failure(field, 'must be a valid polygon')
  const polygons = readPolygon(value, fail)
  const json = polygonsToJson(polygons)
  const text = typeof value === 'string' ? value : json
  if (typeof value !== 'string') refuseLongText(countBytes(json), fail)
  return { text, json, shape: toAreaShape(polygons, { fail, isChecked: true }) }
}

/**
 * Reads a point cloud: `[[lat,lon],…]`, or a GeoJSON MultiPoint. Order and repeated points stay.
 *
 * @param options.maxPoints From 1 to 10,000.
 * @throws {AvisoError} as {@link parsePolygon} does.
 */
export function parsePointCloud(
  value: unknown,
  { maxPoints = MAX_CLOUD_POINTS, ...field }: Partial<GeometryField> & { readonly maxPoints?: number } = {},
): Geometry {
  const named = { field: 'point_cloud', ...field }
  const pairs = readCloud(value, failure(named), maxPoints)
  const text = pairsToJson(pairs)
  const bytes = countBytes(text)
  if (bytes > MAX_TEXT_BYTES) {
    throw failure(named)(
      `point cloud canonical JSON is ${String(bytes)} bytes, maximum is ${String(MAX_TEXT_BYTES)} bytes; ` +
        'round the coordinates or split the cloud',
    )
  }
  return { text, json: text, shape: toPointShape(pairs) }
}

/**
 * Reads a point: `lat,lon` with or without parentheses, `[lat,lon]`, or a GeoJSON Point. Its canonical text is `lat,lon`.
 *
 * @throws {AvisoError} as {@link parsePolygon} does.
 */
export function parsePoint(value: unknown, field: GeometryField = { field: 'point' }): Geometry {
  const pairs = readPoint(value, failure(field, 'must be a valid point'))
  const text = Array.from(pairs, toPlainNumber).join(',')
  return { text, json: pairsToJson(pairs).slice(1, -1), shape: toPointShape(pairs) }
}

/**
 * The shape of a canonical text that was stored. Limits and crossings are not checked again.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` for a text that is none.
 */
export function readShape(kind: GeometryKind, text: string): Shape {
  const fail = failure({ field: kind }, 'has a stored text that cannot be read')
  switch (kind) {
    case 'point':
      return toPointShape(readPoint(text, fail))
    case 'point_cloud':
      return toPointShape(readCloud(parseJson(text, fail), fail, MAX_CLOUD_POINTS))
    case 'polygon': {
      const value = /^[[{]/.test(text) ? parseJson(text, fail) : text
      return toAreaShape(readPolygon(value, fail), { fail, isChecked: false })
    }
  }
}

function failure({ field, code = 'ERR_BAD_REQUEST' }: GeometryField, verdict = ''): Fail {
  const beginning = `field '${field}' ${verdict === '' ? '' : `${verdict}: `}`
  return (reason) => new AvisoError(code, beginning + reason, { details: { field } })
}

function parseJson(text: string, fail: Fail): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw fail(`${quote(text)} is not JSON`)
  }
}

/** Bytes of a JSON text, its whole numbers without `.0`. */
function countBytes(json: string): number {
  return json.replaceAll(/\.0(?=[,\]])/g, '').length
}

function refuseLongText(bytes: number, fail: Fail): void {
  if (bytes <= MAX_TEXT_BYTES) return
  throw fail(
    `its text is ${String(bytes)} bytes, maximum is ${String(MAX_TEXT_BYTES)} bytes; ` +
      'round the coordinates or leave out points',
  )
}

/** The rings of each polygon. */
type Polygons = readonly (readonly Pairs[])[]

function readPolygon(value: unknown, fail: Fail): Polygons {
  const polygons = readRings(value, fail)
  for (const rings of polygons) {
    for (const [ring, pairs] of rings.entries()) {
      checkRing(pairs, rings.length === 1 ? fail : (reason) => fail(`ring ${String(ring)}: ${reason}`))
    }
  }
  return polygons
}

function readRings(value: unknown, fail: Fail): Polygons {
  if (typeof value === 'string') return [[readPolygonText(value, fail)]]
  if (Array.isArray(value)) return [[readPairs(value, fail, MAX_POLYGON_POINTS)]]
  if (isJsonRecord(value)) return readPolygons(value, fail, MAX_POLYGON_POINTS)
  throw fail('give lat,lon,lat,lon,… as text, [[lat,lon],…], or a GeoJSON Polygon or MultiPolygon')
}

function polygonsToJson(polygons: Polygons): string {
  const [first, ...others] = polygons
  const [outer, ...holes] = first ?? []
  const isSimple = outer !== undefined && holes.length === 0 && others.length === 0
  return isSimple ? pairsToJson(outer) : polygonsToGeoJson(polygons)
}

function readPolygonText(value: string, fail: Fail): Pairs {
  const text = value.trim()
  if (text === '') throw fail('it is empty; give lat,lon,lat,lon,…')
  const isOpened = text.startsWith('(')
  if (isOpened !== text.endsWith(')')) {
    throw fail(
      isOpened ? "it has '(' but is missing the closing ')'" : "it has ')' but is missing the opening '('",
    )
  }
  const inner = isOpened ? text.slice(1, -1) : text
  if (/[()]/.test(inner)) throw fail('it may have one outer pair of parentheses, and none nested')
  if (inner.trim() === '') throw fail('it is empty between parentheses; give lat,lon,lat,lon,…')
  refuseManyPoints(inner, fail)
  refuseLongText(value.length, fail)
  return readPairsText(inner, fail)
}

/** Counts before anything is made of the text. */
function refuseManyPoints(text: string, fail: Fail): void {
  let values = 1
  for (let at = text.indexOf(','); at >= 0; at = text.indexOf(',', at + 1)) values++
  refuseCount(Math.ceil(values / 2), MAX_POLYGON_POINTS, fail)
}

function refuseCount(count: number, maximum: number, fail: Fail): void {
  if (count > maximum) {
    throw fail(`it contains ${String(count)} points, maximum is ${String(maximum)}; leave out points`)
  }
}

function readPairs(values: readonly unknown[], fail: Fail, maximum: number): Pairs {
  refuseCount(values.length, maximum, fail)
  const pairs = new Float64Array(values.length * 2)
  for (const [index, value] of values.entries()) {
    readPair(value, pairs, index, (reason) => fail(`point ${String(index)}: ${reason}`))
  }
  return pairs
}

function checkRing(pairs: Pairs, fail: Fail): void {
  const count = pairs.length / 2
  if (count < MIN_RING_POINTS) {
    throw fail(
      `polygon must have at least ${String(MIN_RING_POINTS)} coordinate pairs (3 corners, and the first one again), ` +
        `got ${String(count)}`,
    )
  }
  if (pairs[0] !== pairs.at(-2) || pairs[1] !== pairs.at(-1)) {
    throw fail(
      'polygon must be closed (first and last coordinates must be identical); repeat the first point at the end',
    )
  }
}

function readCloud(value: unknown, fail: Fail, maxPoints: number): Pairs {
  const isGeoJson = isJsonRecord(value)
  const points = isGeoJson ? readPositions(value, ['MultiPoint'], fail) : value
  if (!Array.isArray(points)) throw fail('must be a JSON array of [lat,lon] points, or a GeoJSON MultiPoint')
  if (points.length === 0) throw fail('point cloud must contain at least one point')
  if (points.length > maxPoints) {
    throw fail(
      `point cloud contains ${String(points.length)} points, maximum is ${String(maxPoints)}; split the cloud`,
    )
  }
  const pairs = new Float64Array(points.length * 2)
  const readOne = isGeoJson ? readPosition : readPair
  for (const [index, point] of (points as readonly unknown[]).entries()) {
    readOne(point, pairs, index, (reason) => fail(`point ${String(index)} is invalid: ${reason}`))
  }
  return pairs
}

function readPoint(value: unknown, fail: Fail): Pairs {
  if (typeof value === 'string') return readPointText(value, fail)
  const pairs = new Float64Array(2)
  if (Array.isArray(value)) readPair(value, pairs, 0, fail)
  else if (isJsonRecord(value)) readPosition(readPositions(value, ['Point'], fail), pairs, 0, fail)
  else throw fail('give lat,lon as text, [lat,lon], or a GeoJSON Point')
  return pairs
}

function readPointText(value: string, fail: Fail): Pairs {
  const text = value.trim()
  const inner = text.startsWith('(') && text.endsWith(')') ? text.slice(1, -1).trim() : text
  const count = inner === '' ? 0 : inner.split(',').length
  if (count !== 2) throw fail(`give exactly two values, lat,lon, got ${String(count)}`)
  return readPairsText(inner, (reason) => fail(reason.replace(/^point 0: /, '')))
}
