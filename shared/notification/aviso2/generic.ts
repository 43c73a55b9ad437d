/**
 * Event types without a schema, in permissive mode: any field with any value. As in 2.x, keys are made of the fields in the order of their
 * names; here with the names, so that what is stored can be delivered.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'

import { faultsOf, type EventSchema } from '../event_schema.ts'
import { showValue } from '../fields.ts'
import { badFilter, createCondition } from '../match.ts'
import type { FieldCondition, NotificationKeys, NotificationRequest } from '../notification.ts'
import { isUsableName } from '../schema_file.ts'
import { createField, refuse } from './fields.ts'
import { ANY_VALUE, checkKey, decodeSegment, encodeSegment } from './key_text.ts'

/** Prefix of the keys of all event types without a schema. No base of a schema can be `-`. */
export const GENERIC_ROOT = '/aviso2/-/'

/** A name has no `=`, which ends it in keys. */
const NAME = /^[^=\s]{1,64}$/u
const BAD_NAME = 'cannot be the name of a field: use up to 64 characters, and no "=" and no space'
const TEXT = { type: 'StringHandler' } as const

/** Prefix of the keys of one event type. */
export function genericRoot(event: string): string {
  return `${GENERIC_ROOT}${event}/`
}

/** An event type without a schema; `undefined` where it cannot have that name. */
export function createGenericSchema(event: string): EventSchema | undefined {
  if (!isUsableName(event)) return undefined
  const root = genericRoot(event)
  return {
    event,
    generation: 2,
    payloadName: 'payload',
    isPayloadRequired: false,
    fields: [],
    requiredForNotify: [],
    requiredForListen: [],
    rawDescription: { request: {} },
    formats: {
      base: { literals: [root], fields: [] },
      // For whoever goes through keys: what follows the root is one text.
      key: { literals: [root, ''], fields: ['identifier'] },
      admin: undefined,
    },
    encode: (request) => encode(event, request),
    faults: (request) => faultsOf(request, { encode: (given) => encode(event, given) }),
    filter(request) {
      const conditions = new Map<string, FieldCondition>()
      for (const [name, value] of Object.entries(request ?? {})) {
        if (typeof value === 'object' && !Array.isArray(value))
          throw badFilter(
            showValue(name),
            `Constraint on field '${showValue(name)}' is not supported without schema`,
          )
        if (value !== ANY_VALUE) conditions.set(name, createCondition(createField(name, TEXT), value))
      }
      return { event, conditions }
    },
    baseKeys: () => [root],
  }
}

/** The event type and the request in a key under {@link GENERIC_ROOT}; `undefined` for a key that is not written so. */
export function readGenericKey(
  key: string,
): { readonly event: string; readonly request: NotificationRequest } | undefined {
  const [event = '', ...segments] = key.slice(GENERIC_ROOT.length).split('/')
  if (!isUsableName(event) || segments.length === 0) return undefined
  const request: Record<string, string> = {}
  let before = ''
  for (const segment of segments) {
    const end = segment.indexOf('=')
    const name = decodeSegment(segment.slice(0, Math.max(end, 0)))
    const value = decodeSegment(segment.slice(end + 1))
    // Names ascend, so a request has one key.
    if (name === undefined || value === undefined || value === '' || !NAME.test(name) || name <= before)
      return undefined
    request[name] = value
    before = name
  }
  return { event, request }
}

/** The event type whose status document has this key; `undefined` where it is none. */
export function genericBaseOf(key: string): string | undefined {
  const event = key.slice(GENERIC_ROOT.length, -1)
  return isUsableName(event) && key === genericRoot(event) ? event : undefined
}

function encode(event: string, request: Readonly<Record<string, unknown>>): NotificationKeys {
  const root = genericRoot(event)
  const values = Object.entries(request)
    .map(([name, value]): readonly [string, string] => {
      const text = isFieldName(name)
        ? createField(name, TEXT).canonicalise(value)
        : refuse(showValue(name), BAD_NAME)
      if (typeof text !== 'string') throw invalid(showValue(name), text.message)
      return [name, text]
    })
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  if (values.length === 0)
    throw invalid('identifier', 'An event type without a schema needs at least one field')
  const stem = root + values.map(([name, text]) => `${encodeSegment(name)}=${encodeSegment(text)}`).join('/')
  checkKey(stem)
  return { stem, base: root, request: Object.fromEntries(values) }
}

function isFieldName(name: string): boolean {
  return NAME.test(name) && name.isWellFormed()
}

function invalid(field: string, message: string): AvisoError {
  return new AvisoError('ERR_INVALID_NOTIFICATION', message, { details: { field } })
}
