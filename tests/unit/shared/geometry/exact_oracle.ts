/**
 * A slow oracle of the geometry: whole numbers of any size, no library, and none of the code under test. It works on polygons that are
 * drawn on an endless plane, so it need not understand how a polygon is written across the antimeridian.
 */

/** A place in units of 2^-42 degrees, on the endless plane. */
export type Place = readonly [x: bigint, y: bigint]
/** Rings of a polygon, each without its first place repeated at the end. */
export type Plane = readonly (readonly Place[])[]

const UNITS = 2n ** 42n
export const TURN = 360n * UNITS
/** Plane shapes of the tests are at most this many turns apart. */
const TURNS = [-3n, -2n, -1n, 0n, 1n, 2n, 3n]

/** Degrees that are a multiple of 2^-42, as a whole number. */
export function toUnits(degrees: number): bigint {
  const scaled = degrees * 2 ** 42
  if (!Number.isInteger(scaled)) throw new RangeError(`${String(degrees)} is not on the grid`)
  return BigInt(scaled)
}

function cross(a: Place, b: Place, c: Place): bigint {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

function isBetween(a: bigint, value: bigint, b: bigint): boolean {
  return a < b ? a <= value && value <= b : b <= value && value <= a
}

function isOnSegment(place: Place, a: Place, b: Place): boolean {
  return cross(a, b, place) === 0n && isBetween(a[0], place[0], b[0]) && isBetween(a[1], place[1], b[1])
}

/** Whether two segments have a place in common: the place is computed as fractions. */
function segmentsMeet(a: Place, b: Place, c: Place, d: Place): boolean {
  const along = [b[0] - a[0], b[1] - a[1]] as const
  const other = [d[0] - c[0], d[1] - c[1]] as const
  const denominator = along[0] * other[1] - along[1] * other[0]
  if (denominator === 0n) {
    return isOnSegment(a, c, d) || isOnSegment(b, c, d) || isOnSegment(c, a, b) || isOnSegment(d, a, b)
  }
  const gap = [c[0] - a[0], c[1] - a[1]] as const
  const onFirst = gap[0] * other[1] - gap[1] * other[0]
  const onSecond = gap[0] * along[1] - gap[1] * along[0]
  return isBetween(0n, onFirst, denominator) && isBetween(0n, onSecond, denominator)
}

function segments(plane: Plane): (readonly [Place, Place])[] {
  return plane.flatMap((ring) =>
    ring.map((place, index) => [place, ring[(index + 1) % ring.length] ?? place] as const),
  )
}

/** Whether a polygon without its endless copies holds a place. A ray goes east. */
function holds(plane: Plane, place: Place): boolean {
  let isInside = false
  for (const [a, b] of segments(plane)) {
    if (isOnSegment(place, a, b)) return true
    if (a[1] > place[1] === b[1] > place[1]) continue
    // x of the segment at the place's latitude, times the height of the segment.
    const height = b[1] - a[1]
    const at = a[0] * height + (place[1] - a[1]) * (b[0] - a[0])
    if (height > 0n ? at > place[0] * height : at < place[0] * height) isInside = !isInside
  }
  return isInside
}

export function shift(plane: Plane, by: bigint): Plane {
  return plane.map((ring) => ring.map(([x, y]) => [x + by, y] as const))
}

export function planesMeet(a: Plane, b: Plane): boolean {
  return TURNS.some((turn) => meetOnce(a, shift(b, turn * TURN)))
}

function meetOnce(a: Plane, b: Plane): boolean {
  return (
    segments(a).some(([p, q]) => segments(b).some(([r, s]) => segmentsMeet(p, q, r, s))) ||
    b.some((ring) => ring.some((place) => holds(a, place))) ||
    a.some((ring) => ring.some((place) => holds(b, place)))
  )
}

export function planeHolds(plane: Plane, [x, y]: Place): boolean {
  return TURNS.some((turn) => holds(plane, [x + turn * TURN, y]))
}

/** Whether two edges of one ring have a place in common besides the vertex between neighbours. */
export function touchesItself(ring: readonly Place[]): boolean {
  const edges = segments([ring])
  return edges.some(([a, b], index) =>
    edges.some(([c, d], other) => {
      if (other <= index) return false
      if (other === index + 1) return isOnSegment(d, a, b) || isOnSegment(a, c, d)
      if (index === 0 && other === edges.length - 1) return isOnSegment(c, a, b) || isOnSegment(b, c, d)
      return segmentsMeet(a, b, c, d)
    }),
  )
}

/** Whether two edges of one ring cross in the middle of both. */
export function crossesItself(ring: readonly Place[]): boolean {
  const edges = segments([ring])
  const opposite = (one: bigint, two: bigint): boolean => (one > 0n && two < 0n) || (one < 0n && two > 0n)
  return edges.some(([a, b], index) =>
    edges.some(
      ([c, d], other) =>
        other > index && opposite(cross(a, b, c), cross(a, b, d)) && opposite(cross(c, d, a), cross(c, d, b)),
    ),
  )
}
