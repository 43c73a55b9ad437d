/**
 * The protocol `cloudevents_aws` of the trigger `post`: publishes the notification to a topic of Amazon SNS, with the request that 1.x makes.
 *
 * @module
 */

import { AwsV4Signer } from 'aws4fetch'
import * as v from 'valibot'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { ClientError } from '#shared/client/client_error.ts'
import { toPythonJson } from '#shared/notification/python_json.ts'
import { readAwsCredentials, type AwsCredentials } from './aws_credentials.ts'
import { cloudEventOptions, createEvents, type TriggerEvent } from './cloud_event.ts'
import {
  DEFAULT_TIMEOUT_SECONDS,
  exchange,
  isSuccess,
  mayPass,
  type PostAnswer,
  type Sender,
} from './exchange.ts'
import { keyMessage, seconds, text, TriggerError, type TriggerHost } from './trigger.ts'

/** Version of SNS's query interface. There is only this one. */
const API_VERSION = '2010-03-31'
/** SNS takes no longer message. */
const MAX_MESSAGE_BYTES = 256 * 1024
/** SNS takes no longer subject. */
const MAX_SUBJECT_CHARACTERS = 100
/** `arn:PARTITION:sns:REGION:ACCOUNT:NAME` */
const ARN = /^arn:(aws[a-z-]*):sns:([a-z0-9-]+):\d{12}:([\w-]{1,256}(\.fifo)?)$/
/** The domain of a partition that has one of its own. */
const DOMAINS: Readonly<Record<string, string>> = { 'aws-cn': 'amazonaws.com.cn' }
/** Refusals of SNS that may pass: it is asked too often, or a new credential is read for the next attempt. */
const TRANSIENT_CODES = ['Throttl', 'RequestLimitExceeded', 'ExpiredToken', 'InternalError']

const attribute = v.strictObject(
  {
    DataType: text('must be String, Number, Binary or String.Array'),
    StringValue: v.optional(text('must be text')),
    BinaryValue: v.optional(text('must be text')),
  },
  keyMessage(),
)

/** Options in a listener file: 1.x's, and `timeout`. */
export const snsProtocol = v.strictObject(
  {
    type: v.literal('cloudevents_aws'),
    arn: v.pipe(
      text('must be text'),
      v.regex(ARN, 'must be the name of a topic: arn:aws:sns:REGION:ACCOUNT (12 digits):NAME'),
    ),
    region_name: text('must be text'),
    aws_access_key_id: v.optional(v.nullable(text('must be text'))),
    aws_secret_access_key: v.optional(v.nullable(text('must be text'))),
    MessageAttributes: v.optional(
      v.nullable(v.record(v.string(), attribute, 'must be a mapping of names to attributes')),
    ),
    MessageGroupId: v.optional(v.nullable(text('must be text'))),
    timeout: v.optional(seconds, DEFAULT_TIMEOUT_SECONDS),
    cloudevents: cloudEventOptions,
  },
  keyMessage({ arn: 'arn is a mandatory field', region_name: 'region_name is a mandatory field' }),
)

type SnsProtocol = v.InferOutput<typeof snsProtocol>

/**
 * Makes the sender.
 *
 * @throws {ClientError} at once where no notification could be sent: the region is not the topic's, or there are no credentials.
 */
export function createSnsSender(protocol: SnsProtocol, host: TriggerHost): Sender {
  checkProtocol(protocol)
  readAwsCredentials(protocol, host)
  const url = endpointOf(protocol, host.environment)
  const eventOf = createEvents(protocol.cloudevents, () => host.clock.now())
  return {
    async send(notification, kill) {
      const parameters = parametersOf(protocol, eventOf(notification))
      requireShort(parameters)
      // Read for each request, because tools renew the file while listeners run.
      const credentials = readAgain(protocol, host)
      const signed = await sign({ url, body: parameters.toString() }, { protocol, credentials, host })
      const answer = await exchange({ ...signed, kill, timeoutSeconds: protocol.timeout }, host)
      if (!isSuccess(answer)) throw refusalOf(answer, protocol)
    },
    plan(notification) {
      const parameters = Object.fromEntries(parametersOf(protocol, eventOf(notification)))
      return {
        text: `publish to ${protocol.arn}: ${parameters['Message'] ?? ''}`,
        details: { publish_to: protocol.arn, parameters },
      }
    },
  }
}

function checkProtocol({ arn, region_name: region, MessageGroupId: group, cloudevents }: SnsProtocol): void {
  const [, , ofTopic = '', , fifo] = ARN.exec(arn) ?? []
  if (ofTopic !== region)
    throw new ClientError(`region_name is ${region}, but the topic ${arn} is in ${ofTopic}`)
  if (fifo !== undefined && (group ?? '') === '')
    throw new ClientError(`the topic ${arn} keeps an order: it needs MessageGroupId`)
  if ((cloudevents.type?.length ?? 0) > MAX_SUBJECT_CHARACTERS)
    throw new ClientError(
      `cloudevents.type is the subject of the message, which has at most ${MAX_SUBJECT_CHARACTERS} characters`,
    )
}

/** The variables are those that boto3, which 1.x uses, reads. */
function endpointOf(
  { arn, region_name: region }: SnsProtocol,
  environment: TriggerHost['environment'],
): string {
  for (const name of ['AWS_ENDPOINT_URL_SNS', 'AWS_ENDPOINT_URL']) {
    const given = environment[name] ?? ''
    if (given === '') continue
    if (URL.canParse(given) && /^https?:/i.test(given)) return new URL(given).href
    throw new ClientError(`${name} must be an http or https address, not ${given}`)
  }
  const [, partition = ''] = ARN.exec(arn) ?? []
  return `https://sns.${region}.${DOMAINS[partition] ?? 'amazonaws.com'}/`
}

/** The parameters of 1.x, in the form of SNS's query interface. */
function parametersOf(protocol: SnsProtocol, event: TriggerEvent): URLSearchParams {
  const { arn, MessageAttributes: attributes, MessageGroupId: group } = protocol
  const parameters = new URLSearchParams({
    Action: 'Publish',
    Version: API_VERSION,
    TopicArn: arn,
    // Twice JSON: the event is the text for every kind of subscriber.
    Message: toPythonJson({ default: toPythonJson(event) }),
    MessageStructure: 'json',
    Subject: event.type,
  })
  for (const [index, [name, value]] of Object.entries(attributes ?? {}).entries()) {
    const entry = `MessageAttributes.entry.${index + 1}`
    parameters.set(`${entry}.Name`, name)
    parameters.set(`${entry}.Value.DataType`, value.DataType)
    if (value.StringValue !== undefined) parameters.set(`${entry}.Value.StringValue`, value.StringValue)
    if (value.BinaryValue !== undefined)
      parameters.set(`${entry}.Value.BinaryValue`, encodeBase64(toBytes(value.BinaryValue)))
  }
  if ((group ?? '') !== '') {
    parameters.set('MessageDeduplicationId', event.id)
    parameters.set('MessageGroupId', group ?? '')
  }
  return parameters
}

function requireShort(parameters: URLSearchParams): void {
  const { length } = toBytes(parameters.get('Message') ?? '')
  if (length <= MAX_MESSAGE_BYTES) return
  throw new TriggerError(`the message has ${length} bytes, and SNS takes at most ${MAX_MESSAGE_BYTES}`, {
    retryable: false,
    isPoison: true,
  })
}

/** Credentials that were there at the start may be away while a tool writes them anew. */
function readAgain(protocol: SnsProtocol, host: TriggerHost): AwsCredentials {
  try {
    return readAwsCredentials(protocol, host)
  } catch (cause) {
    throw new TriggerError(cause instanceof Error ? cause.message : String(cause), { retryable: true, cause })
  }
}

interface Signing {
  readonly protocol: SnsProtocol
  readonly credentials: AwsCredentials
  readonly host: TriggerHost
}

async function sign(
  { url, body }: { readonly url: string; readonly body: string },
  { protocol, credentials, host }: Signing,
): Promise<{ readonly url: string; readonly headers: Headers; readonly body: string }> {
  const signer = new AwsV4Signer({
    url,
    body,
    method: 'POST',
    service: 'sns',
    region: protocol.region_name,
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    datetime: new Date(host.clock.now()).toISOString().replaceAll(/[:-]|\.\d{3}/g, ''),
    ...credentials,
  })
  const { headers } = await signer.sign()
  return { url, headers, body }
}

/** SNS says in XML why it refuses. */
function refusalOf(answer: PostAnswer, { arn }: SnsProtocol): TriggerError {
  const said = (name: string): string | undefined =>
    new RegExp(`<${name}>([^<]*)</${name}>`).exec(answer.text)?.[1]
  const code = said('Code')
  const reason = code === undefined ? answer.text : `${code}: ${said('Message') ?? ''}`
  return new TriggerError(`SNS answered ${answer.status} for ${arn}: ${reason}`, {
    retryable: mayPass(answer) || TRANSIENT_CODES.some((part) => code?.includes(part) === true),
    retryAfterMs: answer.retryAfterMs,
  })
}
