import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  createHttpChannel,
  createUdpChannel,
  MAX_QUEUED,
  type DatagramSender,
  type TelemetryChannel,
} from '#shared/observe/telemetry/channel.ts'
import {
  createTimeCollector,
  createUniqueCollector,
  MAX_UNIQUE_VALUES,
} from '#shared/observe/telemetry/collectors.ts'
import { encodeTelemetry, MAX_SENT_BYTES } from '#shared/observe/telemetry/message.ts'
import { startTransmitter } from '#shared/observe/telemetry/transmitter.ts'
import { createManualClock } from '../../../../support/clock.ts'
import { createSecret } from '#shared/secret.ts'

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

function recordingChannel(): TelemetryChannel & { readonly texts: string[] } {
  const texts: string[] = []
  return {
    texts,
    send: (message) => void texts.push(textOf(message)),
    status: () => ({ sent: texts.length, dropped: 0 }),
    close: () => Promise.resolve(),
  }
}

describe('encodeTelemetry()', () => {
  it('is the datagram of 1.x, byte for byte', () => {
    const datagram = encodeTelemetry({
      telemetry_type: 'rest_resp_time',
      component_name: 'aviso-rest',
      hostname: 'vm',
      time: 1795301071.953389,
      telemetry: {
        rest_resp_time_counter: 1,
        rest_resp_time_avg: 1.6e-6,
        rest_resp_time_max: 1.6e-6,
        rest_resp_time_min: 1.6e-6,
      },
    })
    // reference/aviso-v1.md §4.2; JavaScript writes 1.6e-06 as 0.0000016, the same number.
    assert.equal(
      textOf(datagram),
      '{"telemetry_type":"rest_resp_time","component_name":"aviso-rest","hostname":"vm","time":1795301071.953389,' +
        '"telemetry":{"rest_resp_time_counter":1,"rest_resp_time_avg":0.0000016,"rest_resp_time_max":0.0000016,"rest_resp_time_min":0.0000016}}',
    )
  })
})

describe('createTimeCollector()', () => {
  it('aggregates an interval, then starts anew', () => {
    const collector = createTimeCollector('rest_resp_time')
    for (const seconds of [1, 2, 6]) collector.observe(seconds)
    assert.deepEqual(collector.take(), [
      { rest_resp_time_counter: 3, rest_resp_time_avg: 3, rest_resp_time_max: 6, rest_resp_time_min: 1 },
    ])
    assert.deepEqual(collector.take(), [])
  })

  it('keeps sub-measurements apart, each in a part of its own', () => {
    const collector = createTimeCollector('auth_resp_time')
    collector.observe(4)
    collector.observe(1, 'att')
    assert.deepEqual(
      collector.take().map((part) => Object.keys(part)[0]),
      ['auth_resp_time_counter', 'auth_resp_time_att_counter'],
    )
  })

  it('leaves out what is no duration', () => {
    const collector = createTimeCollector('rest_resp_time')
    for (const seconds of [Number.NaN, Infinity, -1]) collector.observe(seconds)
    assert.deepEqual(collector.take(), [])
  })
})

describe('createUniqueCollector()', () => {
  it('counts distinct values (conformance row 69)', () => {
    const collector = createUniqueCollector('test_counter')
    for (const value of ['a', 'b', 'c', 'd', 'e', 'f', 'f', 'f', 'f', 'f']) collector.observe(value)
    assert.deepEqual(collector.take(), [
      { test_counter_counter: 6, test_counter_values: ['a', 'b', 'c', 'd', 'e', 'f'] },
    ])
  })

  it('bounds what it keeps, and cuts it so that each message fits one frame', () => {
    const collector = createUniqueCollector('auth_users_counter')
    for (let index = 0; index < 5_000; index++) collector.observe(`user${index}"\u0007é😀`.padEnd(300, 'x'))
    const parts = collector.take()
    const message = {
      telemetry_type: 'auth_users_counter',
      component_name: 'aviso-auth',
      hostname: 'h'.repeat(64),
      time: 1e9,
    }
    for (const telemetry of parts) {
      assert.ok(encodeTelemetry({ ...message, telemetry }).byteLength <= MAX_SENT_BYTES)
    }
    const values = parts.flatMap((part) => part['auth_users_counter_values'] as string[])
    assert.equal(values.length, MAX_UNIQUE_VALUES)
    assert.ok(values.every((value) => value.length <= 128))
  })
})

describe('startTransmitter()', () => {
  it('sends one message per collector and interval, and none where there is nothing to tell (row 68)', async () => {
    const clock = createManualClock(1_795_301_071_953)
    const channel = recordingChannel()
    const time = createTimeCollector('test_time')
    const users = createUniqueCollector('test_counter')
    const transmitter = startTransmitter({
      collectors: [time, users],
      channel,
      clock,
      component: 'aviso-rest',
      hostname: 'vm',
      everySeconds: 2,
    })
    for (let index = 1; index <= 10; index++) time.observe(index / 10)
    await clock.advance(2_000)
    await clock.advance(20_000)
    assert.equal(channel.texts.length, 1)
    const message = JSON.parse(channel.texts[0] ?? '') as Record<string, unknown>
    assert.deepEqual(Object.keys(message), [
      'telemetry_type',
      'component_name',
      'hostname',
      'time',
      'telemetry',
    ])
    assert.equal(message['time'], 1_795_301_073.953)
    const telemetry = message['telemetry'] as Record<string, number>
    assert.deepEqual(
      [telemetry['test_time_counter'], telemetry['test_time_max'], telemetry['test_time_min']],
      [10, 1, 0.1],
    )
    users.observe('joe')
    transmitter.close()
    assert.equal(channel.texts.length, 2, 'the rest goes when it stops')
    assert.equal(clock.timers, 0)
  })
})

describe('createUdpChannel()', () => {
  it('drops, and counts, what a socket that does not come back cannot take', async () => {
    const done: ((sent: boolean) => void)[] = []
    let closed = 0
    const socket: DatagramSender = {
      send: (_, callback) => void done.push(callback),
      close: () => void closed++,
    }
    const channel = createUdpChannel(socket)
    for (let index = 0; index < 1_000; index++) channel.send(new Uint8Array(1))
    assert.equal(done.length, 64)
    for (const callback of done) callback(true)
    channel.send(new Uint8Array(1))
    done.at(-1)?.(false)
    await channel.close()
    await channel.close()
    channel.send(new Uint8Array(1))
    assert.deepEqual(channel.status(), { sent: 64, dropped: 938 })
    assert.equal(closed, 1)
  })
})

describe('createHttpChannel()', () => {
  const parts = { url: 'http://127.0.0.1:1/api/v1/telemetry', token: createSecret('secret') }
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

  it('posts messages as lines with the token, one request at a time', async () => {
    const clock = createManualClock()
    const bodies: string[] = []
    let answer = (): void => undefined
    const fetch = (_url: string, init: RequestInit): Promise<Response> => {
      assert.equal(new Headers(init.headers).get('authorization'), 'Bearer secret')
      bodies.push(init.body as string)
      return new Promise((resolve) => {
        answer = () => resolve(new Response('{}'))
      })
    }
    const channel = createHttpChannel({ ...parts, fetch, clock })
    for (const text of ['1', '2', '3']) channel.send(bytes(text))
    assert.deepEqual(bodies, ['1'])
    answer()
    await clock.advance(0)
    assert.deepEqual(bodies, ['1', '2\n3'])
    answer()
    await clock.advance(0)
    assert.deepEqual(channel.status(), { sent: 3, dropped: 0 })
    await channel.close()
  })

  it('keeps a bounded queue and drops the oldest while the monitoring hangs', async () => {
    const clock = createManualClock()
    const bodies: string[] = []
    let answer = (): void => undefined
    const fetch = (_url: string, init: RequestInit): Promise<Response> => {
      bodies.push(init.body as string)
      return new Promise((resolve, reject) => {
        answer = () => resolve(new Response('{}'))
        init.signal?.addEventListener('abort', () => reject(new Error('aborted')))
      })
    }
    const channel = createHttpChannel({ ...parts, fetch, clock })
    for (let index = 0; index < MAX_QUEUED + 500; index++) channel.send(bytes(`${index}`))
    assert.deepEqual(bodies, ['0'])
    assert.equal(channel.status().dropped, 499)
    answer()
    await clock.advance(0)
    const [first, last] = [bodies[1]?.split('\n')[0], bodies[1]?.split('\n').at(-1)]
    assert.deepEqual(
      [first, last],
      ['500', '599'],
      'the newest thousand is left, and goes a hundred at a time',
    )
    const closing = channel.close()
    await clock.advance(2_000)
    await closing
    assert.equal(channel.status().sent, 1)
  })

  it('waits after a failure instead of hammering', async () => {
    const clock = createManualClock()
    let calls = 0
    const fetch = (): Promise<Response> => {
      calls++
      return calls === 1
        ? Promise.reject(new Error('refused'))
        : Promise.resolve(new Response(null, { status: 500 }))
    }
    const channel = createHttpChannel({ ...parts, fetch, clock })
    channel.send(bytes('1'))
    await clock.advance(1)
    channel.send(bytes('2'))
    await clock.advance(4_998)
    assert.equal(calls, 1)
    await clock.advance(2)
    assert.equal(calls, 2)
    assert.deepEqual(channel.status(), { sent: 0, dropped: 2 })
    const closing = channel.close()
    await clock.advance(2_000)
    await closing
    assert.equal(clock.timers, 0)
  })
})
