/**
 * Asks the service whether the values of listeners are possible. Only values that the schema of the service makes doubtful are asked about,
 * because a field may have forms that the schema does not tell. So a listener without mistakes costs no request.
 *
 * @module
 */

import { call } from '#shared/client/call.ts'
import { messageOf } from '#shared/client/client_error.ts'
import { closest } from '#shared/closest.ts'
import { isJsonRecord, type JsonRecord } from '#shared/json/record.ts'
import type { CommandContext } from './context.ts'
import { allowedText } from './faults.ts'
import type { ListenerDefinition } from './listener_file.ts'

/** A value that may be wrong. */
export interface Doubt {
  readonly listener: ListenerDefinition
  readonly field: string
  readonly value: string
  /** What is allowed, as the end of a message. */
  readonly allowed: string
  /** Where the value stands. */
  readonly place: string
}

/** Listeners that the service explains at a time. */
const DOUBTS_AT_ONCE = 20
/** Most values that are asked about: more than a person reads. */
const MOST_DOUBTS = 100
/** Span that is explained: as short as can be, because only refusals count. */
const SPAN = '-1s'
/** Longest list of allowed values that a message has in full. */
const MAX_LISTED = 12

/** Values of a listener that its event type's description makes doubtful. @param identifier Field → its description. */
export function doubtsOf(
  listener: ListenerDefinition,
  identifier: JsonRecord,
  exempt: readonly string[],
): readonly Doubt[] {
  return Object.entries(listener.request).flatMap(([field, values]) => {
    const name = Object.keys(identifier).find((each) => each.toLowerCase() === field.toLowerCase())
    const description = name === undefined ? undefined : identifier[name]
    if (!isJsonRecord(description) || exempt.includes(field)) return []
    return values.flatMap((value, index) => {
      const allowed = doubt(value, description)
      if (allowed === undefined) return []
      // A single value stands at the field itself.
      const place = listener.place(['request', field, ...(values.length === 1 ? [] : [index])])
      return [{ listener, field, value, allowed, place }]
    })
  })
}

/** What is allowed, for a value that looks wrong. */
function doubt(value: string, { type, values, range, regex }: JsonRecord): string | undefined {
  if (Array.isArray(values)) {
    const names = values.map(String)
    return isListed(value, names) ? undefined : listText(value, names)
  }
  switch (type) {
    case 'IntHandler':
    case 'FloatHandler':
      return numberDoubt(value, type === 'IntHandler', range)
    case 'DateHandler':
      return isDay(value) ? undefined : '; allowed are days such as 20260810 or 2026-08-10'
    case 'RegexHandler':
      return `; allowed is what matches ${String(regex)}`
    default:
      return undefined
  }
}

function isListed(value: string, values: readonly string[]): boolean {
  return values.some((each) => each === value || (/^\d+$/.test(each) && Number(each) === Number(value)))
}

function listText(value: string, names: readonly string[]): string {
  if (names.length <= MAX_LISTED) return allowedText(value, names)
  const meant = closest(value, names)
  const hint = meant === undefined ? '' : `. Did you mean ${meant}?`
  const shown = names.slice(0, MAX_LISTED).join(', ')
  return `; allowed are ${shown} and ${names.length - MAX_LISTED} more, which aviso schema --json has${hint}`
}

function numberDoubt(value: string, isWhole: boolean, range: unknown): string | undefined {
  const number = Number(value)
  const isNumber = (isWhole ? /^[+-]?\d+$/ : /^[+-]?[\d.]+$/).test(value)
  const what = isWhole ? 'whole numbers' : 'numbers'
  if (!Array.isArray(range)) return isNumber ? undefined : `; allowed are ${what}`
  const [least, most] = range.map(Number)
  const isWithin = isNumber && number >= (least ?? -Infinity) && number <= (most ?? Infinity)
  return isWithin ? undefined : `; allowed are ${what} from ${String(least)} to ${String(most)}`
}

/** Whether a text is surely a day: `20260810` or `2026-08-10`. */
function isDay(value: string): boolean {
  const [, year, month, day] = /^(\d{4})(?:-?)(\d{2})(?:-?)(\d{2})$/.exec(value) ?? []
  if (year === undefined) return false
  const text = `${year}-${month}-${day}`
  const at = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text)
}

/** @returns a line for each value that the service refuses; none where it does not answer, because it judges the streams later. */
export async function refusedValues(
  doubts: readonly Doubt[],
  context: CommandContext,
): Promise<ReadonlyMap<Doubt, string>> {
  const refused = new Map<Doubt, string>()
  const asked = doubts.slice(0, MOST_DOUBTS)
  for (let start = 0; start < asked.length; start += DOUBTS_AT_ONCE) {
    const some = asked.slice(start, start + DOUBTS_AT_ONCE)
    const explained = await explain(some, context)
    if (explained === undefined) break
    for (const [index, one] of some.entries()) {
      const { error } = explained[index] ?? {}
      // Alone, a field also lacks those that a listener must give: that is about another one.
      if (!isJsonRecord(error) || String(error['field']).toLowerCase() !== one.field.toLowerCase()) continue
      refused.set(one, `${one.place}: ${String(error['message'])}${one.allowed}`)
    }
  }
  return refused
}

async function explain(
  doubts: readonly Doubt[],
  context: CommandContext,
): Promise<readonly JsonRecord[] | undefined> {
  const listeners = doubts.map(({ listener, field, value }) => ({
    event: listener.event,
    request: { [field]: value },
  }))
  try {
    const { listeners: explained } = await call(context, {
      path: '/api/v1/explain',
      method: 'POST',
      contentType: 'application/json',
      body: JSON.stringify({ from: SPAN, listeners }),
      attempts: 1,
      failure: 'Values are not judged',
    })
    return Array.isArray(explained) ? explained.map((one) => (isJsonRecord(one) ? one : {})) : undefined
  } catch (error) {
    context.output.log('DEBUG', messageOf(error))
    return undefined
  }
}
