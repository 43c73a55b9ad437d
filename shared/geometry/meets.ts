/**
 * Whether two shapes meet: have a place in common. Touching counts.
 *
 * @module
 */

import { orient2d } from 'robust-predicates'
import { firstIndex } from '#shared/search.ts'
import { locate } from './locate.ts'
import { FULL_TURN } from './ring.ts'
import { type Area, type Box, EDGE, type Points, type Shape } from './shape.ts'

/** Whether two shapes have a place in common, exactly. Longitudes are compared round the earth, and each pole is one place. */
export function meets(a: Shape, b: Shape): boolean {
  if ((a.hasNorthPole && b.hasNorthPole) || (a.hasSouthPole && b.hasSouthPole)) return true
  const { points } = a
  const others = b.points
  if (points !== undefined && others !== undefined) return pointsMeet(points, others)
  if (points !== undefined) return b.areas.some((area) => areaHoldsPoint(area, points))
  if (others !== undefined) return a.areas.some((area) => areaHoldsPoint(area, others))
  return a.areas.some((area) => b.areas.some((other) => areasMeet(area, other)))
}

/** The first whole turn, from which on `b` moved east may overlap `a`. It does so while its western end is not beyond `a`. */
export function firstTurn(a: Box, b: Box): number {
  return Math.ceil((a.minX - b.maxX) / FULL_TURN) * FULL_TURN
}

function areasMeet(a: Area, b: Area): boolean {
  if (a.minY > b.maxY || b.minY > a.maxY) return false
  let shift = firstTurn(a, b)
  if (b.minX + shift > a.maxX) return false
  if (holdsSeed(a, b.seeds) || holdsSeed(b, a.seeds)) return true
  // If no edge meets another, each ring is wholly outside of the other area.
  for (; b.minX + shift <= a.maxX; shift += FULL_TURN) if (edgesMeet(a, b, shift)) return true
  return false
}

function holdsSeed(area: Area, seeds: Float64Array): boolean {
  for (let at = 0; at < seeds.length; at += 2) {
    if (locate(area, seeds[at] ?? 0, seeds[at + 1] ?? 0) >= 0) return true
  }
  return false
}

/**
 * Whether an edge of `a` meets one of `b`, moved east by `shift`. Both lists are sorted by the western end. The loops make no objects,
 * since this is where a notification spends its time.
 */
function edgesMeet(a: Area, b: Area, shift: number): boolean {
  let first = 0
  for (let at = 0; at < a.edges.length; at += EDGE) {
    const x1 = (a.edges[at] ?? 0) - shift
    const x2 = (a.edges[at + 2] ?? 0) - shift
    const west = x1 < x2 ? x1 : x2
    if (west > b.maxX) return false
    const east = x1 < x2 ? x2 : x1
    if (east < b.minX) continue
    const y1 = a.edges[at + 1] ?? 0
    const y2 = a.edges[at + 3] ?? 0
    const south = y1 < y2 ? y1 : y2
    const north = y1 < y2 ? y2 : y1
    if (north < b.minY || south > b.maxY) continue
    // Later edges of `a` begin further east, so edges of `b` that are left behind stay behind.
    while ((b.reach[first] ?? Infinity) < west) first++
    for (let other = first * EDGE; other < b.edges.length; other += EDGE) {
      const x3 = b.edges[other] ?? 0
      const x4 = b.edges[other + 2] ?? 0
      if (x3 > east && x4 > east) break
      if (x3 < west && x4 < west) continue
      const y3 = b.edges[other + 1] ?? 0
      const y4 = b.edges[other + 3] ?? 0
      if ((y3 > north && y4 > north) || (y3 < south && y4 < south)) continue
      // Each edge has its ends on both sides of the other's line, or on it. The boxes overlap, so that also decides edges on one line.
      if (isOneSide(orient2d(x3, y3, x4, y4, x1, y1), orient2d(x3, y3, x4, y4, x2, y2))) continue
      if (!isOneSide(orient2d(x1, y1, x2, y2, x3, y3), orient2d(x1, y1, x2, y2, x4, y4))) return true
    }
  }
  return false
}

function isOneSide(first: number, second: number): boolean {
  return (first > 0 && second > 0) || (first < 0 && second < 0)
}

function areaHoldsPoint(area: Area, points: Points): boolean {
  const { xs, ys } = points
  for (let shift = firstTurn(area, points); points.minX + shift <= area.maxX; shift += FULL_TURN) {
    const start = firstIndex(xs, (x) => x + shift >= area.minX)
    for (let index = start; index < xs.length; index++) {
      const x = (xs[index] ?? 0) + shift
      if (x > area.maxX) break
      if (locate(area, x, ys[index] ?? 0) >= 0) return true
    }
  }
  return false
}

function pointsMeet(a: Points, b: Points): boolean {
  const [few, many] = a.xs.length < b.xs.length ? [a, b] : [b, a]
  for (let shift = firstTurn(many, few); few.minX + shift <= many.maxX; shift += FULL_TURN) {
    for (const [index, x] of few.xs.entries()) {
      const place = x + shift
      const y = few.ys[index]
      let other = firstIndex(many.xs, (candidate) => candidate >= place)
      for (; many.xs[other] === place; other++) if (many.ys[other] === y) return true
    }
  }
  return false
}
