/**
 * One event type of aviso 2.x: from a provider's request to store keys and back, and from a listener's request to a filter.
 *
 * @module
 */

import { toBytes } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'
import { fingerprint } from '#shared/journal/codec.ts'

import {
  faultsOf,
  isFilter,
  MAX_BASE_KEYS,
  raise,
  type EventReader,
  type EventSchema,
  type Refuse,
} from '../event_schema.ts'
import { showValue } from '../fields.ts'
import { readKey, writeKey } from '../key_format.ts'
import { badFilter, createCondition } from '../match.ts'
import type { FieldCondition, NotificationFilter, NotificationKeys } from '../notification.ts'
import { isPlaceAsked, placeCondition } from './geometry.ts'
import { ANY_VALUE, checkKey, decodeSegment, encodeSegment } from './key_text.ts'
import { LONE_END, type EventDefinition2 } from './schema_file.ts'

/** Most prefixes of keys that are made of several fields: each is judged and read for itself, and the first field decides most rights. */
const MAX_PREFIXES = 64

/** Compiles the reading side of an event type. */
export function createEventReader2(definition: EventDefinition2): EventReader {
  const { event, root, key: format, base, geometry } = definition
  const plain = { ...format, literals: [...format.literals.slice(0, -1), ''] }
  return {
    event,
    root,
    read(key) {
      // Written before or after the schema got or lost its destinations.
      const stem = format.fields.length === 1 && key.endsWith(LONE_END) ? key.slice(0, -LONE_END.length) : key
      const texts = readKey(plain, stem, format.fields.length)
      if (texts === undefined) return undefined
      const request: Record<string, string> = {}
      for (const [index, name] of format.fields.entries()) {
        const value = decodeSegment(texts[index] ?? '')
        if (value === undefined) return undefined
        // Its fingerprint is in the key; the journal has its value.
        if (name !== geometry?.field.name) request[name] = value
      }
      return request
    },
    isBase: (key) => key === base.literals[0],
    isAdmin: () => false,
  }
}

/** Compiles an event type. */
export function createEventSchema2(definition: EventDefinition2): EventSchema {
  const { event, base, key, fields, rules, root, geometry } = definition
  const shape = geometry?.field.name
  const names = key.fields
  const requiredForListen = [...rules].filter(([, { required }]) => required === true).map(([name]) => name)

  function encode(request: Readonly<Record<string, unknown>>): NotificationKeys {
    const values = canonicaliseAll(definition, request, raise)
    const texts = new Map(
      [...values].map(([name, value]) => [
        name,
        name === shape ? fingerprint(toBytes(value)) : encodeSegment(value),
      ]),
    )
    const stem = writeKey(key, texts)
    checkKey(stem)
    const keys = { stem, base: root, request: Object.fromEntries(values) }
    return shape === undefined ? keys : { ...keys, unkeyed: { [shape]: values.get(shape) ?? '' } }
  }

  function filter(
    request: Readonly<Record<string, unknown>> | null | undefined,
    tests: ReadonlyMap<string, FieldCondition> = new Map(),
  ): NotificationFilter {
    const conditions = new Map<string, FieldCondition>(tests)
    const anyValue = new Set<string>()
    for (const [name, value] of Object.entries(request ?? {})) {
      if (geometry !== undefined && isPlaceAsked(name, request ?? {})) {
        if (value === ANY_VALUE) anyValue.add(geometry.field.name)
        else conditions.set(geometry.field.name, placeCondition(geometry, name, value))
        continue
      }
      const field = name === shape ? undefined : fields.get(name)
      if (field === undefined)
        throw badFilter(showValue(name), `Unknown field '${showValue(name)}' provided for watch operation`)
      if (value === ANY_VALUE) anyValue.add(name)
      else conditions.set(name, createCondition(field, value))
    }
    const missing = requiredForListen.find((name) => !conditions.has(name) && !anyValue.has(name))
    if (missing !== undefined)
      throw badFilter(missing, `Required field '${missing}' missing for watch operation`)
    return { event, conditions }
  }

  return {
    event,
    generation: 2,
    payloadName: definition.payloadName,
    isPayloadRequired: definition.isPayloadRequired,
    fields: names,
    requiredForNotify: names,
    requiredForListen,
    rawDescription: { request: Object.fromEntries([...rules].map(([name, rule]) => [name, [rule]])) },
    auth: definition.auth,
    storage: definition.storage,
    historyLimit: definition.historyLimit,
    formats: { base, key, admin: undefined },
    encode,
    faults: (request) =>
      faultsOf(request, { readValues: canonicaliseAll.bind(undefined, definition), encode }),
    filter,
    baseKeys: (wanted) => prefixesOf(definition, isFilter(wanted) ? wanted : filter(wanted)),
  }
}

/** So that who may listen to some keys only is let in, as long as it asks for no others. */
function prefixesOf({ root, key }: EventDefinition2, { conditions }: NotificationFilter): readonly string[] {
  let prefixes: readonly string[] = [root]
  const hasEnd = key.literals.at(-1) !== ''
  // The last field usually has no slash behind it.
  for (const [place, name] of (hasEnd ? key.fields : key.fields.slice(0, -1)).entries()) {
    const condition = conditions.get(name)
    if (condition?.kind !== 'in') break
    if (prefixes.length * condition.values.size > (place === 0 ? MAX_BASE_KEYS : MAX_PREFIXES)) break
    prefixes = prefixes.flatMap((prefix) =>
      [...condition.values].map((value) => `${prefix}${encodeSegment(value)}/`),
    )
  }
  return prefixes
}

/** The canonical values, in the order of the key. As in 2.x, a provider gives every field, required or not. */
function canonicaliseAll(
  { fields, key }: EventDefinition2,
  request: Readonly<Record<string, unknown>>,
  refuse: Refuse,
): ReadonlyMap<string, string> {
  for (const name of Object.keys(request))
    if (!fields.has(name))
      refuse(invalid(showValue(name), `Unknown field '${showValue(name)}' provided for notify operation`))
  const values = new Map<string, string>()
  for (const name of key.fields) {
    const value = request[name]
    const text =
      value === undefined
        ? { message: `Required field '${name}' missing for notify operation` }
        : (fields.get(name)?.canonicalise(value) ?? '')
    if (typeof text === 'string') values.set(name, text)
    else refuse(invalid(name, text.message))
  }
  return values
}

function invalid(field: string, message: string): AvisoError {
  return new AvisoError('ERR_INVALID_NOTIFICATION', message, { details: { field } })
}
