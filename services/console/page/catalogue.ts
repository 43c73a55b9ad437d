/**
 * The event types that the person may see: their fields by the schema, the values that were seen, and how much comes.
 *
 * @module
 */

import { ask, messageOf } from './api.ts'
import { createState } from './state.ts'
import { brief } from './text.ts'

/** A field by the schema. */
export interface FieldRule {
  readonly type: string
  readonly values?: readonly (string | number)[]
  readonly range?: readonly unknown[]
  readonly required: boolean
  /** Values of other fields with which it is required. */
  readonly required_with?: Readonly<Record<string, readonly string[]>>
}

export interface SeenValues {
  readonly values: readonly { readonly value: string; readonly count: number }[]
  readonly more: boolean
}

interface EventAnswer {
  readonly event_type: string
  readonly whole: boolean
  readonly last: { readonly id: string; readonly sequence: string; readonly time: string } | null
  readonly published: Readonly<Record<'minute' | 'hour' | 'day', number | null>>
  readonly fields: Readonly<Record<string, SeenValues>>
}

interface SchemaAnswer {
  readonly schema: Readonly<
    Record<
      string,
      {
        readonly payload: { readonly required: boolean; readonly name: string }
        readonly identifier: Readonly<Record<string, FieldRule>>
      }
    >
  >
}

/** An event type. */
export interface EventType extends EventAnswer {
  readonly rules: Readonly<Record<string, FieldRule>>
  /** Fields in the order of the schema. */
  readonly names: readonly string[]
  readonly isPayloadRequired: boolean
  readonly payloadName: string
}

export interface Catalogue {
  readonly isLoaded: boolean
  readonly events: readonly EventType[]
  readonly error?: string | undefined
}

export const catalogue = createState<Catalogue>({ isLoaded: false, events: [] })

/** Asks again. Never rejects. */
export async function loadCatalogue(): Promise<void> {
  try {
    const [{ schema }, { events }] = await Promise.all([
      ask<SchemaAnswer>('api/v1/schema'),
      ask<{ readonly events: readonly EventAnswer[] }>('api/v1/events'),
    ])
    catalogue.set({
      isLoaded: true,
      error: undefined,
      events: events.map((event) => describe(event, schema)),
    })
  } catch (error) {
    catalogue.set({ isLoaded: true, error: messageOf(error) })
  }
}

function describe(event: EventAnswer, schemas: SchemaAnswer['schema']): EventType {
  const schema = schemas[event.event_type]
  const rules = schema?.identifier ?? {}
  return {
    ...event,
    rules,
    names: Object.keys(schema === undefined ? event.fields : rules),
    isPayloadRequired: schema?.payload.required ?? false,
    payloadName: schema?.payload.name ?? 'payload',
  }
}

/** The event type that a view begins with: of those that need no filter, what came last. */
export function usualEvent(events: readonly EventType[]): string | undefined {
  const free = events.filter((event) => missingFields(event, {}).length === 0)
  const newest = (free.length === 0 ? events : free).toSorted((a, b) =>
    (b.last?.time ?? '').localeCompare(a.last?.time ?? ''),
  )[0]
  return newest?.event_type
}

/** Fields without which the event type cannot be listened to, and that a filter lacks. */
export function missingFields(event: EventType, filter: Filter): readonly string[] {
  return event.names.filter((name) => isNeeded(event, name, filter) && filter[name] === undefined)
}

/** Whether a listener has to say a field. Some fields are needed with some values of others alone. */
export function isNeeded({ rules }: Pick<EventType, 'rules'>, name: string, filter: Filter): boolean {
  const { required = false, required_with = {} } = rules[name] ?? {}
  return (
    required ||
    Object.entries(required_with).some(([other, values]) =>
      filter[other]?.some((value) => values.includes(value)),
    )
  )
}

/** What an address names that is not there, for people; `undefined`: all is known. @param own Names of the view itself. */
export function unknownIn(
  query: URLSearchParams,
  events: readonly EventType[],
  own: readonly string[],
): string | undefined {
  const name = query.get('event')
  if (name === null) return undefined
  const event = events.find(({ event_type }) => event_type === name)
  if (event === undefined)
    return `The address names the event type ${brief(name, MOST_NAME)}, which is not there, or which you may not see: another one is shown.`
  const unknown = [...new Set(query.keys())].filter(
    (key) => key !== 'event' && !own.includes(key) && !event.names.includes(key),
  )
  if (unknown.length === 0) return undefined
  const names = unknown.map((key) => brief(key, MOST_NAME)).join(', ')
  return `The address names ${names}, which ${name} does not have: it is left out.`
}

const MOST_NAME = 64

/** How much comes, in words. */
export function rateText({ published: { minute, hour }, last }: EventType): string {
  if (minute !== null && minute >= 60) return `${Math.round(minute / 60)}/s`
  if (minute !== null && minute > 0) return `${minute}/min`
  if (hour !== null && hour > 0) return `${hour}/h`
  return last === null ? 'none yet' : 'quiet'
}

/** Values of a field to choose from: those that were seen first, then those of the schema. */
export function knownValues({ rules, fields }: EventType, name: string): readonly string[] {
  const seen = fields[name]?.values.map(({ value }) => value) ?? []
  const ruled = rules[name]?.values?.map(String) ?? []
  return [...new Set([...seen, ...ruled])]
}

/** Values of fields; several of one field mean any of them. */
export type Filter = Readonly<Record<string, readonly string[]>>

/** The filter of an address. */
export function filterIn(query: URLSearchParams, names: readonly string[]): Filter {
  return Object.fromEntries(
    names.map((name) => [name, query.getAll(name)] as const).filter(([, values]) => values.length > 0),
  )
}
