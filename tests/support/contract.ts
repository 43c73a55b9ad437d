/**
 * Holds answers against the document of the API: its status, its media type and, where it is JSON, its body must be described. Test systems
 * check every answer so (`tests/support/system.ts`), which makes every test of a route a test of its description.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { loadContract } from '#services/system/contract.ts'
import { makeOpenApi, type OpenApiDocument, type Operation } from '#services/reference/openapi.ts'
import type { FetchHandler } from '#shared/handler.ts'
import type { JsonSchema } from '#shared/http/doc.ts'

/** A handler whose every answer is checked by {@link requireDescribed}. */
export function asDescribed(fetch: FetchHandler): FetchHandler {
  return async (request) => {
    const sent = request.body === null || !isOneText(request) ? undefined : request.clone()
    const response = await fetch(request)
    await requireDescribed(request, response)
    if (response.ok) requireAllowed(request, (await sent?.text()) ?? '')
    return response
  }
}

/** A part of the document that is read here. */
interface Media {
  readonly schema?: JsonSchema
  readonly 'x-itemSchema'?: JsonSchema
}

interface Described {
  readonly pattern: RegExp
  readonly path: string
}

/** The document of these tests, and what reads it. */
interface Contract {
  readonly document: OpenApiDocument
  readonly paths: readonly Described[]
  readonly ajv: Ajv2020
  readonly compiled: Map<string, ValidateFunction>
}

/** What is said of a path that no running service has. */
const NOWHERE = 'There is nothing at this path'

/** Members of a schema that are no schema, but hold schemas by name. */
const MAPS: ReadonlySet<string> = new Set(['properties', 'schemas', 'components'])

async function open(): Promise<Contract> {
  const document = makeOpenApi(await loadContract(), { version: 'test' })
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: false })
  ajv.addSchema({ $id: 'contract', components: closed(document.components, 'components') })
  ajv.addSchema({ $id: 'requests', components: document.components })
  const paths = Object.keys(document.paths)
    .map((path) => ({ path, pattern: patternOf(path) }))
    // Without parts first: `/count` is no id.
    .toSorted((a, b) => a.path.split('{').length - b.path.split('{').length)
  return { document, paths, ajv, compiled: new Map() }
}

/** Made before the first test, because some tests count the milliseconds of a clock that runs fast. */
const contract = await open()

function patternOf(path: string): RegExp {
  const text = path
    .replaceAll('.', '\\.')
    .replaceAll('{path}', '.+')
    .replaceAll(/\{\w+\}/g, '[^/]+')
  return new RegExp(`^${text}/?$`)
}

/**
 * Checks one answer. What has no description by design is left out: OPTIONS, unknown paths, and methods that a path does not have.
 *
 * @throws {AssertionError} naming what is not described.
 */
export async function requireDescribed(
  { method, url }: Pick<Request, 'method' | 'url'>,
  response: Response,
): Promise<void> {
  const { status, headers } = response
  const { path, operation } = placeOf(method, url)
  if (operation === undefined) return
  const where = `${method} ${path} → ${status}`
  const answer = resolved(operation.responses[String(status)], contract.document)
  // Tests run services alone, so a path may be of none.
  if (status === 404 && (await response.clone().text()).includes(NOWHERE)) return
  assert.ok(answer, `${where}: the status is not in services/*/doc.ts`)
  const [type = ''] = headers.get('content-type')?.split(';') ?? []
  if (type === '' || method === 'HEAD') return
  const media = (answer['content'] as Readonly<Record<string, Media>> | undefined)?.[type]
  assert.ok(media, `${where}: the media type ${type} is not in services/*/doc.ts`)
  const { schema } = media
  if (!type.endsWith('json') || schema === undefined) return
  const text = await response.clone().text()
  if (text === '') return
  requireValid(contract, { where: `${where} ${type}`, schema, value: JSON.parse(text) })
}

/** Where a request leads; no operation for a path or a method that the document does not have. */
function placeOf(
  method: string,
  url: string,
): {
  readonly path: string
  readonly operation: Operation | undefined
  readonly searchParams: URLSearchParams
} {
  const { pathname, searchParams } = new URL(url)
  const path = contract.paths.find(({ pattern }) => pattern.test(pathname))?.path ?? ''
  const name = (method === 'HEAD' ? 'GET' : method).toLowerCase()
  return { path, operation: contract.document.paths[path]?.[name], searchParams }
}

/** A body that is read as a whole, and is all of what is sent: no lines, and no event whose attributes are headers. */
function isOneText({ headers }: Request): boolean {
  return !headers.has('ce-specversion') && !/ndjson|jsonl/.test(headers.get('content-type') ?? '')
}

/**
 * Checks a request that was taken: the document must allow it.
 *
 * @throws {AssertionError} naming the parameter or the part of the body.
 */
function requireAllowed({ method, url }: Request, text: string): void {
  const { path, operation, searchParams } = placeOf(method, url)
  if (operation === undefined) return
  const names = (operation.parameters ?? [])
    .filter(({ in: place }) => place === 'query')
    .map(({ name }) => name)
  for (const name of names.includes('fields') ? [] : searchParams.keys())
    assert.ok(names.includes(name), `${method} ${path} takes ${name}, which is not in services/*/doc.ts`)
  const media = (operation.requestBody?.['content'] as Readonly<Record<string, Media>> | undefined)?.[
    'application/json'
  ]
  if (text === '' || media?.schema === undefined) return
  const where = `${method} ${path} takes a body that`
  requireValid(contract, { where, schema: media.schema, value: JSON.parse(text), isRequest: true })
}

/** Checks a value, such as a frame of a stream, against a named schema. @throws {AssertionError} */
export function requireNamed(name: string, value: unknown): void {
  requireValid(contract, { where: name, schema: { $ref: `#/components/schemas/${name}` }, value })
}

function resolved(answer: JsonSchema | undefined, { components }: OpenApiDocument): JsonSchema | undefined {
  const reference = answer?.['$ref']
  if (typeof reference !== 'string') return answer
  return components.responses[reference.replace('#/components/responses/', '')]
}

interface Checking {
  readonly where: string
  readonly schema: JsonSchema
  readonly value: unknown
  /** Requests may have members that are left aside, where the document says so. */
  readonly isRequest?: boolean
}

function requireValid(
  { ajv, compiled }: Contract,
  { where, schema, value, isRequest = false }: Checking,
): void {
  const shape = isRequest ? withId(schema) : closed(schema)
  const validate = compiled.get(where) ?? ajv.compile(shape as JsonSchema)
  compiled.set(where, validate)
  if (validate(value)) return
  const errors = (validate.errors ?? []).map(
    (error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`,
  )
  assert.fail(
    `${where}: the body is not as services/*/doc.ts says: ${errors.join('; ')}\n${JSON.stringify(value)}`,
  )
}

/** A schema that takes no members but its own. Readers must expect new ones, and tests must not: each has to be described. */
export function closed(node: unknown, parent = ''): unknown {
  if (Array.isArray(node)) return node.map((each) => closed(each, parent))
  if (typeof node !== 'object' || node === null) return node
  const copy = Object.fromEntries(
    Object.entries(node).map(([name, value]) => [
      name,
      name === '$ref'
        ? String(value).replace(/^#/, 'contract#')
        : closed(value, MAPS.has(parent) ? '' : name),
    ]),
  )
  // A part of an `allOf` has members of the other parts.
  const isWhole = parent !== 'allOf' && !MAPS.has(parent) && ('allOf' in copy || 'properties' in copy)
  return isWhole && !('additionalProperties' in copy) && !isOpen(copy)
    ? { ...copy, unevaluatedProperties: false }
    : copy
}

/** A schema of a request, whose named parts are as they stand. */
function withId(schema: JsonSchema): unknown {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"requests#/components'))
}

/** The named forms of errors get members from those that refer to them. */
function isOpen(node: Readonly<Record<string, unknown>>): boolean {
  const { description } = node
  return typeof description === 'string' && description.startsWith('An error in the form')
}
