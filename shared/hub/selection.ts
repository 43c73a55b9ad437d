/**
 * Compiles what a listener asks for (a selection) into a matcher, and into a text that is equal for equal selections.
 *
 * @module
 */

import type { Selection } from './hub.ts'
import type { IsRemoved, Matcher } from './source/matcher.ts'

/** Compiles a selection. The matcher keeps only the sets and functions of it. */
export function createMatcher(selection: Selection, isRemoved?: IsRemoved): Matcher {
  if (selection.kind === 'ranges') {
    const { ranges, relayed = [] } = selection
    return { kind: 'ranges', ranges: [...ranges], relayed: [...relayed] }
  }
  const { event, conditions } = selection.filter
  return { kind: 'notifications', event, predicates: [...conditions], isRemoved }
}

/** @returns a function that makes the text of a selection. Selections with the same text take the same notifications. */
export function createSelectionKeys(): (selection: Selection) => string {
  // Functions are compared by identity, because their behaviour cannot be compared.
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
