/**
 * Turns a route of the admin service into a route of the router. Checks the caller, the origin and the options; logs and answers the call.
 *
 * @module
 */

import type { Access, Administrator } from '#shared/access/access.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Answer, HandlerRequest } from '#shared/handler.ts'
import { refuseForeignPages } from '#shared/http/foreign_pages.ts'
import { readQuery } from '#shared/http/query.ts'
import { readBody } from '#shared/http/read_body.ts'
import { errorResponse, jsonResponse } from '#shared/http/respond.ts'
import { OFFERS_JSON, type Route, type RouteContext } from '#shared/http/route.ts'
import { isJsonObject, parseStrictJson, type JsonObject } from '#shared/json/strict_json.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'

/** Largest body of a route that takes options only. */
const OPTIONS_BYTES = 16 * 1024
const BODY_TIMEOUT_MS = 30_000
const MAX_DEPTH = 8

export interface AdminRouteParts {
  readonly access: Pick<Access, 'forAdministration'>
  readonly clock: Clock
  readonly logger: Logger
}

/** A request of an authorized administrator. */
export interface AdminRequest extends RouteContext {
  readonly request: HandlerRequest
  readonly who: Administrator
  /** Options from the JSON body and the query; empty when the request has neither. */
  readonly body: JsonObject
}

/** One row of the admin's route table. */
export interface AdminRoute {
  /** What a refusal says it is about. */
  readonly named?: (params: RouteContext['params']) => Readonly<Record<string, string>>
  readonly method: Route['method']
  readonly path: string
  /** As in {@link Route}. */
  readonly doc: string
  /** Largest body. Default: 16 KiB. */
  readonly limitBytes?: number
  /** Options that the request may have. Any other is refused, because a misspelt option would otherwise be ignored. */
  readonly members?: readonly string[]
  /** Media types of a GET, as in {@link Route}. Default: JSON. */
  readonly offers?: Route['offers']
  readonly handle: (request: AdminRequest) => Promise<Answer>
}

/** Turns a route of the admin into a route of the router. Every call is logged with the name of its caller. */
export function toRoute(route: AdminRoute, parts: AdminRouteParts): Route {
  const { access, clock, logger } = parts
  return {
    method: route.method,
    path: route.path,
    doc: route.doc,
    generation: 2,
    offers: route.offers ?? OFFERS_JSON,
    handle: async (request, context) => {
      const { requestId } = context
      let who = 'unknown'
      try {
        const caller = await access.forAdministration(request)
        who = caller.name
        refuseForeignPages(request)
        const body = await readOptions(request, route, clock)
        const answer = await route.handle({ ...context, request, who: caller, body })
        log('done')
        return answer
      } catch (error) {
        log(error instanceof AvisoError ? error.code : 'ERR_INTERNAL')
        const extra = { success: false, ...route.named?.(context.params) }
        return errorResponse(error, { requestId, logger, generation: 2, extra })
      }
      function log(outcome: string): void {
        const level = route.method === 'GET' ? 'debug' : 'info'
        logger(level, 'Admin request', {
          method: route.method,
          path: route.path,
          who,
          outcome,
          request_id: requestId,
        })
      }
    },
  }
}

/** The answer to a request that was carried out. */
export function succeeded(
  { requestId }: Pick<AdminRequest, 'requestId'>,
  members: Readonly<Record<string, unknown>>,
): Answer {
  return jsonResponse(
    200,
    { success: true, ...members, request_id: requestId },
    { 'x-request-id': requestId },
  )
}

/** Reads the options of a request from its body and its query. The query counts, too: `?dry_run=true` must not be ignored. */
async function readOptions(request: HandlerRequest, route: AdminRoute, clock: Clock): Promise<JsonObject> {
  if (request.method === 'GET' || request.method === 'HEAD') return {}
  const limitBytes = route.limitBytes ?? OPTIONS_BYTES
  const bytes = await readBody(request, { limitBytes, timeoutMs: BODY_TIMEOUT_MS, clock })
  const body = bytes.length === 0 ? {} : parseStrictJson(bytes, { maxDepth: MAX_DEPTH })
  if (!isJsonObject(body)) throw new AvisoError('ERR_BAD_REQUEST', 'The body must be a JSON object')
  const query = [...readQuery(request.url)].map(([name, text]) => [name, toValue(text)] as const)
  const names = [...Object.keys(body), ...query.map(([name]) => name)]
  const unknown = names.find((name) => !(route.members ?? []).includes(name))
  if (unknown !== undefined) {
    const known =
      route.members === undefined
        ? 'this path takes no options'
        : `this path takes ${route.members.join(', ')}`
    throw wrongMember(unknown, `is not known: ${known}`)
  }
  const twice = names.find((name, index) => names.indexOf(name) < index)
  if (twice !== undefined) throw wrongMember(twice, 'is given twice')
  return { ...body, ...Object.fromEntries(query) }
}

/** Reads a flag of the query as a boolean, because a query holds only text. */
function toValue(text: string): string | boolean {
  return text === 'true' || text === 'false' ? text === 'true' : text
}

function wrongMember(name: string, reason: string): AvisoError {
  const shown = name.slice(0, 64)
  return new AvisoError('ERR_BAD_REQUEST', `The option ${shown} ${reason}`, {
    details: { field: shown, wire_code: 'UNKNOWN_FIELD' },
  })
}

/** A flag among the options; `false` when it is absent. @throws {AvisoError} `ERR_BAD_REQUEST` when it is not a boolean. */
export function flagIn(body: JsonObject, name: string): boolean {
  const value = body[name] ?? false
  if (typeof value === 'boolean') return value
  throw wrongOption(name, 'true or false')
}

/** A text among the options. @throws {AvisoError} `ERR_BAD_REQUEST` when it is absent, empty or not a text. */
export function textIn(body: JsonObject, name: string): string {
  const value = body[name]
  if (typeof value === 'string' && value !== '') return value
  throw wrongOption(name, 'a text')
}

/**
 * A list of texts among the options; `undefined` when it is absent. In a query, commas separate the texts.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` when it is empty or not a list of texts.
 */
export function textsIn(body: JsonObject, name: string): readonly string[] | undefined {
  const value = body[name]
  if (value === undefined) return undefined
  if (typeof value === 'string' && value !== '') return value.split(',')
  if (Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string'))
    return value
  throw wrongOption(name, 'a list of texts')
}

function wrongOption(name: string, form: string): AvisoError {
  return new AvisoError('ERR_BAD_REQUEST', `The option ${name} must be ${form}`, { details: { field: name } })
}
