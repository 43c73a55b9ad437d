/**
 * Selections as the hub uses them: one matcher for streams that ask for the same.
 *
 * @module
 */

import type { Selection } from './hub.ts'
import type { IsRemoved, Matcher } from './source/matcher.ts'

/** Compiles a selection; a matcher keeps nothing of it but sets and functions. */
export function createMatcher(selection: Selection, isRemoved?: IsRemoved): Matcher {
  if (selection.kind === 'ranges') {
    const { ranges, relayed = [] } = selection
    return { kind: 'ranges', ranges: [...ranges], relayed: [...relayed] }
  }
  const { event, conditions } = selection.filter
  return { kind: 'notifications', event, predicates: [...conditions], isRemoved }
}

/** Makes texts that are the same for selections that surely take the same. */
export function createSelectionKeys(): (selection: Selection) => string {
  // Functions cannot be compared by what they do, only by which they are.
  const testNumbers = new WeakMap<object, number>()
  let lastTestNumber = 0
  const numberOf = (test: object): number => {
    const number = testNumbers.get(test) ?? ++lastTestNumber
    testNumbers.set(test, number)
    return number
  }
  return (selection) => {
    if (selection.kind === 'ranges') {
      const { ranges, relayed = [] } = selection
      return `r${JSON.stringify([ranges, relayed].map((list) => list.map(({ key, end }) => [[...key], end && [...end]])))}`
    }
    const { event, conditions } = selection.filter
    const parts = [...conditions].map(([field, condition]) => {
      const accepted = condition.kind === 'in' ? [...condition.values].toSorted() : numberOf(condition.test)
      return JSON.stringify([field, accepted])
    })
    return `n${JSON.stringify(event)}${parts.toSorted().join()}`
  }
}
