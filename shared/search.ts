/**
 * Binary search, the only one: every sorted array of the project is searched by the condition that its later items meet.
 *
 * @module
 */

/**
 * Finds where a condition begins to hold, in O(log n) calls of it.
 *
 * @param items In an order in which no item meets the condition before one that does not.
 * @param holds The condition, e.g. "its revision is at least 7".
 * @param from Items before this index are not looked at. At most `items.length`.
 * @returns the index of the first item from `from` on that meets the condition; `items.length` where none does. One less is the index of
 *   the last item that does not meet it.
 */
export function firstIndex<Item>(items: readonly Item[], holds: (item: Item) => boolean, from = 0): number {
  let low = from
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    // `low` ≤ `middle` < `high` ≤ `items.length`, so there is an item.
    if (holds(items[middle] as Item)) high = middle
    else low = middle + 1
  }
  return low
}
