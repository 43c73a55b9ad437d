/**
 * The protocol `cloudevents_aws` of the trigger `post`, against moto: a server in Python that plays Amazon's services and checks signatures. The
 * message that arrives in a queue is compared with the one that 1.x's own trigger sends.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../scripts/etcd/member.ts'
import { createTrigger } from '../../scripts/aviso/triggers/create_trigger.ts'
import { TriggerError, type Trigger } from '../../scripts/aviso/triggers/trigger.ts'
import { outputOf } from '../../scripts/run_command.ts'
import { systemClock } from '#shared/time/clock.ts'
import { missing } from '../support/missing.ts'
import { findPythonPackage } from '../support/python_packages.ts'
import { temporaryFolder } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'
import { never, notification, triggerHost } from '../unit/scripts/aviso/fixture.ts'
import { findClient } from './real_client.ts'

const MOTO = { name: 'moto-5.2.5', requirements: ['moto[server,sns,sqs]==5.2.5'] }
const SCRIPT = fileURLToPath(new URL('aws.py', import.meta.url))
const client = await findClient('pyaviso1')
const skip = (await missing(() => findPythonPackage(MOTO))) || client.skip

/** A key, as the listener file has it. */
interface Key {
  readonly aws_access_key_id: string
  readonly aws_secret_access_key: string
}

/** What arrived in the queue. */
interface Arrived {
  readonly body: Readonly<Record<string, unknown>> & { readonly Message: string; readonly Subject: string }
  readonly attributes: Readonly<Record<string, string>>
}

/** Amazon with a topic, a queue behind it, and the key of somebody who may publish and read. */
interface Amazon {
  readonly endpoint: string
  readonly topic: string
  readonly key: Key
  receive(): Promise<readonly Arrived[]>
  /** Sends with 1.x's trigger. */
  publishWith1x(protocol: object): Promise<void>
}

async function startAmazon(context: TestContext, options: object = {}): Promise<Amazon> {
  const python = join(await findPythonPackage(MOTO), 'python')
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const child = spawn(python, ['-m', 'moto.server', '-p', String(port)], {
    stdio: 'ignore',
    // Until the test says otherwise, everybody may do everything.
    env: { ...process.env, INITIAL_NO_AUTH_ACTION_COUNT: '1000000' },
  })
  context.after(() => void child.kill('SIGKILL'))
  await eventually('moto answers', () =>
    fetch(`${endpoint}/moto-api/data.json`).then(
      ({ ok }) => ok,
      () => false,
    ),
  )
  const run = async (program: string, command: string, given: object): Promise<string> =>
    outputOf(program, ['-W', 'ignore', SCRIPT, endpoint, command, JSON.stringify(given)], {
      environment: { AWS_ENDPOINT_URL: endpoint },
    })
  const { topic, queue, key } = JSON.parse(await run(python, 'prepare', options)) as {
    readonly topic: string
    readonly queue: string
    readonly key: Key
  }
  // From now on every request must be signed with the key.
  await fetch(`${endpoint}/moto-api/reset-auth`, { method: 'POST', body: '0' })
  const [python1] = client.command('python')
  return {
    endpoint,
    topic,
    key,
    receive: async () => JSON.parse(await run(python, 'receive', { queue, ...key })) as readonly Arrived[],
    publishWith1x: async (protocol) => {
      const { event, request, payload } = SENT
      await run(python1, 'publish', { notification: { event, request, payload }, protocol })
    },
  }
}

const SENT = notification({ time: '2026-08-09T01:02:03.456Z', payload: { path: '/é', size: 1.5 } })

/** @param environment beside the address of Amazon */
function triggerFor(
  { endpoint, topic }: Amazon,
  protocol: object,
  { environment = {}, home = '/nowhere' }: { environment?: Record<string, string>; home?: string } = {},
): Trigger {
  const host = triggerHost(undefined, { AWS_ENDPOINT_URL: endpoint, ...environment })
  return createTrigger(
    {
      type: 'post',
      protocol: { type: 'cloudevents_aws', arn: topic, region_name: 'eu-west-2', ...protocol },
    },
    // Signatures are good for some minutes around the real time.
    { ...host, home, clock: systemClock },
  )
}

/** The event in a message, and the message without what differs from one sending to the next. */
function parts(message: string): { readonly id: string; readonly time: string; readonly rest: string } {
  const { id, time } = JSON.parse(message) as { readonly id: string; readonly time: string }
  return { id, time, rest: message.replace(id, 'ID').replace(time, 'TIME') }
}

describe('post with cloudevents_aws', { skip }, () => {
  it('publishes what 1.x publishes: message, subject and attributes', async (context) => {
    const amazon = await startAmazon(context)
    const protocol = {
      MessageAttributes: {
        kind: { DataType: 'String', StringValue: 'é & =' },
        size: { DataType: 'Number', StringValue: '7' },
      },
      cloudevents: { type: 'landing', source: 'https://aviso.example' },
    }
    await triggerFor(amazon, { ...protocol, ...amazon.key }).run(SENT, never)
    await amazon.publishWith1x({
      arn: amazon.topic,
      region_name: 'eu-west-2',
      ...protocol,
      ...amazon.key,
    })
    const [ours, theirs, ...others] = await amazon.receive()
    assert.ok(ours !== undefined && theirs !== undefined && others.length === 0)
    assert.deepEqual(Object.keys(ours.body), Object.keys(theirs.body))
    assert.deepEqual(ours.body['MessageAttributes'], theirs.body['MessageAttributes'])
    assert.deepEqual(ours.body['MessageAttributes'], {
      kind: { Type: 'String', Value: 'é & =' },
      size: { Type: 'Number', Value: '7' },
    })
    assert.deepEqual([ours.body.Subject, theirs.body.Subject], ['landing', 'landing'])
    assert.equal(parts(ours.body.Message).rest, parts(theirs.body.Message).rest)
    assert.equal(parts(ours.body.Message).time, '2026-08-09T01:02:03Z')
  })

  it('is not published twice by two attempts where the topic keeps an order', async (context) => {
    const amazon = await startAmazon(context, { fifo: true })
    const trigger = triggerFor(amazon, { MessageGroupId: 'flights', ...amazon.key })
    await trigger.run(SENT, never)
    await trigger.run({ ...SENT }, never)
    const arrived = await amazon.receive()
    assert.deepEqual(
      arrived.map(({ attributes }) => attributes['MessageGroupId']),
      ['flights'],
    )
    assert.equal(arrived[0]?.attributes['MessageDeduplicationId'], parts(arrived[0]?.body.Message ?? '').id)
  })

  it('finds the key in the environment, and in the profile of a file, which it reads again', async (context) => {
    const amazon = await startAmazon(context)
    const { aws_access_key_id: id, aws_secret_access_key: secret } = amazon.key
    const environment = { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret }
    await triggerFor(amazon, {}, { environment }).run(SENT, never)
    const home = await temporaryFolder(context)
    await mkdir(join(home, '.aws'))
    const write = (given: string): Promise<void> =>
      writeFile(
        join(home, '.aws', 'credentials'),
        `[default]\naws_access_key_id = x\naws_secret_access_key = y\n\n# mine\n[ ops ]\naws_access_key_id=${id}\nAWS_SECRET_ACCESS_KEY = ${given}\n`,
      )
    await write('old')
    const trigger = triggerFor(amazon, {}, { home, environment: { AWS_PROFILE: 'ops' } })
    await assert.rejects(
      trigger.run(SENT, never),
      (error) =>
        error instanceof TriggerError &&
        !error.retryable &&
        /SNS answered 403 for arn:aws:sns:eu-west-2:\d+:flights: SignatureDoesNotMatch: /.test(error.message),
    )
    await write(secret)
    await trigger.run(SENT, never)
    assert.equal((await amazon.receive()).length, 2)
  })

  it('names a topic that is not there', async (context) => {
    const amazon = await startAmazon(context)
    const arn = amazon.topic.replace('flights', 'fights')
    await assert.rejects(
      triggerFor(amazon, { arn, ...amazon.key }).run(SENT, never),
      (error) =>
        error instanceof TriggerError && !error.retryable && /fights: NotFound: /.test(error.message),
    )
  })
})
