/**
 * Makes shapes of coordinates.
 *
 * @module
 */

import type { Fail, Pairs } from './coordinates.ts'
import { refuseCrossings } from './crossing.ts'
import { locate } from './locate.ts'
import { extent, FULL_TURN, layRing, move, POLE, poleOf, type Ring, snap } from './ring.ts'
import { type Area, EDGE, type Shape } from './shape.ts'

/** How {@link toArea} proceeds. */
export interface AreaOptions {
  readonly fail: Fail
  /** Whether rings that cross are refused. What was stored has been checked already. */
  readonly isChecked: boolean
}

/** @throws {AvisoError} by `fail`, for a ring of the polygons that cannot be used. */
export function toAreaShape(polygons: readonly (readonly Pairs[])[], options: AreaOptions): Shape {
  const areas: Area[] = []
  let hasNorthPole = false
  let hasSouthPole = false
  for (const rings of polygons) {
    const { area, northern, southern } = toArea(rings, options)
    areas.push(area)
    hasNorthPole ||= northern
    hasSouthPole ||= southern
  }
  return { areas, points: undefined, hasNorthPole, hasSouthPole }
}

/** The shape of points. Several may be at one place. */
export function toPointShape(pairs: Pairs): Shape {
  const places = Array.from({ length: pairs.length / 2 }, (_, index) => ({
    x: snap(pairs[index * 2 + 1] ?? 0),
    y: snap(pairs[index * 2] ?? 0),
  }))
  const sorted = startAfterGap(places.toSorted((a, b) => a.x - b.x))
  const xs = Float64Array.from(sorted, ({ x }) => x)
  const ys = Float64Array.from(sorted, ({ y }) => y)
  const { minX: minY, maxX: maxY } = extent(ys)
  const points = { xs, ys, minX: xs[0] ?? 0, maxX: xs.at(-1) ?? 0, minY, maxY }
  return { areas: [], points, hasNorthPole: maxY === POLE, hasSouthPole: minY === -POLE }
}

/** Points with x from -180 to 180, beginning behind the widest gap: points on both sides of the antimeridian get a small box. */
function startAfterGap(sorted: readonly { x: number; y: number }[]): readonly { x: number; y: number }[] {
  let start = 0
  let widest = (sorted[0]?.x ?? 0) + FULL_TURN - (sorted.at(-1)?.x ?? 0)
  for (let index = 1; index < sorted.length; index++) {
    const gap = (sorted[index]?.x ?? 0) - (sorted[index - 1]?.x ?? 0)
    if (gap <= widest) continue
    widest = gap
    start = index
  }
  return [...sorted.slice(start), ...sorted.slice(0, start).map(({ x, y }) => ({ x: x + FULL_TURN, y }))]
}

function toArea(
  polygon: readonly Pairs[],
  { fail, isChecked }: AreaOptions,
): { area: Area; northern: boolean; southern: boolean } {
  const rings = layRings(polygon, fail)
  if (isChecked) refuseCrossings(rings, fail)
  const poles: (0 | 1 | -1)[] = rings.map((ring) => (ring.turns === 0 ? 0 : poleOf(ring, fail)))
  const turnsNorth = poles.filter((pole) => pole === 1).length % 2 === 1
  const isSouthern = poles.filter((pole) => pole === -1).length % 2 === 1
  const area = joinRings(rings, turnsNorth, isSouthern)
  if (isChecked && rings.length > 1) refuseHolesOutside(rings, poles, fail)
  return {
    area,
    northern: turnsNorth || rings.some(({ ys }) => ys.includes(POLE)),
    southern: isSouthern || rings.some(({ ys }) => ys.includes(-POLE)),
  }
}

/** All rings on one plane: each hole where the polygon is. */
function layRings(polygon: readonly Pairs[], fail: Fail): readonly Ring[] {
  const [outer, ...holes] = polygon.map((pairs, index) =>
    layRing(pairs, polygon.length === 1 ? fail : (reason) => fail(`ring ${String(index)}: ${reason}`)),
  )
  if (outer === undefined) return []
  return [
    outer,
    ...holes.map((hole) => move(hole, FULL_TURN * Math.ceil((outer.minX - hole.minX) / FULL_TURN))),
  ]
}

function joinRings(rings: readonly Ring[], turnsNorth: boolean, isSouthern: boolean): Area {
  const seeds: number[] = []
  const ends: number[] = []
  let [minX, maxX] = [Infinity, -Infinity]
  let [minY, maxY] = [isSouthern ? -POLE : Infinity, turnsNorth ? POLE : -Infinity]
  for (const ring of rings) {
    const { xs, ys } = ring
    seeds.push(xs[0] ?? 0, ys[0] ?? 0)
    minX = Math.min(minX, ring.minX)
    maxX = Math.max(maxX, ring.maxX)
    for (let vertex = 1; vertex < xs.length; vertex++) {
      const y = ys[vertex] ?? 0
      minY = Math.min(minY, y)
      maxY = Math.max(maxY, y)
      ends.push(xs[vertex - 1] ?? 0, ys[vertex - 1] ?? 0, xs[vertex] ?? 0, y)
    }
  }
  return { minX, minY, maxX, maxY, ...sortEdges(ends), seeds: Float64Array.from(seeds), isSouthern }
}

/** @param ends Four numbers an edge. */
function sortEdges(ends: readonly number[]): Pick<Area, 'edges' | 'reach'> {
  const west = (edge: number): number => Math.min(ends[edge * EDGE] ?? 0, ends[edge * EDGE + 2] ?? 0)
  const order = Array.from({ length: ends.length / EDGE }, (_, edge) => edge).toSorted(
    (a, b) => west(a) - west(b),
  )
  const edges = new Float64Array(ends.length)
  const reach = new Float64Array(order.length)
  let east = -Infinity
  for (const [place, edge] of order.entries()) {
    for (let number = 0; number < EDGE; number++) {
      edges[place * EDGE + number] = ends[edge * EDGE + number] ?? 0
    }
    east = Math.max(east, ends[edge * EDGE] ?? 0, ends[edge * EDGE + 2] ?? 0)
    reach[place] = east
  }
  return { edges, reach }
}

/** Rings do not cross, so one vertex that is not on the outer ring tells where the whole hole is. */
function refuseHolesOutside(rings: readonly Ring[], poles: readonly number[], fail: Fail): void {
  const [outer] = rings
  if (outer === undefined) return
  const whole = joinRings([outer], poles[0] === 1, poles[0] === -1)
  for (const [index, { xs, ys }] of rings.entries()) {
    if (index === 0) continue
    for (const [vertex, x] of xs.entries()) {
      const place = locate(whole, x, ys[vertex] ?? 0)
      if (place > 0) break
      if (place < 0) {
        throw fail(
          `ring ${String(index)} is a hole outside the polygon; make it a polygon of a GeoJSON MultiPolygon`,
        )
      }
    }
  }
}
