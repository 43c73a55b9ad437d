/**
 * Fields that hold places on the globe: polygons and point clouds. Their canonical text is JSON, as events carry it.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import { parsePoint, parsePointCloud, parsePolygon } from '#shared/geometry/parse.ts'

import type { Field } from '../fields.ts'
import { badFilter } from '../match.ts'
import type { PlaceCondition, StoredGeometry } from '../notification.ts'
import { isGeometry, type FieldRule, type GeometryRule } from './field_rule.ts'

/** Names that the geometry of an event type has. */
export const GEOMETRY_NAMES = { PolygonHandler: 'polygon', PointCloudHandler: 'point_cloud' } as const
/** What a listener asks for instead of a polygon. */
export const LISTENERS_POINT = 'point'
const LISTENERS_POLYGON = 'polygon'

/** The geometry of an event type. */
export interface EventGeometry {
  readonly field: Field
  readonly kind: StoredGeometry
}

/** Compiles the geometry of an event type, where it has one. */
export function geometryOf(rules: ReadonlyMap<string, FieldRule>): EventGeometry | undefined {
  for (const [name, rule] of rules) {
    if (isGeometry(rule)) return { field: createGeometryField(name, rule), kind: GEOMETRY_NAMES[rule.type] }
  }
  return undefined
}

function createGeometryField(name: string, rule: GeometryRule): Field {
  const read = (value: unknown): string => {
    if (rule.type === 'PolygonHandler') return parsePolygon(value, { field: name }).json
    return parsePointCloud(value, { field: name, ...(rule.max_points && { maxPoints: rule.max_points }) })
      .json
  }
  return {
    name,
    types: [rule.type],
    canonicalise(value) {
      try {
        return read(value)
      } catch (error) {
        if (isAvisoError(error)) return { message: error.message }
        throw error
      }
    },
  }
}

/**
 * Whether a member of a listener's request is the place that it asks for, and no field.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` where a listener asks for two.
 */
export function isPlaceAsked(name: string, request: object): boolean {
  if (name !== LISTENERS_POINT && name !== LISTENERS_POLYGON) return false
  if (LISTENERS_POINT in request && LISTENERS_POLYGON in request)
    throw badFilter(LISTENERS_POINT, "Fields 'polygon' and 'point' cannot be used together: give one of them")
  return true
}

/**
 * Accepts the geometries that have a place in common with what a listener asks for.
 *
 * @param asked - `polygon` or `point`.
 * @throws {AvisoError} `ERR_BAD_REQUEST` (`details.field`).
 */
export function placeCondition({ kind }: EventGeometry, asked: string, value: unknown): PlaceCondition {
  const parse = asked === LISTENERS_POINT ? parsePoint : parsePolygon
  const { shape, json } = parse(value, { field: asked })
  return { kind: 'meets', stored: kind, shape, text: json }
}
