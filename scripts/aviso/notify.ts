/**
 * The command `aviso notify`: publishes one notification.
 *
 * @module
 */

import { hostname, userInfo } from 'node:os'
import { call } from '#shared/client/call.ts'
import { printAnswer, type Answer } from './answer.ts'
import type { CommandContext } from './context.ts'
import { parseParams } from './params.ts'
import { loadSchemas } from './schemas.ts'

/** Enough attempts, with their back-off, to outlast a restart of the service. */
const ATTEMPTS = 8

/**
 * Publishes a notification, and prints `Done` and what it became. All attempts have the same CloudEvents id, so the notification is stored once even when an
 * answer is lost.
 *
 * @throws {ClientError} with the service's message.
 */
export async function notify(paramsText: string, context: CommandContext): Promise<void> {
  const { event, fields } = parseParams(paramsText)
  const schemas = await loadSchemas(context.home, context.readText)
  const payloadName = schemas.get(event)?.payloadName
  const { ttl, ...others } = fields
  const request = Object.fromEntries(Object.entries(others).filter(([name]) => name !== payloadName))
  const payload = payloadName === undefined ? undefined : others[payloadName]
  const cloudEvent = {
    specversion: '1.0',
    id: context.uuid(),
    source: `/${hostname()}/${userInfo().username}`,
    type: 'aviso',
    time: new Date(context.clock.now()).toISOString(),
    datacontenttype: 'application/json',
    data: {
      event,
      // When only the service knows the event type, its payload is among these fields, and the service separates it.
      request,
      ...(payloadName !== undefined && payload !== undefined && { [payloadName]: payload }),
      ...(ttl !== undefined && { ttl }),
    },
  }
  const answer = await call(context, {
    path: '/api/v1/notification',
    method: 'POST',
    contentType: 'application/cloudevents+json',
    body: JSON.stringify(cloudEvent),
    attempts: ATTEMPTS,
    failure: 'Not able to notify',
  })
  context.output.log('DEBUG', `Stored: ${JSON.stringify(answer)}`)
  printAnswer(toAnswer(answer), context)
}

/** 1.x's word on the first line, then what others may call the notification by. Older services do not say all of it. */
function toAnswer({ id, key, sequence }: Readonly<Record<string, unknown>>): Answer {
  const names = Object.entries({ id, key, sequence }).filter(([, value]) => typeof value === 'string')
  return {
    text: ['Done', ...names.map(([name, value]) => `${name} ${String(value)}`)].join('\n'),
    json: Object.fromEntries(names),
  }
}
