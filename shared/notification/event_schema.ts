/**
 * One event type: from a provider's request to store keys and back, and from a listener's request to a filter.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'

import { showValue, type Refusal } from './fields.ts'
import { readKey, writeKey, type KeyFormat } from './key_format.ts'
import { badFilter, createCondition } from './match.ts'
import type {
  FieldCondition,
  NotificationFilter,
  NotificationKeys,
  NotificationRequest,
} from './notification.ts'
import type { FieldRule } from './aviso2/field_rule.ts'
import type { SchemaAuth } from './aviso2/schema_auth.ts'
import type { StoragePolicy } from './aviso2/storage_policy.ts'
import type { FieldOptions } from './field_options.ts'
import type { EventDefinition } from './schema_file.ts'

/** Most base keys that one filter may expand to: each is a range to read or to watch. */
export const MAX_BASE_KEYS = 1024

/** What the system knows of one event type. */
export interface EventSchema {
  readonly event: string
  /** The generation of Aviso whose form its schema has, and whose rules its values follow. */
  readonly generation: 1 | 2
  /** Name of the payload for providers and listeners, e.g. `location`. */
  readonly payloadName: string
  /** Whether a notification without a payload is refused. */
  readonly isPayloadRequired: boolean
  /** Fields of the notification key, in its order. */
  readonly fields: readonly string[]
  /** Fields without which there is no key. */
  readonly requiredForNotify: readonly string[]
  /** Fields that a listener must give. In 1.x those of the base, without which a listener would see keys of others. */
  readonly requiredForListen: readonly string[]
  /** Of {@link requiredForListen}, those that only some requests need: field → another field → its values that need it. */
  readonly requiredOnlyWith?: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
  /** The fields of the event type as its schema file has them. */
  readonly rawDescription: { readonly request: Readonly<Record<string, readonly FieldDescription[]>> }
  /** Who may do what, where the schema says so. */
  readonly auth?: SchemaAuth | undefined
  /** How much is kept, where the schema says so. */
  readonly storage?: StoragePolicy | undefined
  /** Most notifications that one stream gets of the history, where its schema says so. */
  readonly historyLimit?: number | undefined
  /** How its keys are written. */
  readonly formats: EventFormats

  /**
   * Validates a provider's request and derives its keys. The fields it returns read back from the key unchanged.
   *
   * @throws {AvisoError} `ERR_INVALID_NOTIFICATION` (`details.field`).
   */
  encode(request: Readonly<Record<string, unknown>>): NotificationKeys

  /** All that {@link encode} would refuse, field by field and as it says it; none where it accepts the request. */
  faults(request: Readonly<Record<string, unknown>>): readonly AvisoError[]

  /**
   * Compiles a listener's request; nothing means everything, where no field is required.
   *
   * @param tests - What is compiled already, by field.
   * @throws {AvisoError} `ERR_BAD_REQUEST` (`details.field`).
   */
  filter(
    request: Readonly<Record<string, unknown>> | null | undefined,
    tests?: ReadonlyMap<string, FieldCondition>,
  ): NotificationFilter

  /**
   * All base keys (each a prefix of notification keys, ending in a slash) that a filter or a listener's request can match. In 2.x, the
   * prefixes that the values of leading fields make.
   *
   * @throws {AvisoError} `ERR_BAD_REQUEST` for an invalid request, too many keys, or a base field that is not given by value.
   */
  baseKeys(
    filter: NotificationFilter | Readonly<Record<string, unknown>> | null | undefined,
  ): readonly string[]
}

/** One way in which a field's value may be given, in the form of its schema's generation. */
export type FieldDescription = FieldOptions | FieldRule

/** Formats of an event type's keys. */
export interface EventFormats {
  /** Of status keys; ends in a slash. */
  readonly base: KeyFormat
  /** Of notification keys: base and stem. */
  readonly key: KeyFormat
  /** Of the keys that index notifications by date, where there are such. */
  readonly admin: KeyFormat | undefined
}

/** The reading side, for the collection of all schemas. */
export interface EventReader {
  readonly event: string
  readonly root: string
  /**
   * The request in a notification key.
   *
   * @param allowSlashes - Whether fields of the stem may hold slashes, as other writers store them.
   */
  read(key: string, allowSlashes: boolean): NotificationRequest | undefined
  isBase(key: string): boolean
  isAdmin(key: string): boolean
}

/** Compiles the reading side of an event type. */
export function createEventReader(definition: EventDefinition): EventReader {
  const { event, root, key: keyFormat, base, admin } = definition
  const hasRepeats = new Set(keyFormat.fields).size < keyFormat.fields.length
  return {
    event,
    root,
    read(key, allowSlashes) {
      const segmentFields = allowSlashes ? base.fields.length : keyFormat.fields.length
      const values = readKey(keyFormat, key, segmentFields)
      return values === undefined ? undefined : toRequest(keyFormat, values, hasRepeats)
    },
    isBase: (key) => readKey(base, key, base.fields.length) !== undefined,
    isAdmin: (key) => admin !== undefined && readKey(admin, key, admin.fields.length) !== undefined,
  }
}

function toRequest(
  format: KeyFormat,
  values: readonly string[],
  hasRepeats: boolean,
): NotificationRequest | undefined {
  const request: Record<string, string> = {}
  for (let index = 0; index < values.length; index++) {
    const name = format.fields[index] ?? ''
    const value = values[index] ?? ''
    if (hasRepeats && (request[name] ?? value) !== value) return undefined
    request[name] = value
  }
  return request
}

/** Compiles an event type. */
export function createEventSchema(definition: EventDefinition): EventSchema {
  const { event, base, key, admin } = definition
  const fields = unique(key.fields)
  const requiredForNotify = unique([...key.fields, ...(admin?.fields ?? [])])
  const requiredForListen = unique(base.fields)

  function filter(
    request: Readonly<Record<string, unknown>> | null | undefined,
    tests: ReadonlyMap<string, FieldCondition> = new Map(),
  ): NotificationFilter {
    const conditions = new Map<string, FieldCondition>()
    for (const [name, value] of Object.entries(request ?? {})) {
      const field = definition.fields.get(name)
      if (field === undefined) throw badFilter(shown(name), `Key ${shown(name)} is not allowed`)
      if (!fields.includes(name))
        throw badFilter(name, `Key ${name} is not part of a notification's key, leave it out`)
      conditions.set(name, createCondition(field, value))
    }
    const missing = requiredForListen.find((name) => !conditions.has(name))
    if (missing !== undefined) throw badFilter(missing, `Wrong listener file: ${missing} required`)
    return { event, conditions: new Map([...conditions, ...tests]) }
  }

  function readValues(
    request: Readonly<Record<string, unknown>>,
    refuse: Refuse = raise,
  ): ReadonlyMap<string, string> {
    const values = canonicaliseAll(definition, request, refuse)
    for (const name of requiredForNotify)
      if (!values.has(name) && !Object.hasOwn(request, name))
        refuse(invalid(name, { message: `Wrong parameters: ${name} required` }))
    return values
  }

  function encode(request: Readonly<Record<string, unknown>>): NotificationKeys {
    const values = readValues(request)
    const stem = writeKey(key, values)
    checkReadsBack(key, stem, values)
    const keys = { stem, base: writeKey(base, values), request: pick(fields, values) }
    return admin === undefined ? keys : { ...keys, admin: writeKey(admin, values) }
  }

  return {
    event,
    generation: 1,
    payloadName: definition.payloadName,
    isPayloadRequired: false,
    fields,
    requiredForNotify,
    requiredForListen,
    rawDescription: definition.description,
    formats: { base, key, admin },
    encode,
    faults: (request) => faultsOf(request, { readValues, encode }),
    filter,
    baseKeys(wanted) {
      const { conditions } = isFilter(wanted) ? wanted : filter(wanted)
      return expand(base, requiredForListen, conditions)
    },
  }
}

/** Takes a fault of a request. */
export type Refuse = (fault: AvisoError) => void

/** The first fault ends it. */
export function raise(fault: AvisoError): never {
  throw fault
}

/** What reads the fields of a request, and tells their faults, and what makes keys of them. */
interface Reading {
  /** Absent: there is no more to tell than the first fault. */
  readonly readValues?: (request: Readonly<Record<string, unknown>>, refuse: Refuse) => unknown
  readonly encode: (request: Readonly<Record<string, unknown>>) => unknown
}

/** All faults of fields; where there are none, what keys cannot be made of. */
export function faultsOf(
  request: Readonly<Record<string, unknown>>,
  { readValues, encode }: Reading,
): readonly AvisoError[] {
  const faults: AvisoError[] = []
  try {
    readValues?.(request, (fault) => void faults.push(fault))
    if (faults.length === 0) encode(request)
  } catch (error) {
    if (!isAvisoError(error, 'ERR_INVALID_NOTIFICATION')) throw error
    faults.push(error)
  }
  return faults
}

function canonicaliseAll(
  definition: EventDefinition,
  request: Readonly<Record<string, unknown>>,
  refuse: Refuse,
): ReadonlyMap<string, string> {
  if (typeof request !== 'object' || request === null) {
    throw invalid('request', { message: "Invalid notification, 'request' must be an object" })
  }
  const values = new Map<string, string>()
  for (const name of Object.keys(request)) {
    const field = definition.fields.get(name)
    const text = field?.canonicalise(request[name]) ?? { message: `Key ${shown(name)} is not allowed` }
    if (typeof text === 'string') values.set(name, text)
    else refuse(invalid(field === undefined ? shown(name) : name, text))
  }
  return values
}

/** A value that contains the text between fields would come back as another request: one key, two meanings. */
function checkReadsBack(format: KeyFormat, key: string, values: ReadonlyMap<string, string>): void {
  const read = readKey(format, key, format.fields.length)
  const wrong = format.fields.find((name, index) => read?.[index] !== values.get(name))
  if (wrong === undefined) return
  throw invalid(wrong, {
    message: `Value ${showValue(values.get(wrong))} is not valid for key ${wrong}, it contains text that separates the fields of the key`,
  })
}

/** The cartesian product of the values of the base fields. */
function expand(
  base: KeyFormat,
  names: readonly string[],
  conditions: ReadonlyMap<string, FieldCondition>,
): readonly string[] {
  let combinations: ReadonlyMap<string, string>[] = [new Map()]
  for (const name of names) {
    const condition = conditions.get(name)
    if (condition?.kind !== 'in') throw badFilter(name, `Key ${name} must be given by its values`)
    if (combinations.length * condition.values.size > MAX_BASE_KEYS) {
      throw badFilter(
        name,
        `The request covers more than ${String(MAX_BASE_KEYS)} base keys, list fewer values`,
      )
    }
    combinations = combinations.flatMap((values) =>
      [...condition.values].map((value) => new Map([...values, [name, value]])),
    )
  }
  return combinations.map((values) => writeKey(base, values))
}

/** Whether something is compiled already. */
export function isFilter(wanted: object | null | undefined): wanted is NotificationFilter {
  return wanted !== null && wanted !== undefined && 'conditions' in wanted && wanted.conditions instanceof Map
}

function pick(names: readonly string[], values: ReadonlyMap<string, string>): NotificationRequest {
  const request: Record<string, string> = {}
  for (const name of names) request[name] = values.get(name) ?? ''
  return request
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)]
}

/** A client's own name of a field, cut for a message. */
function shown(name: string): string {
  return showValue(name)
}

function invalid(field: string, refusal: Refusal): AvisoError {
  const details = refusal.reason === undefined ? { field } : { field, reason: refusal.reason }
  return new AvisoError('ERR_INVALID_NOTIFICATION', refusal.message, { details })
}
