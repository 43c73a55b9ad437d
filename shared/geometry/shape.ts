/**
 * Shapes: what predicates and the index work on. A shape is a closed set, so its boundary belongs to it.
 *
 * @module
 */

/** A rectangle on the plane: x is longitude, from -180 and on beyond 180 where it crosses the antimeridian; y is latitude. */
export interface Box {
  readonly minX: number
  readonly minY: number
  readonly maxX: number
  readonly maxY: number
}

/** One polygon with its holes. A place belongs to it when it lies inside an odd number of its rings, or on one. */
export interface Area extends Box {
  /** x and y of both ends of each edge, four numbers an edge, sorted by the smaller x. */
  readonly edges: Float64Array
  /** For each edge, the largest x of it and all edges before it. So all edges that end west of a place are found at once. */
  readonly reach: Float64Array
  /** x and y of one vertex of each ring. */
  readonly seeds: Float64Array
  /** Whether an odd number of rings goes round the south pole. */
  readonly isSouthern: boolean
}

/** A set of points. */
export interface Points extends Box {
  /** x of each point, ascending. */
  readonly xs: Float64Array
  /** y of each point. */
  readonly ys: Float64Array
}

/** Polygons or points. Made once, never changed. */
export interface Shape {
  readonly areas: readonly Area[]
  readonly points: Points | undefined
  /** Whether the pole belongs to it. At the pole all longitudes are one place. */
  readonly hasNorthPole: boolean
  readonly hasSouthPole: boolean
}

/** How many numbers an edge has. */
export const EDGE = 4
