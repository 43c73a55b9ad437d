/**
 * The only binary search of the project. It searches a sorted array for the first item that meets a condition.
 *
 * @module
 */

/**
 * Finds where a condition begins to hold, in O(log n) calls of the condition.
 *
 * @param items Sorted so that all items that meet the condition come after all that do not.
 * @param holds The condition, e.g. "its revision is at least 7".
 * @param from Items before this index are not looked at. At most `items.length`.
 * @returns the index of the first item from `from` on that meets the condition; `items.length` when none does. The item before that index
 *   is the last one that does not meet it.
 */
export function firstIndex<Item>(items: ArrayLike<Item>, holds: (item: Item) => boolean, from = 0): number {
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
