/**
 * Keys of the page.
 *
 * @module
 */

/** Whether a key belongs to what has the focus: a field, or what `others` selects. */
export function isTaken({ target }: KeyboardEvent, others = ''): boolean {
  const taking = `input,textarea,select${others === '' ? '' : `,${others}`}`
  return target instanceof Element && target.closest(taking) !== null
}
