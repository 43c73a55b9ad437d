/**
 * The listeners of a text: a listener file of 1.x (YAML or JSON), or a request of 2.x.
 *
 * @module
 */

import type { CloudEvent } from './live_model.ts'
import { valueText } from './text.ts'
import { parseYaml, type YamlValue } from './yaml.ts'

/** A listener as the service explains it, and the triggers that it would run. */
export interface Listener {
  readonly ask: Readonly<Record<string, YamlValue>>
  readonly triggers: readonly Readonly<Record<string, YamlValue>>[]
  /** Whether it says `when`: then it gets notifications of runs. */
  readonly isOfRuns: boolean
}

/** More are not explained at a time. */
const MOST_LISTENERS = 20

/** @throws {Error} with the reason, for people. */
export function readListeners(text: string): readonly Listener[] {
  const value = /^\s*[[{]/.test(text) ? parseJson(text) : parseYaml(text)
  const listed = isRecord(value) && value['listeners'] !== undefined ? value['listeners'] : value
  const listeners = (Array.isArray(listed) ? listed : [listed]).map(toListener)
  if (listeners.length > MOST_LISTENERS)
    throw new Error(`At most ${MOST_LISTENERS} listeners are explained at a time`)
  return listeners
}

function parseJson(text: string): YamlValue {
  try {
    return JSON.parse(text) as YamlValue
  } catch (error) {
    throw new Error(`This is no JSON: ${error instanceof Error ? error.message : ''}`)
  }
}

function toListener(value: YamlValue): Listener {
  if (!isRecord(value) || (value['event'] === undefined && value['event_type'] === undefined))
    throw new Error('A listener has an event and a request, such as "event: flight"')
  const { triggers, ...rest } = value
  return {
    ask: askOf(rest),
    triggers: Array.isArray(triggers) ? triggers.filter(isRecord) : [],
    isOfRuns: rest['when'] !== undefined,
  }
}

function askOf(value: Readonly<Record<string, YamlValue>>): Listener['ask'] {
  const { event, event_type, request, identifier, when } = value
  if (when !== undefined) return askOfRuns(event ?? event_type ?? '', request ?? identifier ?? {}, when)
  return event_type === undefined
    ? { event: event ?? '', request: request ?? {} }
    : { event_type, identifier: identifier ?? request ?? {} }
}

/** The event type of runs, and its fields that `event` and `when` say. */
const RUN = { event: 'run', field: 'event_type', state: 'state' } as const

/** What `when` may say, and the states that notifications of runs then have: as the program `aviso` reads it. */
const STATES: Readonly<Record<string, readonly string[]>> = {
  started: ['started'],
  complete: ['complete', 'recovered'],
  late: ['late'],
  recovered: ['recovered'],
  incomplete: ['incomplete'],
}

/** With `when`, a listener gets the notifications of runs, and not those of products. @throws {Error} as the program `aviso` refuses it. */
function askOfRuns(event: YamlValue, request: YamlValue, when: YamlValue): Listener['ask'] {
  const whens = Array.isArray(when) ? when : [when]
  const states = whens.flatMap((one) => (Object.hasOwn(STATES, String(one)) ? STATES[String(one)] : []) ?? [])
  if (whens.length === 0 || whens.some((one) => typeof one !== 'string' || !Object.hasOwn(STATES, one)))
    throw new Error(`when: must be one of ${Object.keys(STATES).join(', ')}, or a list of them`)
  if (event === RUN.event)
    throw new Error("'when' needs the event type of the products; notifications of run come without it")
  if (!isRecord(request)) throw new Error('request: must have a value for each field')
  const taken = [RUN.field, RUN.state].find((name) => Object.hasOwn(request, name))
  if (taken !== undefined) throw new Error(`request.${taken}: ${taken} is said by 'event' and 'when'`)
  const said = { [RUN.field]: [event], [RUN.state]: [...new Set(states)] }
  return { event: RUN.event, request: { ...said, ...request } }
}

function isRecord(value: YamlValue): value is Readonly<Record<string, YamlValue>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A trigger in words, with those of a notification filled in. Nothing is run. */
export function triggerWords(
  trigger: Readonly<Record<string, YamlValue>>,
  newest: CloudEvent | null,
  event: string,
): string {
  const { type, ...options } = trigger
  const filled = newest === null ? options : fill(options, newest, event)
  const text = Object.keys(options).length === 0 ? '' : ` ${JSON.stringify(filled)}`
  return `${valueText(type) || 'trigger'}${text}`
}

function fill(value: YamlValue, newest: CloudEvent, event: string): YamlValue {
  if (typeof value === 'string')
    return value.replaceAll(/\$\{([\w.]+)\}/g, (whole, name: string) => wordOf(name, newest, event) ?? whole)
  if (Array.isArray(value)) return value.map((each: YamlValue) => fill(each, newest, event))
  if (!isRecord(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, fill(each, newest, event)]))
}

function wordOf(name: string, { data }: CloudEvent, event: string): string | undefined {
  const { identifier, payload } = data
  if (name === 'event') return event
  if (name === 'json') return JSON.stringify({ event, request: identifier, payload })
  if (name.startsWith('request.')) {
    const value = identifier[name.slice('request.'.length)]
    return value === undefined ? undefined : valueText(value)
  }
  return name === 'payload' || name === 'location' ? valueText(payload) : undefined
}
