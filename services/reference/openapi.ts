/**
 * Makes the document of the API (OpenAPI) from the descriptions of the routes.
 *
 * Readers of OpenAPI 3.1 are given `x-itemSchema` for what streams consist of; version 3.2 has `itemSchema` for that.
 *
 * @module
 */

import type { AccessDoc, JsonSchema, OperationDoc, ParameterDoc, RoomDoc } from '#shared/http/doc.ts'
import { text } from '#shared/http/doc.ts'
import { errorAnswer, errorSchemas, errorsByStatus } from './error_answers.ts'
import type { OpenApiVersion } from './paths.ts'

/** A document. Its parts are those of OpenAPI. */
export interface OpenApiDocument {
  readonly openapi: string
  readonly info: JsonSchema
  readonly servers: readonly object[]
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>
    readonly responses: Readonly<Record<string, JsonSchema>>
    readonly headers: Readonly<Record<string, object>>
    readonly securitySchemes: Readonly<Record<string, object>>
  }
}

/** A route in the document. */
export interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description?: string
  readonly security: readonly object[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: JsonSchema
  readonly responses: Readonly<Record<string, JsonSchema>>
}

/** A parameter in the document. */
export interface Parameter {
  readonly name: string
  readonly in: 'query' | 'path' | 'header'
  readonly description: string
  readonly required?: boolean
  readonly schema: JsonSchema
  readonly example?: string
  readonly style?: 'form'
  readonly explode?: boolean
}

const ABOUT = `Notifications are published, stored, and delivered to listeners, live and from history.

HEAD is answered wherever GET is, and OPTIONS everywhere. Other methods of a path are 405. Answers get new members in
later versions: ignore those that you do not know. Errors come as \`application/problem+json\` to those whose \`Accept\`
prefers it. This document is also there for readers of OpenAPI 3.2: \`/openapi.json?version=3.2\`.`

const HEADERS = {
  'X-Request-ID': 'Id of the request: the one that the client sent, or a new one',
  'Retry-After': 'Seconds to wait at least',
  'WWW-Authenticate': 'The credentials that are taken',
} as const

const SECURITY = {
  bearer_jwt: { type: 'http', scheme: 'bearer', description: 'A JWT, or a token of the operator' },
  basic: { type: 'http', scheme: 'basic', description: 'User and password, where a server takes them' },
  email_key: {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description: '`EmailKey address:key`, as clients of 1.x send it',
  },
  telemetry_token: { type: 'http', scheme: 'bearer', description: 'The token of the telemetry' },
} as const

/** Makes the document. @param version That of Aviso. */
export function makeOpenApi(
  rooms: readonly RoomDoc[],
  { version, openapi = '3.1' }: { readonly version: string; readonly openapi?: OpenApiVersion },
): OpenApiDocument {
  const responses = createNames()
  const paths: Record<string, Record<string, Operation>> = {}
  for (const { tag, operations } of rooms) {
    for (const [id, operation] of Object.entries(operations)) {
      const { method, path } = partsOf(operation)
      const known = (paths[path] ??= {})
      known[method] = toOperation({ id, tag, operation }, responses.nameOf)
    }
  }
  const document: OpenApiDocument = {
    openapi: openapi === '3.2' ? '3.2.0' : '3.1.1',
    info: {
      title: 'Aviso Notification Service API',
      version,
      description: ABOUT,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: tagsOf(rooms),
    paths,
    components: {
      schemas: Object.assign({}, errorSchemas(), ...rooms.map(({ schemas = {} }) => schemas)),
      responses: responses.all(),
      headers: Object.fromEntries(
        Object.entries(HEADERS).map(([name, description]) => [name, { description, schema: text() }]),
      ),
      securitySchemes: SECURITY,
    },
  }
  return openapi === '3.2' ? withItemSchemas(document) : document
}

/** Method in lower case, and the path with `{id}` in place of `:id`. */
export function partsOf({ route }: Pick<OperationDoc, 'route'>): {
  readonly method: string
  readonly path: string
} {
  const [method = '', path = ''] = route.split(' ')
  return {
    method: method.toLowerCase(),
    path: path.replaceAll(/:(\w+)/g, '{$1}').replace(/\*$/, '{path}'),
  }
}

function tagsOf(rooms: readonly RoomDoc[]): OpenApiDocument['tags'] {
  const tags = new Map(rooms.map(({ tag, about }) => [tag, about]))
  return [...tags].map(([name, description]) => ({ name, description }))
}

interface Described {
  readonly id: string
  readonly tag: string
  readonly operation: OperationDoc
}

/** Answers that several routes have stand in the document once. */
interface Names {
  readonly nameOf: (status: number, answer: JsonSchema) => JsonSchema
  readonly all: () => Readonly<Record<string, JsonSchema>>
}

function createNames(): Names {
  const names = new Map<string, string>()
  const all: Record<string, JsonSchema> = {}
  const counts = new Map<number, number>()
  return {
    nameOf: (status, answer) => {
      const key = JSON.stringify(answer)
      const number = (counts.get(status) ?? 0) + 1
      const name = names.get(key) ?? `Error${status}_${number}`
      if (!names.has(key)) {
        counts.set(status, number)
        names.set(key, name)
        all[name] = answer
      }
      return { $ref: `#/components/responses/${name}` }
    },
    all: () => all,
  }
}

function toOperation({ id, tag, operation }: Described, nameOf: Names['nameOf']): Operation {
  const { summary, about, access, body } = operation
  const parameters = parametersOf(operation)
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(about !== undefined && { description: about }),
    security: securityOf(access),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && { requestBody: requestBodyOf(body) }),
    responses: responsesOf(operation, nameOf),
  }
}

/** Where the policy says so, public event types need no credential. */
function securityOf(access: AccessDoc): readonly object[] {
  const identity = [{ bearer_jwt: [] }, { basic: [] }, { email_key: [] }]
  switch (access) {
    case 'everyone':
      return []
    case 'telemetry':
      return [{ telemetry_token: [] }]
    case 'administrator':
      return identity
    case 'listener':
    case 'provider':
      return [...identity, {}]
  }
}

function parametersOf({ query, path, headers, takesFields }: OperationDoc): readonly Parameter[] {
  const all = (place: Parameter['in'], given: OperationDoc['query'] = {}): readonly Parameter[] =>
    Object.entries(given).map(([name, parameter]) => toParameter(name, place, parameter))
  const fields: Parameter = {
    name: 'fields',
    in: 'query',
    description:
      'Fields of the event type, under their own names. One that is given several times takes any of its values',
    schema: { type: 'object', additionalProperties: { type: 'array', items: { type: 'string' } } },
    style: 'form',
    explode: true,
  }
  return [
    ...all('path', path),
    ...all('query', query),
    ...(takesFields === true ? [fields] : []),
    ...all('header', headers),
  ]
}

function toParameter(
  name: string,
  place: Parameter['in'],
  { about, schema = text(), required = place === 'path', example }: ParameterDoc,
): Parameter {
  return {
    name,
    in: place,
    description: about,
    ...(required && { required }),
    schema,
    ...(example !== undefined && { example }),
  }
}

function requestBodyOf({
  about,
  content = {},
  items = {},
  examples = {},
  optional = false,
}: NonNullable<OperationDoc['body']>): JsonSchema {
  const named = Object.entries(examples).map(([name, value]) => [name, { value }])
  return {
    ...(about !== undefined && { description: about }),
    required: !optional,
    content: Object.fromEntries([
      ...Object.entries(content).map(([type, schema], index) => [
        type,
        { schema, ...(index === 0 && named.length > 0 && { examples: Object.fromEntries(named) }) },
      ]),
      ...Object.entries(items).map(([type, item]) => [type, { 'x-itemSchema': item }]),
    ]),
  }
}

function responsesOf(operation: OperationDoc, nameOf: Names['nameOf']): Readonly<Record<string, JsonSchema>> {
  const errors = [...errorsByStatus(operation)].map(([status, codes]): [string, JsonSchema] => [
    String(status),
    errorAnswer(status, codes, operation),
  ])
  const answers = Object.entries(operation.answers).map(([status, answer]): [string, JsonSchema] => {
    const error = errors.find(([of]) => of === status)?.[1]
    return [status, answerOf(answer, error)]
  })
  const own = new Set(answers.map(([status]) => status))
  const others = errors
    .filter(([status]) => !own.has(status))
    .map(([status, answer]): [string, JsonSchema] => [status, nameOf(Number(status), answer)])
  return Object.fromEntries([...answers, ...others])
}

/** @param error An error with the same status, whose body may come in its place. */
function answerOf(
  { about, content = {}, items = {}, headers = {} }: OperationDoc['answers'][number],
  error: JsonSchema | undefined,
): JsonSchema {
  const whole = Object.entries(content).map(([type, schema]) => [type, { schema }])
  const streamed = Object.entries(items).map(([type, item]) => [type, { 'x-itemSchema': item }])
  const own: Record<string, JsonSchema> = Object.fromEntries([...whole, ...streamed])
  const more = Object.entries((error?.['content'] ?? {}) as Readonly<Record<string, JsonSchema>>)
  for (const [type, of] of more) {
    const known = own[type]
    own[type] = known === undefined ? of : { schema: { anyOf: [known['schema'], of['schema']] } }
  }
  return {
    description: error === undefined ? about : `${about}\n${String(error['description'])}`,
    headers: {
      'X-Request-ID': { $ref: '#/components/headers/X-Request-ID' },
      ...Object.fromEntries(
        Object.entries(headers).map(([name, description]) => [name, { description, schema: text() }]),
      ),
    },
    ...(Object.keys(own).length > 0 && { content: own }),
  }
}

/** The same document for readers of 3.2. */
function withItemSchemas(document: OpenApiDocument): OpenApiDocument {
  const text32 = JSON.stringify(document, (_name, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('x-itemSchema' in value)) return value
    const { 'x-itemSchema': itemSchema } = value
    return { itemSchema }
  })
  return JSON.parse(text32) as OpenApiDocument
}
