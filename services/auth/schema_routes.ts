/**
 * `GET /api/v1/schema` and `/api/v1/schema/{event}`: the event types and fields that a listener can ask for, in aviso 2.x's form. As in
 * 2.x, they need no credential.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { answerUnlessKnown } from '#shared/http/conditional.ts'
import { readSegment } from '#shared/http/query.ts'
import { errorResponse, jsonResponse } from '#shared/http/respond.ts'
import { OFFERS_JSON, type Route } from '#shared/http/route.ts'
import type { EventSchema } from '#shared/notification/event_schema.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { Logger } from '#shared/logger.ts'

/** The routes. */
export function createSchemaRoutes(schemas: Schemas, logger: Logger): readonly Route[] {
  const events = schemas.events.toSorted()
  const list: Route['handle'] = (request) =>
    answerUnlessKnown(
      request,
      jsonResponse(200, {
        status: 'success',
        schema: Object.fromEntries(events.map((event) => [event, describe(schemas.require(event))])),
        event_types: events,
        total_schemas: events.length,
      }),
    )
  const single: Route['handle'] = (request, { requestId, params }) => {
    const event = readSegment(params['event'] ?? '', 'event type')
    // In permissive mode there are event types without a schema.
    const schema = events.includes(event) ? schemas.get(event) : undefined
    if (schema !== undefined) {
      const body = { status: 'success', event_type: schema.event, schema: describe(schema) }
      return answerUnlessKnown(request, jsonResponse(200, body))
    }
    const error = new AvisoError('ERR_NOT_FOUND', `Event type '${event.slice(0, 64)}' not found`)
    return errorResponse(error, {
      requestId,
      logger,
      generation: 2,
      extra: { status: 'error', available_types: events },
    })
  }
  return [
    {
      method: 'GET',
      path: '/api/v1/schema',
      doc: 'schemas',
      handle: list,
      generation: 2,
      offers: OFFERS_JSON,
    },
    {
      method: 'GET',
      path: '/api/v1/schema/:event',
      doc: 'schema',
      handle: single,
      generation: 2,
      offers: OFFERS_JSON,
    },
  ]
}

/** The fields that a listener may ask for. A field with alternative types is described by the first, because listeners read one type. */
function describe(schema: EventSchema): object {
  const identifier = schema.fields.map((name) => {
    const [type] = schema.rawDescription.request[name] ?? []
    const needs = schema.requiredOnlyWith?.[name]
    const required = needs === undefined && schema.requiredForListen.includes(name)
    return [name, { ...type, required, ...(needs !== undefined && { required_with: needs }) }] as const
  })
  return {
    payload: { required: schema.isPayloadRequired, name: schema.payloadName },
    identifier: Object.fromEntries(identifier),
  }
}
