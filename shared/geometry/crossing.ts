/**
 * Rings that cross themselves or each other are refused. Rings may touch, and run along each other: that is how polygons without holes
 * spell a hole.
 *
 * @module
 */

import { orient2d } from 'robust-predicates'
import type { Fail } from './coordinates.ts'
import { FULL_TURN, type Ring } from './ring.ts'

/**
 * Most pairs of edges near each other that are compared: some 0.1 s of processor. Coastlines have about ten pairs an edge. Only lines
 * that fill an area like a hatch have more.
 */
const MAX_EDGE_PAIRS = 4_000_000

interface Vertex {
  readonly x: number
  readonly y: number
}

/** An edge, and where its line goes on. */
interface Edge {
  readonly from: Vertex
  readonly to: Vertex
  readonly after: Vertex
  readonly minX: number
  readonly maxX: number
  readonly minY: number
  readonly maxY: number
  /** Which ring of the polygon, and which of its points the edge starts at, from 0. */
  readonly ring: number
  readonly point: number
}

/** @throws {AvisoError} by `fail`, which names the edges, when rings cross. */
export function refuseCrossings(rings: readonly Ring[], fail: Fail): void {
  const edges = rings.flatMap(toEdges).toSorted((a, b) => a.minX - b.minX)
  let pairs = 0
  for (const [index, edge] of edges.entries()) {
    for (let other = index + 1; other < edges.length; other++) {
      const next = edges[other]
      // Edges are sorted by their western end.
      if (next === undefined || next.minX > edge.maxX) break
      if (next.minY > edge.maxY || next.maxY < edge.minY) continue
      if (++pairs > MAX_EDGE_PAIRS) throw fail('too many of its edges are close together; leave out points')
      if (cross(edge, next)) throw fail(describe(edge, next, rings.length > 1))
    }
  }
}

function describe(a: Edge, b: Edge, hasHoles: boolean): string {
  const [first, second] = [a, b].toSorted((one, two) => one.ring - two.ring || one.point - two.point)
  const name = ({ ring, point }: Edge): string =>
    `${hasHoles ? `of ring ${String(ring)} ` : ''}from point ${String(point)} to ${String(point + 1)}`
  return (
    `it crosses itself: the edge ${name(first ?? a)} crosses the edge ${name(second ?? b)}; ` +
    'put the points in order around it'
  )
}

/** Edges of a ring without those of no length. */
function toEdges({ xs, ys, turns }: Ring, ring: number): Edge[] {
  const vertices: { x: number; y: number; point: number }[] = []
  for (let point = 0; point < xs.length; point++) {
    const [x, y] = [xs[point] ?? 0, ys[point] ?? 0]
    const last = vertices.at(-1)
    if (last?.x !== x || last.y !== y) vertices.push({ x, y, point })
  }
  // The line goes on from the last vertex, which is the first one, a turn further.
  const shift = turns * FULL_TURN
  const second = vertices[1]
  return vertices.slice(1).flatMap((to, index) => {
    const from = vertices[index]
    const after = vertices[index + 2] ?? (second && { x: second.x + shift, y: second.y })
    if (from === undefined || after === undefined) return []
    const [minX, maxX] = from.x < to.x ? [from.x, to.x] : [to.x, from.x]
    const [minY, maxY] = from.y < to.y ? [from.y, to.y] : [to.y, from.y]
    return [{ from, to, after, minX, maxX, minY, maxY, ring, point: to.point - 1 }]
  })
}

/** Whether the lines cross on these edges: in the middle of both, or through the end of one. Touching is not crossing. */
function cross(a: Edge, b: Edge): boolean {
  const fromSide = side(b.from, b.to, a.from)
  const toSide = side(b.from, b.to, a.to)
  if (fromSide * toSide > 0) return false
  const otherFromSide = side(a.from, a.to, b.from)
  const otherToSide = side(a.from, a.to, b.to)
  if (otherFromSide * otherToSide > 0) return false
  if (fromSide * toSide < 0 && otherFromSide * otherToSide < 0) return true
  if (a.to.x === b.to.x && a.to.y === b.to.y) return crossAtVertex(a, b)
  if (toSide === 0 && isWithin(b, a.to)) return fromSide * side(b.from, b.to, a.after) < 0
  if (otherToSide === 0 && isWithin(a, b.to)) return otherFromSide * side(a.from, a.to, b.after) < 0
  return false
}

/** Whether a vertex on the edge's straight line is between its ends. */
function isWithin({ from, to, minX, maxX, minY, maxY }: Edge, { x, y }: Vertex): boolean {
  const isEnd = (x === from.x && y === from.y) || (x === to.x && y === to.y)
  return !isEnd && x >= minX && x <= maxX && y >= minY && y <= maxY
}

/** Both lines go through one vertex. They cross where the second comes from one side of the first and leaves to the other. */
function crossAtVertex(a: Edge, b: Edge): boolean {
  const vertex = a.to
  const arms = [a.from, a.after]
  // Lines that run along each other are not said to cross.
  if (arms.some((arm) => isSameWay(vertex, arm, b.from) || isSameWay(vertex, arm, b.after))) return false
  return isLeftOf(a, b.from) !== isLeftOf(a, b.after)
}

/** Whether a place is left of the bent line of an edge and the next one. */
function isLeftOf({ from, to, after }: Edge, place: Vertex): boolean {
  const turn = side(from, to, after)
  const leftOfFirst = side(from, to, place) > 0
  const leftOfSecond = side(to, after, place) > 0
  return turn >= 0 ? leftOfFirst && leftOfSecond : leftOfFirst || leftOfSecond
}

function isSameWay(vertex: Vertex, a: Vertex, b: Vertex): boolean {
  return (
    Math.sign(a.x - vertex.x) === Math.sign(b.x - vertex.x) &&
    Math.sign(a.y - vertex.y) === Math.sign(b.y - vertex.y) &&
    side(vertex, a, b) === 0
  )
}

/** @returns 1 where a place is left of the line from `a` to `b`, -1 right of it, 0 on it: exactly. */
function side(a: Vertex, b: Vertex, place: Vertex): number {
  return -Math.sign(orient2d(a.x, a.y, b.x, b.y, place.x, place.y))
}
