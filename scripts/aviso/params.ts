/**
 * Parses the PARAMS argument of `notify`, `key` and `value`: `event=flight,country=Italy,…`.
 *
 * @module
 */

import { ClientError } from '#shared/client/client_error.ts'

/** The parsed PARAMS argument. */
export interface Params {
  readonly event: string
  /** All pairs except `event`, as text. */
  readonly fields: Readonly<Record<string, string>>
}

/**
 * Parses PARAMS as 1.x does: at least two pairs with one `=` each. So values contain neither `,` nor `=`.
 *
 * @throws {ClientError} with 1.x's messages, and what is wrong behind them.
 */
export function parseParams(text: string): Params {
  const pairs = text.split(',').map((pair) => pair.split('='))
  const values = new Map<string, string>()
  for (const [name = '', value, ...rest] of pairs) {
    const shown = [name, ...(value === undefined ? [] : [value]), ...rest].join('=')
    if (value === undefined) throw wrongStructure(`'${shown}' has no =`)
    if (rest.length > 0) throw wrongStructure(`'${shown}' has more than one =`)
    if (name.trim() === '') throw wrongStructure(`'${shown}' has nothing before the =`)
    if (pairs.length < 2) throw wrongStructure(`behind '${shown}' the fields are missing`)
    if (values.has(name.trim())) throw new ClientError(`Key ${name.trim()} is given twice`)
    values.set(name.trim(), value)
  }
  const event = values.get('event')
  if (event === undefined) throw new ClientError("Invalid notification, 'event' could not be located")
  values.delete('event')
  return { event, fields: Object.fromEntries(values) }
}

function wrongStructure(why: string): ClientError {
  return new ClientError(
    `Wrong structure for the notification string, it should be <key_name>=<key_value>,...: ${why}`,
  )
}
