/**
 * Compiles what a listener asks for (a selection) into a matcher, and into a text that is equal for equal selections.
 *
 * @module
 */

import type { FieldCondition } from '#shared/notification/notification.ts'
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
      return JSON.stringify([field, acceptedBy(condition, numberOf)])
    })
    return `n${JSON.stringify(event)}${parts.toSorted().join()}`
  }
}

/** JSON that is the same for conditions that accept the same texts. */
function acceptedBy(condition: FieldCondition, numberOf: (test: object) => number): unknown {
  switch (condition.kind) {
    case 'in':
      return [...condition.values].toSorted()
    case 'test':
      return numberOf(condition.test)
    case 'meets':
      return { meets: condition.text }
  }
}
