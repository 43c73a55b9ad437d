/**
 * Reads a schema file of the 1.x format into event definitions, or says what is wrong with it and where.
 *
 * @module
 */

import * as v from 'valibot'

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { INTERNAL_PREFIX } from '#shared/journal/journal.ts'

import { fieldOptions } from './field_options.ts'
import { createField, type Field } from './fields.ts'
import { canStartWith, parseKeyFormat, type KeyFormat } from './key_format.ts'

/** A schema file as it was read: `source` names it in messages. */
export interface SchemaFile {
  readonly source: string
  readonly content: unknown
}

/** One event type of a schema file, compiled. */
export interface EventDefinition {
  readonly generation: 1
  readonly source: string
  readonly event: string
  /** Name of the payload for providers and listeners. */
  readonly payloadName: string
  readonly fields: ReadonlyMap<string, Field>
  /** Format of the status key; ends in a slash. */
  readonly base: KeyFormat
  /** Format of the notification key: base and stem. */
  readonly key: KeyFormat
  readonly admin: KeyFormat | undefined
  /** Literal text that every key starts with, up to the last slash before the first field. */
  readonly root: string
  /** The event's part of the file as it stands. */
  readonly description: EventDescription
}

/** An event type in the form of a schema file. */
export type EventDescription = v.InferOutput<typeof eventDescription>

/** 1.x's name where the file has none. */
const DEFAULT_PAYLOAD_NAME = 'payload'
/** Endpoints that apply to us, best first: the first entry that lists the engine counts. */
const ENGINES = ['etcd_rest', 'etcd_grpc']
/** Names become parts of store keys, formats and metric labels. */
const EVENT_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/
const FIELD_NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/
/** Taken by JavaScript objects, or by the notification itself. */
const RESERVED_NAMES: ReadonlySet<string> = new Set([
  '__proto__',
  'constructor',
  'prototype',
  'event',
  'request',
  'ttl',
])

const endpoint = v.looseObject({
  engine: v.array(v.string()),
  base: v.optional(v.string()),
  stem: v.optional(v.string()),
  admin: v.nullish(v.string()),
})

const eventDescription = v.looseObject({
  endpoint: v.pipe(v.array(endpoint), v.minLength(1, "'endpoint' should be a non empty list")),
  request: v.record(
    v.string(),
    v.pipe(v.array(fieldOptions), v.minLength(1, 'At least one type must be given')),
  ),
})

const fileDescription = v.looseObject({ payload: v.nullish(v.string()) })

/**
 * Compiles every event type of a file. Top-level text and numbers beside `payload` are ignored.
 *
 * @throws {AvisoError} `ERR_CONFIG` that names the file, the dotted path and the reason.
 */
export function parseSchemaFile(file: SchemaFile): readonly EventDefinition[] {
  const fail = failureOf(file.source)
  if (typeof file.content !== 'object' || file.content === null || Array.isArray(file.content)) {
    throw fail('', 'It must be a JSON object')
  }
  const payloadName = check(fileDescription, file.content, { fail, path: '' }).payload || DEFAULT_PAYLOAD_NAME
  if (!isUsableName(payloadName, FIELD_NAME)) throw fail('payload', 'This name cannot be used')

  const events: EventDefinition[] = []
  for (const [event, content] of Object.entries(file.content)) {
    if (event === 'payload' || typeof content === 'string' || typeof content === 'number') continue
    events.push(
      within({ fail, path: event }, () => compileEvent(file.source, event, { content, payloadName })),
    )
  }
  if (events.length === 0) throw fail('', 'It defines no event type')
  return events
}

/** Makes the one kind of error of this module. */
export function failureOf(source: string): Failure {
  return (path, reason, cause) =>
    new AvisoError('ERR_CONFIG', `Schema ${source}${path === '' ? '' : `, ${path}`}: ${reason}`, {
      ...(cause === undefined ? {} : { cause }),
      details: { source, path },
    })
}

type Failure = (path: string, reason: string, cause?: unknown) => AvisoError

/** Where in a file something is. */
export interface Place {
  readonly fail: Failure
  readonly path: string
}

function compileEvent(
  source: string,
  event: string,
  file: { readonly content: unknown; readonly payloadName: string },
): EventDefinition {
  const place = { fail: failureOf(source), path: event }
  if (!isUsableName(event)) throw place.fail(event, 'This name cannot be used for an event type')
  checkFieldNames(file.content, file.payloadName, place)
  const description = check(eventDescription, file.content, place)
  const fields = new Map(
    Object.entries(description.request).map(([name, types]) => [
      name,
      within({ ...place, path: `${event}.request.${name}` }, () => createField(name, types)),
    ]),
  )
  const formats = compileFormats(description, place)
  for (const format of [formats.key, formats.admin]) {
    const unknown = format?.fields.find((name) => !fields.has(name))
    if (unknown !== undefined)
      throw place.fail(`${event}.endpoint`, `Field {${unknown}} is not declared in 'request'`)
  }
  return { generation: 1, source, event, payloadName: file.payloadName, fields, ...formats, description }
}

/** Before validation, because objects cannot be trusted to keep names such as `__proto__`. */
function checkFieldNames(content: unknown, payloadName: string, place: Place): void {
  const request =
    typeof content === 'object' && content !== null && 'request' in content ? content.request : undefined
  if (typeof request !== 'object' || request === null) return
  for (const name of Object.keys(request)) {
    if (!isUsableName(name, FIELD_NAME) || name === payloadName) {
      throw place.fail(`${place.path}.request`, `"${name}" cannot be used as the name of a field`)
    }
  }
}

function compileFormats(description: EventDescription, place: Place) {
  const path = `${place.path}.endpoint`
  const entry = ENGINES.map((engine) =>
    description.endpoint.find((each) => each.engine.includes(engine)),
  ).find((each) => each !== undefined)
  if (entry === undefined) throw place.fail(path, `No entry lists the engine ${ENGINES.join(' or ')}`)
  const stemText = entry.stem?.replace(/^\//, '')
  if (!entry.base) throw place.fail(path, "Wrong schema structure, 'base' in 'endpoint' could not be located")
  if (!stemText) throw place.fail(path, "Wrong schema structure, 'stem' in 'endpoint' could not be located")
  const baseText = entry.base.endsWith('/') ? entry.base : `${entry.base}/`
  return within({ ...place, path }, () => {
    const base = parseKeyFormat(baseText)
    const key = parseKeyFormat(baseText + stemText)
    const admin = entry.admin ? parseKeyFormat(entry.admin) : undefined
    const start = base.literals[0] ?? ''
    const root = start.slice(0, start.lastIndexOf('/') + 1)
    if (!/^\/[^/]+\//.test(root))
      throw place.fail(path, "'base' must begin with a fixed segment, such as /name/")
    if ([key, admin].some((format) => format !== undefined && canStartWith(format, INTERNAL_PREFIX))) {
      throw place.fail(path, `Keys under ${INTERNAL_PREFIX} are reserved`)
    }
    return { base, key, admin, root }
  })
}

/** Whether an event type, or with another pattern a field, can have a name. */
export function isUsableName(name: string, pattern = EVENT_NAME): boolean {
  return pattern.test(name) && !RESERVED_NAMES.has(name)
}

/** Validates a part of a file. */
export function check<const Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  place: Place,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value, { abortEarly: true })
  if (result.success) return result.output
  const [issue] = result.issues
  const path = [place.path, v.getDotPath(issue) ?? ''].filter((part) => part !== '').join('.')
  throw place.fail(path, issue.message)
}

/** Runs a compiler of formats and adds the place to what it finds. */
function within<Result>(place: Place, compile: () => Result): Result {
  try {
    return compile()
  } catch (error) {
    if (isAvisoError(error) && error.details['source'] === undefined)
      throw place.fail(place.path, error.message, error)
    throw error
  }
}
