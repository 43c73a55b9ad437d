/**
 * Fields that hold places on the globe: polygons and point clouds. This is where the room `shared/geometry` is plugged in.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'

import type { Field } from '../fields.ts'
import type { GeometryRule } from './field_rule.ts'

/**
 * Compiles a field that holds a geometry.
 *
 * @throws {AvisoError} `ERR_CONFIG`, because geometries cannot be read yet.
 */
export function createGeometryField(name: string, { type }: GeometryRule): Field {
  throw new AvisoError('ERR_CONFIG', `Field ${name} has the type ${type}, which this version cannot read yet`)
}
