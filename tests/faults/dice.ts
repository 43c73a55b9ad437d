/**
 * Everything that a fault test draws comes from one seed, so that a schedule can be run again.
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
  pick<Item>(items: readonly [Item, ...Item[]]): Item
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

/** Dice for a seed (mulberry32: 32 bits of state, good enough to choose faults). */
export function createDice(seed: number): Dice {
  let state = seed >>> 0
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    fraction,
    whole: (least, most) => least + Math.floor(fraction() * (most - least + 1)),
    pick: (items) => items[Math.floor(fraction() * items.length)] ?? items[0],
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
