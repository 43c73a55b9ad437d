/**
 * Rings: the closed line around a polygon or a hole, laid on a plane of longitude (x) and latitude (y).
 *
 * An edge is straight in longitude and latitude, as in 2.x. An edge that is written with more than 180° between its ends goes the short
 * way, across the antimeridian. So `170` to `-170` is 20° long.
 *
 * @module
 */

import type { Fail, Pairs } from './coordinates.ts'

export const FULL_TURN = 360
export const HALF_TURN = 180
export const POLE = 90

/**
 * All coordinates are multiples of 2^-42 degrees (25 nanometres on the ground). A double holds such a number exactly up to 2,048, so
 * adding 360 loses nothing, and no product in a predicate gets too small for a double.
 */
const GRID = 2 ** 42
/** A ring that is wider winds round the earth like a spiral. Twice this, and two turns of the comparisons, stay below 2,048. */
const MAX_WIDTH = 720

/** A ring on the plane. */
export interface Ring {
  /** Longitude of each vertex, going on beyond ±180. The last vertex is the first one again, 360 × `turns` further. */
  readonly xs: Float64Array
  /** Latitude of each vertex. */
  readonly ys: Float64Array
  /** 1 or -1 where the ring goes round a pole, to the east or west; otherwise 0. */
  readonly turns: number
  readonly minX: number
  readonly maxX: number
}

/** The nearest multiple of 2^-42. A negative zero becomes 0. */
export function snap(degrees: number): number {
  return Math.round(degrees * GRID) / GRID + 0
}

/**
 * Lays a closed ring on the plane.
 *
 * @param pairs The last pair equals the first one.
 * @throws {AvisoError} by `fail`, for a ring that goes round the earth more than once.
 */
export function layRing(pairs: Pairs, fail: Fail): Ring {
  const longitudes = new Float64Array(pairs.length / 2)
  const ys = new Float64Array(pairs.length / 2)
  for (let vertex = 0; vertex < ys.length; vertex++) {
    ys[vertex] = snap(pairs[vertex * 2] ?? 0)
    longitudes[vertex] = snap(pairs[vertex * 2 + 1] ?? 0)
  }
  const xs = unroll(longitudes)
  const turns = ((xs.at(-1) ?? 0) - (xs[0] ?? 0)) / FULL_TURN
  const { minX, maxX } = extent(xs)
  if (Math.abs(turns) > 1 || maxX - minX > MAX_WIDTH) {
    throw fail('it goes round the earth more than once; split it into parts (GeoJSON MultiPolygon)')
  }
  return move({ xs, ys, turns, minX, maxX }, -FULL_TURN * Math.floor((minX + HALF_TURN) / FULL_TURN))
}

/** The ring, `degrees` further east: a multiple of 360. */
export function move(ring: Ring, degrees: number): Ring {
  if (degrees === 0) return ring
  const { xs, minX, maxX } = ring
  return { ...ring, xs: xs.map((x) => x + degrees), minX: minX + degrees, maxX: maxX + degrees }
}

/** Smallest and largest of the numbers. */
export function extent(xs: Float64Array): { minX: number; maxX: number } {
  let minX = Infinity
  let maxX = -Infinity
  for (const x of xs) {
    if (x < minX) minX = x
    if (x > maxX) maxX = x
  }
  return { minX, maxX }
}

/** Longitudes that go on where the written ones jump. */
function unroll(longitudes: Float64Array): Float64Array {
  const isMapEdge = findMapEdges(longitudes)
  const xs = longitudes.slice()
  for (let vertex = 1; vertex < xs.length; vertex++) {
    let step = (longitudes[vertex] ?? 0) - (longitudes[vertex - 1] ?? 0)
    const isAsWritten = isMapEdge[vertex - 1] === 1 || isMapEdge[vertex] === 1
    if (Math.abs(step) > HALF_TURN && !isAsWritten) step -= FULL_TURN * Math.sign(step)
    xs[vertex] = (xs[vertex - 1] ?? 0) + step
  }
  return xs
}

/**
 * Finds the vertices at ±180 that stand for the edge of a world map, such as the western side of a box from -180 to 179.75. Its two
 * neighbours are both more than 180° away as written, although 180 in place of -180 would have been near. So the writer means the
 * long way. A ring that crosses the antimeridian at a vertex has one neighbour near and one far.
 *
 * @returns 1 for each such vertex, 0 for the others.
 */
function findMapEdges(longitudes: Float64Array): Uint8Array {
  const count = longitudes.length - 1
  const found = new Uint8Array(longitudes.length)
  const at = (vertex: number): number => longitudes[((vertex % count) + count) % count] ?? 0
  const first = Array.from({ length: count }, (_, vertex) => vertex).find(
    (vertex) => at(vertex) !== at(vertex - 1),
  )
  if (first === undefined) return found
  for (let start = first; start < first + count;) {
    let end = start
    while (at(end + 1) === at(start)) end++
    const isFar = (vertex: number): boolean => Math.abs(at(vertex) - at(start)) > HALF_TURN
    if (Math.abs(at(start)) === HALF_TURN && isFar(start - 1) && isFar(end + 1)) {
      for (let vertex = start; vertex <= end; vertex++) found[vertex % count] = 1
    }
    start = end + 1
  }
  found[count] = found[0] ?? 0
  return found
}

/**
 * The pole that a ring with a turn goes round: the one it touches, otherwise the nearer one.
 *
 * @returns 1 for the north pole, -1 for the south pole.
 * @throws {AvisoError} by `fail`, where the ring is as near to one as to the other.
 */
export function poleOf({ xs, ys }: Ring, fail: Fail): 1 | -1 {
  const touchesNorth = ys.includes(POLE)
  if (touchesNorth !== ys.includes(-POLE)) return touchesNorth ? 1 : -1
  let latitudes = 0
  for (let vertex = 1; vertex < xs.length; vertex++) {
    const width = (xs[vertex] ?? 0) - (xs[vertex - 1] ?? 0)
    latitudes += width * ((ys[vertex] ?? 0) + (ys[vertex - 1] ?? 0))
  }
  const sign = Math.sign(latitudes) * Math.sign((xs.at(-1) ?? 0) - (xs[0] ?? 0))
  if (sign === 0) {
    throw fail(
      'it goes round the earth, and either pole may be inside; add the pole as points, such as 90,180 and 90,-180',
    )
  }
  return sign > 0 ? 1 : -1
}
