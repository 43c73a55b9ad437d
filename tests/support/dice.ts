/**
 * Chance that can be repeated: everything that a randomised test draws comes from one seed.
 *
 * @module
 */

/** Random choices of one seed. */
export interface Dice {
  /** A number from 0 to below 1. */
  fraction(): number
  /** A whole number from `least` to `most`, both possible. */
  whole(least: number, most: number): number
  /** One of several. */
  pick<Item>(items: readonly Item[]): Item
  /** One of several, where a weight of 2 comes twice as often as one of 1. */
  weighted<Item>(
    items: readonly [{ readonly item: Item; readonly weight: number }, ...Weighted<Item>[]],
  ): Item
  /** Whether something of this probability happens. */
  chance(probability: number): boolean
  /** Dice of their own for a part of the test: what others draw does not change its choices. */
  fork(name: string): Dice
}

interface Weighted<Item> {
  readonly item: Item
  readonly weight: number
}

/** Numbers from 0 to below 1, the same for the same seed on every runtime (mulberry32: 32 bits of state are enough to choose faults). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Random text of which `randomFraction` makes 0.0002: among several, the first is chosen. */
export const LEAST_CHANCE = '666'

/** Dice for a seed. */
export function createDice(seed: number): Dice {
  const fraction = createRandom(seed)
  return {
    fraction,
    whole: (least, most) => least + Math.floor(fraction() * (most - least + 1)),
    pick: (items) => {
      if (items.length === 0) throw new RangeError('There is nothing to pick from')
      // A fraction is below 1, so the index is below the length.
      return items[Math.floor(fraction() * items.length)] as (typeof items)[number]
    },
    weighted: (items) => {
      let point = fraction() * items.reduce((sum, { weight }) => sum + weight, 0)
      for (const { item, weight } of items) {
        if (point < weight) return item
        point -= weight
      }
      return items[0].item
    },
    chance: (probability) => fraction() < probability,
    fork: (name) => createDice(hashText(name, seed)),
  }
}

/** FNV-1a, so that each name gets a seed of its own. */
export function hashText(text: string, start = 0): number {
  let hash = (0x811c9dc5 ^ start) >>> 0
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  }
  return hash
}
