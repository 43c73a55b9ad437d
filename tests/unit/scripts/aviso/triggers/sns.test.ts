import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createTrigger } from '../../../../../scripts/aviso/triggers/create_trigger.ts'
import { TriggerError, type Trigger } from '../../../../../scripts/aviso/triggers/trigger.ts'
import { answer, never, notification, scriptedService, triggerHost } from '../fixture.ts'

const ARN = 'arn:aws:sns:eu-west-2:123456789012:flights'
const KEY = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret' }

function sns(protocol: object = {}, environment: Record<string, string> = KEY, home = '/nowhere'): Trigger {
  const options = { type: 'cloudevents_aws', arn: ARN, region_name: 'eu-west-2', ...protocol }
  return createTrigger(
    // A file has no values that are undefined.
    {
      type: 'post',
      protocol: Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
    },
    { ...triggerHost(undefined, environment), home },
  )
}

describe('post trigger to SNS', () => {
  for (const [protocol, environment, message] of [
    [
      {},
      {},
      /there are no AWS credentials: give AWS_ACCESS_KEY_ID and .*, or the profile default in \/nowhere\/\.aws\/credentials or /,
    ],
    [{}, { AWS_PROFILE: 'ops', ...KEY }, /the profile ops in /],
    [
      {},
      { AWS_ACCESS_KEY_ID: 'x' },
      /one half of the AWS key is missing: the environment has no aws_secret_access_key/,
    ],
    [{ aws_secret_access_key: 'x' }, KEY, /the protocol has no aws_access_key_id/],
    [{ region_name: 'eu-west-1' }, KEY, /region_name is eu-west-1, but the topic .* is in eu-west-2/],
    [{ region_name: undefined }, KEY, /region_name is a mandatory field/],
    [{ arn: undefined }, KEY, /arn is a mandatory field/],
    [{ arn: 'arn:aws:sqs:eu-west-2:1:flights' }, KEY, /must be the name of a topic: arn:aws:sns:REGION/],
    [{ arn: `${ARN}.fifo` }, KEY, /keeps an order: it needs MessageGroupId/],
    [{ MessageAttribute: {} }, KEY, /Unknown key; .* Did you mean MessageAttributes\?/],
    [{ MessageAttributes: { a: { StringValue: 'x' } } }, KEY, /DataType is a mandatory field/],
    [{ cloudevents: { type: 'x'.repeat(101) } }, KEY, /at most 100 characters/],
    [{}, { ...KEY, AWS_ENDPOINT_URL: 'moto' }, /AWS_ENDPOINT_URL must be an http or https address/],
  ] as const) {
    it(`is refused before the client listens: ${message.source}`, () => {
      assert.throws(() => sns(protocol, environment), message)
    })
  }

  it('asks the service of its region, and signs for it with a temporary key', async (context) => {
    const service = await scriptedService(context, [(response) => answer(response, 200, {})])
    const environment = { ...KEY, AWS_SESSION_TOKEN: 'token' }
    await sns({}, { ...environment, AWS_ENDPOINT_URL_SNS: service.url }).run(notification(), never)
    const [asked] = service.asked
    assert.match(
      asked?.headers.authorization ?? '',
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20260810\/eu-west-2\/sns\/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}$/,
    )
    assert.equal(asked?.headers['x-amz-security-token'], 'token')
    const trigger = createTrigger(
      {
        type: 'post',
        protocol: {
          type: 'cloudevents_aws',
          arn: 'arn:aws-cn:sns:cn-north-1:123456789012:t',
          region_name: 'cn-north-1',
        },
      },
      {
        ...triggerHost(undefined, KEY),
        fetch: (url) => Promise.reject(new Error(`asked ${url}`)),
      },
    )
    await assert.rejects(
      trigger.run(notification(), never),
      /asked https:\/\/sns\.cn-north-1\.amazonaws\.com\.cn\/$/,
    )
  })

  it('finds a profile in the configuration file, too', async (context) => {
    const home = await mkdtemp(join(tmpdir(), 'aviso-test-'))
    context.after(() => rm(home, { recursive: true }))
    await mkdir(join(home, '.aws'))
    await writeFile(
      join(home, '.aws', 'config'),
      '[profile ops]\r\naws_access_key_id=a\r\naws_secret_access_key=b\r\n',
    )
    assert.doesNotThrow(() => sns({}, { AWS_PROFILE: 'ops' }, home))
    assert.throws(() => sns({}, { AWS_PROFILE: 'other' }, home), /no AWS credentials/)
  })

  for (const [status, code, retryable] of [
    [400, 'Throttling', true],
    [403, 'ExpiredToken', true],
    [403, 'AuthorizationError', false],
    [500, 'InternalError', true],
    [503, undefined, true],
  ] as const) {
    it(`takes ${status} ${code ?? ''} for ${retryable ? 'a failure that may pass' : 'a refusal'}`, async (context) => {
      const xml = `<ErrorResponse><Error><Type>x</Type><Code>${code ?? ''}</Code><Message>no</Message></Error></ErrorResponse>`
      const service = await scriptedService(context, [
        (response) => {
          response.writeHead(status, { 'retry-after': '3' })
          response.end(code === undefined ? 'busy' : xml)
        },
      ])
      await assert.rejects(
        sns({}, { ...KEY, AWS_ENDPOINT_URL: service.url }).run(notification(), never),
        (error) => {
          assert.ok(error instanceof TriggerError)
          assert.deepEqual([error.retryable, error.isPoison, error.retryAfterMs], [retryable, false, 3000])
          assert.match(error.message, code === undefined ? /: busy$/ : new RegExp(`: ${code}: no$`))
          return true
        },
      )
    })
  }

  it('passes over a notification that SNS cannot take', async () => {
    await assert.rejects(
      sns().run(notification({ payload: 'x'.repeat(262_144) }), never),
      (error) => error instanceof TriggerError && error.isPoison && !error.retryable,
    )
  })

  it('plans without a secret', () => {
    const { text, details } = sns().plan(notification({ time: '2026-08-09T01:02:03Z' }))
    assert.match(
      text,
      /^publish to arn:aws:sns:eu-west-2:123456789012:flights: \{"default": "\{\\"specversion/,
    )
    assert.doesNotMatch(JSON.stringify(details), /secret/)
  })
})
