/**
 * Fields that hold places on the globe: polygons and point clouds. **This is where the room `shared/geometry` is plugged in**, as
 * {@link GEOMETRIES}; everything else knows a geometry by its canonical text alone.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'

import type { Field } from '../fields.ts'
import { badFilter } from '../match.ts'
import type { FieldCondition } from '../notification.ts'
import type { FieldRule, GeometryRule } from './field_rule.ts'

/** Names that the geometry of an event type has. */
export const GEOMETRY_NAMES = { PolygonHandler: 'polygon', PointCloudHandler: 'point_cloud' } as const
/** What a listener asks for with a point instead of a polygon. */
export const LISTENERS_POINT = 'point'
const LISTENERS_POLYGON = 'polygon'

/** What is needed of the room that knows geometries. Every function throws an `AvisoError` for a value that is none. */
export interface GeometryRoom<Shape> {
  parsePolygon(value: unknown, field: { readonly field: string }): Geometry<Shape>
  parsePointCloud(
    value: unknown,
    field: { readonly field: string; readonly maxPoints?: number },
  ): Geometry<Shape>
  parsePoint(value: unknown, field: { readonly field: string }): Geometry<Shape>
  /** The shape of a canonical text. */
  readShape(kind: 'polygon' | 'point_cloud', text: string): Shape
  /** Whether two shapes have a place in common. */
  meets(a: Shape, b: Shape): boolean
}

/** A geometry that was read. */
interface Geometry<Shape> {
  /** Canonical text. */
  readonly text: string
  readonly shape: Shape
}

/** Geometries as schemas use them. */
export interface Geometries {
  /** The field of a rule. */
  field(name: string, rule: GeometryRule): Field
  /**
   * Whether notifications hold a place that a listener asks for: their canonical texts are tested.
   *
   * @param asked - `polygon` or `point`.
   * @throws {AvisoError} `ERR_BAD_REQUEST` (`details.field`).
   */
  condition(rule: GeometryRule, asked: string, value: unknown): FieldCondition
}

/** Makes geometries of the room that knows them. */
export function createGeometries<Shape>(room: GeometryRoom<Shape>): Geometries {
  return {
    field: (name, rule) => ({
      name,
      types: [rule.type],
      canonicalise(value) {
        try {
          if (rule.type === 'PolygonHandler') return room.parsePolygon(value, { field: name }).text
          const limit = rule.max_points ? { maxPoints: rule.max_points } : {}
          return room.parsePointCloud(value, { field: name, ...limit }).text
        } catch (error) {
          if (isAvisoError(error)) return { message: error.message }
          throw error
        }
      },
    }),
    condition: ({ type }, asked, value) => {
      const parse = asked === LISTENERS_POINT ? room.parsePoint : room.parsePolygon
      const { shape } = parse(value, { field: asked })
      const read = rememberingLast((text) => room.readShape(GEOMETRY_NAMES[type], text))
      return { kind: 'test', test: (text) => room.meets(read(text), shape) }
    },
  }
}

/** Reads a text once, as long as no other one comes in between. */
function rememberingLast<Shape>(read: (text: string) => Shape): (text: string) => Shape {
  let last: { readonly text: string; readonly shape: Shape } | undefined
  return (text) => {
    if (last?.text !== text) last = { text, shape: read(text) }
    return last.shape
  }
}

/** The geometries there are. Absent: schemas that have some are refused. */
export const GEOMETRIES: Geometries | undefined = undefined

/**
 * What a listener asks for besides the fields of an event type, in a request that has its geometry.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` where a listener asks for both.
 */
export function isPlaceAsked(name: string, request: object): boolean {
  if (name !== LISTENERS_POINT && name !== LISTENERS_POLYGON) return false
  if (LISTENERS_POINT in request && LISTENERS_POLYGON in request)
    throw badFilter(LISTENERS_POINT, "Fields 'polygon' and 'point' cannot be used together: give one of them")
  return true
}

/** The geometry of an event type, where it has one. */
export function geometryOf(
  rules: ReadonlyMap<string, FieldRule>,
): { readonly name: string; readonly rule: GeometryRule } | undefined {
  for (const [name, rule] of rules) {
    if (rule.type === 'PolygonHandler' || rule.type === 'PointCloudHandler') return { name, rule }
  }
  return undefined
}

/** A geometry's canonical text as events of 2.x carry it: JSON. Its text form is `(lat,lon,lat,lon,…)`, with or without parentheses. */
export function geometryJson(text: string): string {
  if (/^\s*[[{]/.test(text)) return text
  const numbers = text
    .replaceAll(/[()\s]/g, '')
    .split(',')
    .map(Number)
  const pairs: (readonly number[])[] = []
  for (let at = 0; at < numbers.length; at += 2) pairs.push(numbers.slice(at, at + 2))
  return JSON.stringify(pairs)
}
