/**
 * How routes are described for the document of the API (OpenAPI). Each room with routes has a `doc.ts` beside them, which the
 * first request for the document loads, and `services/system/contract.ts` lists those files.
 *
 * @module
 */

import type { AvisoErrorCode } from '#shared/errors.ts'

/** A JSON Schema (2020-12). */
export type JsonSchema = Readonly<Record<string, unknown>>

/** A part of a query, a path or the headers. */
export interface ParameterDoc {
  readonly about: string
  /** Default: text. */
  readonly schema?: JsonSchema
  readonly required?: boolean
  readonly example?: string
}

/** The body of a request. */
export interface BodyDoc {
  readonly about?: string
  /** Media type → schema. */
  readonly content?: Readonly<Record<string, JsonSchema>>
  /** Media type → schema of one line. */
  readonly items?: Readonly<Record<string, JsonSchema>>
  /** Name → value, for the first media type. */
  readonly examples?: Readonly<Record<string, unknown>>
  /** Whether the route answers without one, too. Default: it is required. */
  readonly optional?: boolean
}

/** An answer that is no error of the table in `shared/errors.ts`. */
export interface AnswerDoc {
  readonly about: string
  /** Media type → schema of the whole body. */
  readonly content?: Readonly<Record<string, JsonSchema>>
  /** Media type → schema of one item: an event of a stream, or a line. */
  readonly items?: Readonly<Record<string, JsonSchema>>
  /** Name → meaning, besides `X-Request-ID`. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Who may use a route: everyone, who may listen or publish, an administrator, or who has the token of the telemetry. */
export type AccessDoc = 'everyone' | 'listener' | 'provider' | 'administrator' | 'telemetry'

/** The form of errors: of 1.x, of 2.x, of the one that the body has, or of etcd. */
export type ErrorForm = 1 | 2 | 'both' | 'etcd'

/** One route. */
export interface OperationDoc {
  /** Method and path, exactly as the route has them: `GET /api/v1/schema/:event`. */
  readonly route: `${'GET' | 'POST' | 'PUT' | 'DELETE'} /${string}`
  readonly summary: string
  readonly about?: string
  readonly access: AccessDoc
  readonly form: ErrorForm
  readonly query?: Readonly<Record<string, ParameterDoc>>
  /** Whether the query has the fields of the event type besides. */
  readonly takesFields?: boolean
  /** Parts of the path, by name. */
  readonly path?: Readonly<Record<string, ParameterDoc>>
  readonly headers?: Readonly<Record<string, ParameterDoc>>
  readonly body?: BodyDoc
  /** Status → answer. */
  readonly answers: Readonly<Record<number, AnswerDoc>>
  /** Those besides what every route of this access and form can answer. */
  readonly errors?: readonly AvisoErrorCode[]
  /** Codes of 2.x for a 400 that do not follow from ours. */
  readonly codes?: readonly string[]
  /** Members that errors have besides the common ones. */
  readonly errorMembers?: Readonly<Record<string, JsonSchema>>
}

/** The routes of a room. */
export interface RoomDoc {
  /** One word or two, under which readers find them. */
  readonly tag: string
  readonly about: string
  /** By the name that {@link Route.doc} gives. */
  readonly operations: Readonly<Record<string, OperationDoc>>
  /** Schemas that have a name, for {@link named}. */
  readonly schemas?: Readonly<Record<string, JsonSchema>>
}

/** What a body of the wrong form, size or pace is answered with. */
export const BODY_ERRORS: readonly AvisoErrorCode[] = [
  'ERR_BAD_REQUEST',
  'ERR_INVALID_JSON',
  'ERR_BODY_TIMEOUT',
  'ERR_TOO_LARGE',
  'ERR_UNSUPPORTED_MEDIA_TYPE',
]

/** What routes with a quota answer besides. */
export const QUOTA_HEADERS = { RateLimit: 'What is left of the quota', 'RateLimit-Policy': 'The quota' }

/** What a store that fails is answered with. */
export const READ_ERRORS: readonly AvisoErrorCode[] = ['ERR_STORE_PROTOCOL', 'ERR_STORE_DAMAGED']

/** The same, where something is written. */
export const WRITE_ERRORS: readonly AvisoErrorCode[] = [
  ...READ_ERRORS,
  'ERR_READ_ONLY',
  'ERR_STORE_FULL',
  'ERR_OUTCOME_UNKNOWN',
]

/** What a position that cannot be had is answered with. */
export const POSITION_ERRORS: readonly AvisoErrorCode[] = [
  'ERR_HISTORY_COMPACTED',
  'ERR_FUTURE_POSITION',
  'ERR_EPOCH_CHANGED',
]

/** A text. */
export function text(description?: string, more: JsonSchema = {}): JsonSchema {
  return { type: 'string', ...(description !== undefined && { description }), ...more }
}

/** A whole number from 0 on. */
export function count(description?: string, more: JsonSchema = {}): JsonSchema {
  return { type: 'integer', minimum: 0, ...(description !== undefined && { description }), ...more }
}

/** A number. */
export function number(description?: string): JsonSchema {
  return { type: 'number', ...(description !== undefined && { description }) }
}

/** True or false. */
export function flag(description?: string): JsonSchema {
  return { type: 'boolean', ...(description !== undefined && { description }) }
}

/** One of some texts. */
export function oneOf(values: readonly string[], description?: string): JsonSchema {
  return { type: 'string', enum: values, ...(description !== undefined && { description }) }
}

/** A date and time with `Z`. */
export function time(description?: string): JsonSchema {
  return text(description, { format: 'date-time' })
}

/** A whole number as text, because it may exceed 2^53. */
export function digits(description?: string): JsonSchema {
  return text(description, { pattern: '^[0-9]{1,20}$' })
}

/** Something, or `null`. */
export function orNull(schema: JsonSchema): JsonSchema {
  return typeof schema['type'] === 'string' && schema['enum'] === undefined
    ? { ...schema, type: [schema['type'], 'null'] }
    : { anyOf: [schema, { type: 'null' }] }
}

/** A list. */
export function list(items: JsonSchema, description?: string): JsonSchema {
  return { type: 'array', items, ...(description !== undefined && { description }) }
}

/** An object with members. A name that ends with `?` is optional. */
export function object(members: Readonly<Record<string, JsonSchema>>, description?: string): JsonSchema {
  const names = Object.keys(members)
  const required = names.filter((name) => !name.endsWith('?'))
  return {
    type: 'object',
    ...(description !== undefined && { description }),
    properties: Object.fromEntries(names.map((name) => [name.replace(/\?$/, ''), members[name]])),
    ...(required.length > 0 && { required }),
  }
}

/** An object with these members and no others: what a request may have. */
export function strictObject(
  members: Readonly<Record<string, JsonSchema>>,
  description?: string,
): JsonSchema {
  return { ...object(members, description), additionalProperties: false }
}

/** An object whose names are not known before. */
export function mapOf(values: JsonSchema, description?: string): JsonSchema {
  return {
    type: 'object',
    additionalProperties: values,
    ...(description !== undefined && { description }),
  }
}

/** A schema of {@link RoomDoc.schemas}, of this room or another. */
export function named(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` }
}

/** JSON of a schema. */
export function json(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  return { 'application/json': schema }
}
