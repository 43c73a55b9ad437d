/**
 * Where a place lies: inside, outside or on the boundary of an area.
 *
 * @module
 */

import { orient2d } from 'robust-predicates'
import { firstIndex } from '#shared/search.ts'
import { FULL_TURN } from './ring.ts'
import { type Area, EDGE } from './shape.ts'

/**
 * Finds where a place lies, exactly. `x` may be any number of whole turns away.
 *
 * It counts the edges south of the place, on its meridian. So it needs no line along the pole for rings that go round one.
 *
 * @returns 1 inside, 0 on a ring, -1 outside.
 */
export function locate(area: Area, x: number, y: number): -1 | 0 | 1 {
  const { minX, maxX, minY, maxY, isSouthern } = area
  if (y < minY || y > maxY) return -1
  let south = isSouthern ? 1 : 0
  for (let turn = Math.ceil((minX - x) / FULL_TURN); x + turn * FULL_TURN <= maxX; turn++) {
    const crossed = countSouth(area, x + turn * FULL_TURN, y)
    if (crossed < 0) return 0
    south += crossed
  }
  return south % 2 === 1 ? 1 : -1
}

/** How many edges cross the meridian `x` south of `y`; -1 where the place is on an edge. */
function countSouth({ edges, reach }: Area, x: number, y: number): number {
  let count = 0
  const first = firstIndex(reach, (east) => east >= x)
  for (let at = first * EDGE; at < edges.length; at += EDGE) {
    const x1 = edges[at] ?? 0
    const x2 = edges[at + 2] ?? 0
    const isEastward = x1 < x2
    const west = isEastward ? x1 : x2
    // Edges are sorted by their western end.
    if (west > x) break
    const east = isEastward ? x2 : x1
    if (east < x) continue
    const y1 = edges[at + 1] ?? 0
    const y2 = edges[at + 3] ?? 0
    if (y1 > y && y2 > y) continue
    // An edge that ends at the meridian counts only where it begins, so a vertex on it counts once.
    const isCrossed = x < east
    if (y1 < y && y2 < y) {
      if (isCrossed) count++
      continue
    }
    // Positive where the place is north of an eastward edge.
    const side = -orient2d(x1, y1, x2, y2, x, y) * (isEastward ? 1 : -1)
    if (side === 0) return -1
    if (side > 0 && isCrossed) count++
  }
  return count
}
