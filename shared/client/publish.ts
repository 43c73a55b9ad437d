/**
 * Publishing in one call, for programs and pages: the package's `aviso/publish`.
 *
 * @module
 */

import { toHex } from '#shared/bytes/sha256.ts'
import type { JsonValue } from '#shared/json/strict_json.ts'
import { systemClock } from '#shared/time/clock.ts'
import { call } from './call.ts'
import { connectionOf, type ServiceOptions } from './service_options.ts'

/** A notification to publish. */
export interface PublishOptions extends ServiceOptions {
  /** Event type, such as `flight`. */
  readonly event: string
  /** Every field that the event type requires. */
  readonly request: Readonly<Record<string, string>>
  readonly payload?: JsonValue
  /** CloudEvents id: one id is one notification, however often it is published. Absent: a random one. */
  readonly id?: string
  /** CloudEvents source, a URI reference that says who publishes. */
  readonly source?: string
}

/** What a notification became. */
export interface Published {
  /** `flight@5`: the event type and the number in it. */
  readonly id: string
  /** Key in the store; absent on old services. */
  readonly key?: string
  /** The number in its event type, from 1; absent on old services. */
  readonly sequence?: string
}

/** Enough attempts, with their back-off, to outlast a restart of the service. */
const ATTEMPTS = 8
const ID_BYTES = 16
const SOURCE = '/aviso/publish'

/**
 * Publishes a notification. When it returns, the notification is durable. Attempts that fail for a reason that may pass are repeated with
 * the same id, so it is stored once even when an answer is lost.
 *
 * @throws {ClientError} with the service's own message, for a refusal or when no attempt succeeded.
 */
export async function publish(options: PublishOptions): Promise<Published> {
  const { event, request, payload, source = SOURCE } = options
  const { id = toHex(crypto.getRandomValues(new Uint8Array(ID_BYTES))) } = options
  const { baseUrl, timeoutMs, signal, ...connection } = await connectionOf(options)
  const answer = await call(
    {
      ...connection,
      config: { baseUrl, ...(timeoutMs !== undefined && { timeoutMs }) },
      clock: systemClock,
      random: Math.random,
      stop: signal,
    },
    {
      path: '/api/v1/notification',
      method: 'POST',
      contentType: 'application/cloudevents+json',
      body: JSON.stringify({
        specversion: '1.0',
        id,
        source,
        type: 'aviso',
        time: new Date(systemClock.now()).toISOString(),
        datacontenttype: 'application/json',
        data: { event, request, ...(payload !== undefined && { payload }) },
      }),
      attempts: ATTEMPTS,
      failure: 'Not able to publish',
    },
  )
  const { key, sequence } = answer
  return {
    id: typeof answer['id'] === 'string' ? answer['id'] : id,
    ...(typeof key === 'string' && { key }),
    ...(typeof sequence === 'string' && { sequence }),
  }
}
