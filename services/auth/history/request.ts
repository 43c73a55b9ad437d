/**
 * Reads the query of `GET /api/v1/notifications`.
 *
 * @module
 */

import type { HistoryOrder } from './page.ts'
import type { Place } from '../listen/request.ts'
import { AvisoError } from '#shared/errors.ts'
import { DATE_FORMS, parseDate } from '#shared/time/written_date.ts'

/** A page that a client without a wish gets, and the largest: as for polls. */
const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1000
/** A number, or the id of an acknowledgement or an event. A date of eight digits is written with hyphens here. */
const NUMBER = /^(?:([^@/]{1,64})@)?(\d{1,15})$/

/** What a page's query has besides the event type and its fields. */
export interface HistoryQuery {
  readonly order: HistoryOrder
  readonly limit: number
  /** First and last, inclusive. */
  readonly from: Place | undefined
  readonly to: Place | undefined
  readonly cursor: string | undefined
}

/**
 * Takes the parameters of a page out of a query. What is left are the event type and its fields.
 *
 * @param now Milliseconds since 1970, for dates such as `-3h`.
 * @throws {AvisoError} `ERR_BAD_REQUEST` (`details.field`).
 */
export function takeHistoryQuery(query: URLSearchParams, now: number): HistoryQuery {
  const event = query.get('event') ?? ''
  const place = (name: string): Place | undefined => placeOf(take(query, name), { name, event, now })
  const read: HistoryQuery = {
    order: orderOf(take(query, 'order')),
    limit: takeLimit(query, { standard: DEFAULT_LIMIT, most: MAX_LIMIT }),
    from: place('from'),
    to: place('to'),
    cursor: take(query, 'cursor'),
  }
  // A watch has these names, and would ignore them here.
  for (const name of ['from_id', 'from_date', 'events', 'ticket'])
    if (query.has(name))
      throw refuse(`Query parameter '${name}' is for streams: here it is from and to`, name)
  const { from, to } = read
  if (from?.kind === 'sequence' && to?.kind === 'sequence' && to.sequence < from.sequence)
    throw refuse('The end lies before the start', 'to')
  return read
}

/** Takes a parameter that may be given once. @throws {AvisoError} `ERR_BAD_REQUEST`. */
export function take(query: URLSearchParams, name: string): string | undefined {
  const [value, ...others] = query.getAll(name)
  if (others.length > 0) throw refuse(`Query parameter '${name}' must be given once`, name)
  query.delete(name)
  return value
}

/** Takes the size of a page. @throws {AvisoError} `ERR_BAD_REQUEST`. */
export function takeLimit(
  query: URLSearchParams,
  { standard, most }: { readonly standard: number; readonly most: number },
): number {
  const text = take(query, 'limit')
  if (text === undefined) return standard
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (number >= 1 && number <= most) return number
  throw refuse(`Query parameter 'limit' must be a whole number from 1 to ${most}`, 'limit')
}

function orderOf(text: string | undefined): HistoryOrder {
  if (text === undefined || text === 'newest') return 'newest'
  if (text === 'oldest') return 'oldest'
  throw refuse("Query parameter 'order' must be newest or oldest: which comes first", 'order')
}

interface PlaceContext {
  readonly name: string
  readonly event: string
  readonly now: number
}

function placeOf(text: string | undefined, { name, event, now }: PlaceContext): Place | undefined {
  if (text === undefined) return undefined
  const [, idEvent = event, number] = NUMBER.exec(text) ?? []
  if (number !== undefined) {
    if (idEvent !== event)
      throw refuse(`Query parameter '${name}' is an id of another event type than the request's`, name)
    return { kind: 'sequence', sequence: BigInt(number) }
  }
  const at = parseDate(text, now)
  if (at !== undefined) return { kind: 'date', at, text }
  // In an address, "+" is a space, so the offset of a date comes as one.
  const hint = / \d{2}:?\d{2}$/.test(text) ? ' ("+" in an address is written %2B)' : ''
  throw refuse(
    `Query parameter '${name}' must be a number, an id such as EVENT@10, or, if it is not digits alone, ${DATE_FORMS}${hint}`,
    name,
  )
}

/** A refusal that names a parameter. */
export function refuse(message: string, field: string): AvisoError {
  return new AvisoError('ERR_BAD_REQUEST', message, { details: { field } })
}
