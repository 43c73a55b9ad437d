/**
 * The trigger `post`: sends the notification to an HTTP address as a CloudEvent.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { runWithin } from '#shared/time/deadline.ts'
import { exactJsonText } from '#shared/json/strict_json.ts'
import { reasonOf } from '#shared/client/client_error.ts'
import { toTriggerData, type ReceivedNotification } from '#shared/client/notification.ts'
import {
  commonOptions,
  failureOptions,
  keyMessage,
  seconds,
  text,
  TriggerError,
  type Trigger,
  type TriggerHost,
} from './trigger.ts'

/** 1.x's defaults. */
const DEFAULT_TIMEOUT_SECONDS = '60'
const DEFAULT_TYPE = 'aviso'
const DEFAULT_SOURCE = 'https://aviso.ecmwf.int'
/** What receivers answer to one notification that they cannot take: too large, or not as they expect. */
const POISON_STATUSES: readonly number[] = [413, 422]
/** How much of a refusal's body goes into the message. */
const MAX_ANSWER_CHARACTERS = 4096

const httpProtocol = v.strictObject(
  {
    type: v.literal('cloudevents_http'),
    url: v.pipe(
      text('must be an address'),
      v.url('must be an address'),
      v.regex(/^https?:/i, 'must be an http or https address'),
    ),
    headers: v.optional(v.record(v.string(), text('must be text'), 'must be a mapping of names to text'), {}),
    timeout: v.optional(seconds, DEFAULT_TIMEOUT_SECONDS),
    cloudevents: v.optional(
      v.strictObject(
        { type: v.optional(text('must be text')), source: v.optional(text('must be text')) },
        keyMessage(),
      ),
      {},
    ),
  },
  keyMessage(),
)

const protocolType = v.looseObject(
  {
    type: v.picklist(['cloudevents_http'], (issue) =>
      issue.input === 'cloudevents_aws'
        ? 'cloudevents_aws is not supported by this client: use cloudevents_http, or a command'
        : `Protocol type ${String(issue.input)} not recognised`,
    ),
  },
  keyMessage({ type: 'protocol type is a mandatory field' }),
)

/** Options in a listener file. */
export const postOptions = v.strictObject(
  { type: v.literal('post'), protocol: v.pipe(protocolType, httpProtocol), ...commonOptions },
  keyMessage(),
)

type HttpProtocol = v.InferOutput<typeof httpProtocol>

/**
 * Makes a trigger that succeeds with any 2xx. Refusals (4xx) are final, except 408 and 429, which are tried again. 413 and 422 are about the
 * one notification.
 */
export function createPost(options: v.InferOutput<typeof postOptions>, host: TriggerHost): Trigger {
  return {
    type: 'post',
    ...failureOptions(options),
    run: (notification, kill) => post(options.protocol, host, notification, kill),
    plan(notification) {
      const { url } = options.protocol
      const body = cloudEventText(options.protocol, notification, host.clock.now())
      return { text: `post to ${url}: ${body}`, details: { post_to: url, body } }
    },
  }
}

async function post(
  protocol: HttpProtocol,
  host: TriggerHost,
  notification: ReceivedNotification,
  kill: AbortSignal,
): Promise<void> {
  const headers = new Headers(protocol.headers)
  headers.set('content-type', 'application/cloudevents+json')
  if (notification.traceparent !== undefined && !headers.has('traceparent'))
    headers.set('traceparent', notification.traceparent)
  const body = cloudEventText(protocol, notification, host.clock.now())
  const exchange = async (signal: AbortSignal): Promise<{ response: Response; answer: string }> => {
    const init = { method: 'POST', headers, body, signal, redirect: 'manual' } as const
    const response = await host.fetch(protocol.url, init)
    return { response, answer: await response.text() }
  }
  const late = (): never => {
    throw new Error(`no answer within ${protocol.timeout} s`)
  }
  try {
    const limit = { clock: host.clock, ms: protocol.timeout * 1000, signal: kill, late }
    const { response, answer } = await runWithin(exchange, limit)
    if (response.ok) return
    throw new TriggerError(
      `${protocol.url} answered ${response.status}: ${answer.slice(0, MAX_ANSWER_CHARACTERS)}`,
      {
        retryable: response.status >= 500 || response.status === 408 || response.status === 429,
        isPoison: POISON_STATUSES.includes(response.status),
      },
    )
  } catch (cause) {
    if (cause instanceof TriggerError) throw cause
    const reason = kill.aborted ? 'the client is stopping' : reasonOf(cause)
    throw new TriggerError(`cannot reach ${protocol.url}: ${reason}`, { retryable: !kill.aborted, cause })
  }
}

function cloudEventText(
  { cloudevents }: HttpProtocol,
  notification: ReceivedNotification,
  now: number,
): string {
  const envelope = JSON.stringify({
    specversion: '1.0',
    id: stableId(notification),
    source: cloudevents.source ?? DEFAULT_SOURCE,
    type: cloudevents.type ?? DEFAULT_TYPE,
    time: `${new Date(now).toISOString().slice(0, 19)}Z`,
  })
  return `${envelope.slice(0, -1)},"data":${exactJsonText(toTriggerData(notification))}}`
}

/**
 * A UUID (version 8) that depends only on the notification. When it is sent again after a failure or a restart, the receiver can recognise
 * it.
 */
function stableId({ source, id }: ReceivedNotification): string {
  const hex = createHash('sha256').update(`${source}\n${id}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
