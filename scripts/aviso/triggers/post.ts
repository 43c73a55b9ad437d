/**
 * The trigger `post`: sends the notification to an HTTP address or to a topic of Amazon SNS, as a CloudEvent.
 *
 * @module
 */

import * as v from 'valibot'
import { exactJsonText } from '#shared/json/strict_json.ts'
import { cloudEventOptions, createEvents, type TriggerEvent } from './cloud_event.ts'
import { DEFAULT_TIMEOUT_SECONDS, exchange, isSuccess, mayPass, type Sender } from './exchange.ts'
import { createSnsSender, snsProtocol } from './sns.ts'
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

/** What receivers answer to one notification that they cannot take: too large, or not as they expect. */
const POISON_STATUSES: readonly number[] = [413, 422]

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
    cloudevents: cloudEventOptions,
  },
  keyMessage(),
)

const protocolType = v.looseObject(
  {
    type: v.pipe(
      v.string(),
      v.toLowerCase(),
      v.picklist(
        ['cloudevents_http', 'cloudevents_aws'],
        (issue) => `Protocol type ${String(issue.input)} not recognised`,
      ),
    ),
  },
  keyMessage({ type: 'protocol type is a mandatory field' }),
)

const commonEntries = { type: v.literal('post'), ...commonOptions }
/** Options in a listener file, for each protocol. */
const httpOptions = v.strictObject({ ...commonEntries, protocol: httpProtocol }, keyMessage())
const snsOptions = v.strictObject({ ...commonEntries, protocol: snsProtocol }, keyMessage())
const anyOptions = v.looseObject({ protocol: protocolType }, keyMessage())

type HttpProtocol = v.InferOutput<typeof httpProtocol>

/** Reads options by a schema; throws what is wrong with them. */
export type ReadOptions = <const Schema extends v.GenericSchema>(
  schema: Schema,
  options: unknown,
) => v.InferOutput<Schema>

/**
 * Makes the trigger from the options of a listener file.
 *
 * @param read Throws for options that are wrong.
 * @param judge Does what may find a fault in the protocol: see {@link createSnsSender}.
 */
export function createPost(
  given: unknown,
  host: TriggerHost,
  { read, judge }: { readonly read: ReadOptions; readonly judge: <Value>(make: () => Value) => Value },
): Trigger {
  const { protocol } = read(anyOptions, given)
  // 1.x takes the type in capital letters, too.
  const options = { ...(given as object), protocol }
  if (protocol.type === 'cloudevents_http') {
    const http = read(httpOptions, options)
    return triggerOf(http, createHttpSender(http.protocol, host))
  }
  const sns = read(snsOptions, options)
  return triggerOf(
    sns,
    judge(() => createSnsSender(sns.protocol, host)),
  )
}

function triggerOf(options: Parameters<typeof failureOptions>[0], { send, plan }: Sender): Trigger {
  return { type: 'post', ...failureOptions(options), run: send, plan }
}

/**
 * Sends to an address. Any 2xx is a success. Refusals (4xx) are final, except 408, 425 and 429, which are tried again. 413 and 422 are about
 * the one notification.
 */
function createHttpSender(protocol: HttpProtocol, host: TriggerHost): Sender {
  const eventOf = createEvents(protocol.cloudevents, () => host.clock.now())
  const { url } = protocol
  return {
    async send(notification, kill) {
      const headers = new Headers(protocol.headers)
      headers.set('content-type', 'application/cloudevents+json')
      if (notification.traceparent !== undefined && !headers.has('traceparent'))
        headers.set('traceparent', notification.traceparent)
      const body = textOf(eventOf(notification))
      const answer = await exchange({ url, headers, body, kill, timeoutSeconds: protocol.timeout }, host)
      if (isSuccess(answer)) return
      throw new TriggerError(
        `${url} answered ${answer.status}${answer.text === '' ? '' : `: ${answer.text}`}`,
        {
          retryable: mayPass(answer),
          isPoison: POISON_STATUSES.includes(answer.status),
          retryAfterMs: answer.retryAfterMs,
        },
      )
    },
    plan(notification) {
      const body = textOf(eventOf(notification))
      return { text: `post to ${url}: ${body}`, details: { post_to: url, body } }
    },
  }
}

function textOf({ data, ...attributes }: TriggerEvent): string {
  return `${JSON.stringify(attributes).slice(0, -1)},"data":${exactJsonText(data)}}`
}
