/**
 * Numbers among the values of fields, such as steps.
 *
 * @module
 */

const MOST_DIGITS = 9
const ZERO = 0x30

/**
 * The number that a value is, where it is the same text when it is written again, and one that a list may have; below 0: it is none.
 */
export function numberOf(text: string): number {
  const { length } = text
  if (length === 0 || length > MOST_DIGITS) return -1
  let number = 0
  for (let place = 0; place < length; place++) {
    const digit = text.charCodeAt(place) - ZERO
    if (digit < 0 || digit > 9 || (digit === 0 && place === 0 && length > 1)) return -1
    number = number * 10 + digit
  }
  return number
}
