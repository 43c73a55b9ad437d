/**
 * The geometry index finds the shapes that a shape meets, among thousands, without comparing it with all.
 *
 * @module
 */

import RBush from 'rbush'
import { firstTurn, meets } from './meets.ts'
import { FULL_TURN } from './ring.ts'
import type { Box, Points, Shape } from './shape.ts'

/** So many points are looked up one by one. More are looked up by the box around all of them. */
const MAX_SINGLE_LOOKUPS = 64

export interface GeometryIndex<Id> {
  /** Adds a shape. @returns a function that removes it; a second call does nothing. */
  add(shape: Shape, id: Id): () => void
  /** The ids of all shapes that meet `shape`, each once for each time it was added, in no order. */
  matches(shape: Shape): Id[]
  isEmpty(): boolean
}

/** One shape that was added. */
interface Entry<Id> {
  readonly id: Id
  readonly shape: Shape
  /** The last lookup that compared it: shapes of several parts are found several times. */
  lookup: number
}

/** One part of a shape, with the box around it. */
interface Leaf<Id> extends Box {
  readonly entry: Entry<Id>
}

export function createGeometryIndex<Id>(): GeometryIndex<Id> {
  const tree = new RBush<Leaf<Id>>()
  const entries = new Set<Entry<Id>>()
  // All that hold a pole meet there, whatever their longitudes.
  const northern = new Set<Entry<Id>>()
  const southern = new Set<Entry<Id>>()
  let bounds: Box | undefined
  let lookup = 0
  return {
    add: (shape, id) => {
      const entry: Entry<Id> = { id, shape, lookup: 0 }
      const leaves = partsOf(shape).map(({ minX, minY, maxX, maxY }) => ({ minX, minY, maxX, maxY, entry }))
      entries.add(entry)
      for (const leaf of leaves) {
        tree.insert(leaf)
        bounds = bounds === undefined ? leaf : join(bounds, leaf)
      }
      if (shape.hasNorthPole) northern.add(entry)
      if (shape.hasSouthPole) southern.add(entry)
      return () => {
        if (!entries.delete(entry)) return
        for (const leaf of leaves) tree.remove(leaf)
        northern.delete(entry)
        southern.delete(entry)
        if (entries.size === 0) bounds = undefined
      }
    },
    matches: (shape) => {
      const found: Id[] = []
      if (bounds === undefined) return found
      lookup++
      const offer = (entry: Entry<Id>): void => {
        if (entry.lookup === lookup) return
        entry.lookup = lookup
        if (meets(entry.shape, shape)) found.push(entry.id)
      }
      if (shape.hasNorthPole) northern.forEach(offer)
      if (shape.hasSouthPole) southern.forEach(offer)
      for (const box of lookupBoxes(shape)) {
        const { minX, minY, maxX, maxY } = box
        for (let shift = firstTurn(bounds, box); minX + shift <= bounds.maxX; shift += FULL_TURN) {
          const near = tree.search({ minX: minX + shift, minY, maxX: maxX + shift, maxY })
          for (const { entry } of near) offer(entry)
        }
      }
      return found
    },
    isEmpty: () => entries.size === 0,
  }
}

function partsOf({ areas, points }: Shape): readonly Box[] {
  return points === undefined ? areas : [points]
}

function lookupBoxes({ areas, points }: Shape): readonly Box[] {
  if (points === undefined) return areas
  return points.xs.length <= MAX_SINGLE_LOOKUPS ? singleBoxes(points) : [points]
}

function singleBoxes({ xs, ys }: Points): readonly Box[] {
  return Array.from(xs, (x, index) => {
    const y = ys[index] ?? 0
    return { minX: x, minY: y, maxX: x, maxY: y }
  })
}

function join(a: Box, b: Box): Box {
  return {
    minX: Math.min(a.minX, b.minX),
    minY: Math.min(a.minY, b.minY),
    maxX: Math.max(a.maxX, b.maxX),
    maxY: Math.max(a.maxY, b.maxY),
  }
}
