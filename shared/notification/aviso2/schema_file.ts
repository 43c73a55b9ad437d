/**
 * Reads a schema of aviso 2.x, alone or in its server's configuration, into event definitions, or says what is wrong with it and where.
 *
 * @module
 */

import * as v from 'valibot'

import type { Field } from '../fields.ts'
import type { KeyFormat } from '../key_format.ts'
import {
  check,
  failureOf,
  isUsableName,
  type EventDefinition,
  type Place,
  type SchemaFile,
} from '../schema_file.ts'
import { fieldRule, isGeometry, type FieldRule } from './field_rule.ts'
import { createField } from './fields.ts'
import { geometryOf, GEOMETRY_NAMES, LISTENERS_POINT, type EventGeometry } from './geometry.ts'
import { schemaAuth, type SchemaAuth } from './schema_auth.ts'
import { storagePolicy, type StoragePolicy } from './storage_policy.ts'
import { strictSection, unknownMember } from './strict_section.ts'

/** One event type of a 2.x schema, compiled. */
export interface EventDefinition2 extends Omit<EventDefinition, 'generation' | 'description' | 'admin'> {
  readonly generation: 2
  readonly admin: undefined
  /** Field → its rule, as the file has it. */
  readonly rules: ReadonlyMap<string, FieldRule>
  /** Its field that is a geometry, where it has one. */
  readonly geometry: EventGeometry | undefined
  readonly isPayloadRequired: boolean
  readonly auth: SchemaAuth | undefined
  readonly storage: StoragePolicy | undefined
  /** Most notifications that one stream gets of the history. */
  readonly historyLimit: number | undefined
}

/** The event types of a 2.x schema. */
export interface SchemaFile2 {
  readonly definitions: readonly EventDefinition2[]
  /** Whether event types that are not defined are refused. */
  readonly isStrict: boolean
}

/** Prefix of all keys of 2.x event types. The name of the topic follows. */
export const ROOT_2 = '/aviso2/'

/** What follows the only field of a key whose prefix decides who may see it. No value has a slash in a key. */
export const LONE_END = '/-'

const SCHEMA_MEMBER = 'notification_schema'
const STRICT_MEMBER = 'notification_schema_strict'
/** As in 2.x. A base is a segment of keys here, and the name of a stream there. */
const BASE = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/
const FIELD = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/

const LIMIT_RULE = 'It must be a whole number above 0'

const eventRule = strictSection({
  topic: strictSection({
    base: v.pipe(
      v.string('It must be text'),
      v.regex(
        BASE,
        'A base has letters, digits, "_" and "-", begins with a letter or a digit, and is not longer than 64',
      ),
    ),
    key_order: v.pipe(
      v.array(v.string('It must be the name of a field'), 'It must be a list of fields'),
      v.minLength(1, 'It must list the fields of the identifier, in their order in keys'),
    ),
  }),
  identifier: v.record(v.string(), fieldRule, 'It must map each field to its rule'),
  payload: v.nullish(strictSection({ required: v.nullish(v.boolean('It must be true or false')) })),
  description: v.nullish(v.string('It must be text')),
  auth: v.nullish(schemaAuth),
  storage_policy: v.nullish(storagePolicy),
  max_historical_notifications: v.nullish(
    v.pipe(
      v.number(LIMIT_RULE),
      v.safeInteger(LIMIT_RULE),
      v.minValue(1, `${LIMIT_RULE}; leave it out, and a replay is whole`),
    ),
  ),
  // 2.x accepts and ignores it.
  endpoint: v.optional(v.unknown()),
})

/** Whether the content of a schema file is a schema of 2.x. */
export function isSchema2(content: unknown): content is object {
  return typeof content === 'object' && content !== null && Object.hasOwn(content, SCHEMA_MEMBER)
}

/**
 * Compiles every event type. Other sections of the server's configuration are not looked at.
 *
 * @throws {AvisoError} `ERR_CONFIG` that names the file, the dotted path and the reason.
 */
export function parseSchemaFile2({ source, content }: SchemaFile): SchemaFile2 {
  const fail = failureOf(source)
  const names = [SCHEMA_MEMBER, STRICT_MEMBER]
  const members = new Map<string, unknown>(Object.entries(Object(content)))
  const unknown = [...members.keys()].find((name) => name.startsWith(SCHEMA_MEMBER) && !names.includes(name))
  if (unknown !== undefined) throw fail('', unknownMember(unknown, names))
  const events = members.get(SCHEMA_MEMBER) ?? {}
  if (typeof events !== 'object' || Array.isArray(events))
    throw fail(SCHEMA_MEMBER, 'It must map each event type to its schema')
  const strict = members.get(STRICT_MEMBER) ?? undefined
  if (strict !== undefined && typeof strict !== 'boolean')
    throw fail(STRICT_MEMBER, 'It must be true or false')
  const isStrict = strict ?? Object.keys(events).length > 0
  const definitions = Object.entries(events).map(([event, rule]) =>
    compileEvent(source, event, rule, { fail, path: `${SCHEMA_MEMBER}.${event}` }),
  )
  return { definitions, isStrict }
}

function compileEvent(source: string, event: string, content: unknown, place: Place): EventDefinition2 {
  if (!isUsableName(event)) throw place.fail(place.path, 'This name cannot be used for an event type')
  checkFieldNames(content, place)
  const rule = check(eventRule, content, place)
  const rules = new Map(Object.entries(rule.identifier))
  checkGeometries(rules, place)
  checkKeyOrder(rule.topic.key_order, rules, place)
  const geometry = geometryOf(rules)
  const fields = new Map<string, Field>(geometry && [[geometry.field.name, geometry.field]])
  for (const [name, options] of rules) {
    if (isGeometry(options)) continue
    const field = createField(name, options)
    checkDefault(field, options, { ...place, path: `${place.path}.identifier.${name}` })
    fields.set(name, field)
  }
  const root = `${ROOT_2}${rule.topic.base}/`
  return {
    generation: 2,
    source,
    event,
    payloadName: 'payload',
    fields,
    rules,
    geometry,
    ...formatsOf(root, {
      order: rule.topic.key_order,
      geometry: geometry?.field.name,
      isByDestination: rule.auth?.isEcpds === true,
    }),
    admin: undefined,
    root,
    isPayloadRequired: rule.payload?.required === true,
    auth: rule.auth ?? undefined,
    storage: rule.storage_policy ?? undefined,
    historyLimit: rule.max_historical_notifications ?? undefined,
  }
}

/** Before validation, because objects cannot be trusted to keep names such as `__proto__`. */
function checkFieldNames(content: unknown, place: Place): void {
  const identifier =
    typeof content === 'object' && content !== null && 'identifier' in content
      ? content.identifier
      : undefined
  if (typeof identifier !== 'object' || identifier === null) return
  for (const name of Object.keys(identifier)) {
    const path = `${place.path}.identifier.${name}`
    if (name === LISTENERS_POINT)
      throw place.fail(path, '"point" is what listeners ask for, so it cannot be the name of a field')
    if (name === '__proto__' || name === 'constructor' || name === 'prototype' || !FIELD.test(name))
      throw place.fail(path, 'This name cannot be used for a field')
  }
}

function checkGeometries(rules: ReadonlyMap<string, FieldRule>, place: Place): void {
  const names: string[] = []
  for (const [name, rule] of rules) {
    const path = `${place.path}.identifier.${name}`
    const isReserved = Object.values<string>(GEOMETRY_NAMES).includes(name)
    if (isGeometry(rule)) {
      names.push(name)
      const wanted = GEOMETRY_NAMES[rule.type]
      if (name !== wanted) throw place.fail(path, `A field of type ${rule.type} must be called ${wanted}`)
    } else if (isReserved)
      throw place.fail(path, `"${name}" is a geometry: give it that type or another name`)
  }
  if (names.length > 1)
    throw place.fail(
      `${place.path}.identifier`,
      `An event type has one geometry, and not ${names.join(' and ')}`,
    )
}

/** As newer versions of 2.x: what is not in the order would not be in keys, and notifications that differ there would be one. */
function checkKeyOrder(order: readonly string[], rules: ReadonlyMap<string, FieldRule>, place: Place): void {
  const path = `${place.path}.topic.key_order`
  const unknown = order.find((name) => !rules.has(name))
  if (unknown !== undefined)
    throw place.fail(path, `"${unknown.slice(0, 64)}" is not a field of the identifier`)
  const repeated = order.find((name, index) => order.indexOf(name) !== index)
  if (repeated !== undefined) throw place.fail(path, `${repeated} stands twice`)
  for (const [name, { type }] of rules) {
    if (type === 'PointCloudHandler' && order.includes(name))
      throw place.fail(path, `${name} cannot be in the order, because a point cloud is no part of a key`)
    if (type !== 'PolygonHandler' && type !== 'PointCloudHandler' && !order.includes(name))
      throw place.fail(
        path,
        `${name} is missing: every field of the identifier but a geometry must be in the order`,
      )
  }
}

function checkDefault(field: Field, rule: FieldRule, place: Place): void {
  if (rule.type !== 'ExpverHandler' || (rule.default ?? '') === '') return
  const text = field.canonicalise(rule.default)
  if (typeof text !== 'string') throw place.fail(`${place.path}.default`, text.message)
}

/**
 * The formats of keys: the root is the base, and the fields follow in their order, one in each segment. A geometry is the last, by its
 * fingerprint. Where a right to the first field is a right to a prefix of keys, something must follow that field.
 */
function formatsOf(
  root: string,
  {
    order,
    geometry,
    isByDestination,
  }: {
    readonly order: readonly string[]
    readonly geometry: string | undefined
    readonly isByDestination: boolean
  },
): { readonly base: KeyFormat; readonly key: KeyFormat } {
  const ordinary = order.filter((name) => name !== geometry)
  const fields = geometry === undefined ? ordinary : [...ordinary, geometry]
  const literals = fields.map((_name, index) => (index === 0 ? root : '/'))
  const end = isByDestination && fields.length === 1 ? LONE_END : ''
  return { base: { literals: [root], fields: [] }, key: { literals: [...literals, end], fields } }
}
