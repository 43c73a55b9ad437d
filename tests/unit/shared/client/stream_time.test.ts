import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { describe, it } from 'node:test'
import { followStream } from '#shared/client/stream.ts'
import { createManualClock, createSkippingClock } from '../../../support/clock.ts'
import { eventually } from '../../../support/waiting.ts'
import {
  answer,
  notificationFrame,
  openStream,
  recordedOutput,
  scriptedService,
} from '../../scripts/aviso/fixture.ts'
import { follow, noCredentials, OPENING, send } from './stream_fixture.ts'

describe('followStream() over time', () => {
  it('waits as Retry-After says, then with growing pauses', async (context) => {
    const { clock, output, ids } = await follow(context, {
      steps: [
        (response) => answer(response, 503, { message: 'Full' }, { 'retry-after': '7' }),
        (response) => answer(response, 502, {}, { connection: 'close' }),
        (response) => response.destroy(),
        send(notificationFrame(1)),
      ],
      count: 1,
    })
    assert.deepEqual(ids, ['flight@1'])
    assert.deepEqual(clock.sleeps, [7000, 1000, 2000])
    for (const [index, reason] of [
      'status 503, Full\\), trying again in 7s',
      'status 502, no reason given\\), trying again in 1s',
    ].entries())
      assert.match(
        output.logged[index]?.message ?? '',
        new RegExp(`^Unable to connect to http://127\\.0\\.0\\.1:\\d+ \\(${reason}\\.\\.\\.$`),
      )
  })

  it('waits at least as long as the retry: of the stream says', async (context) => {
    const { clock } = await follow(context, {
      steps: [send(`${OPENING.trimEnd()}\nretry: 4321\n\n`, 'cut'), send(notificationFrame(1))],
      count: 1,
    })
    assert.ok(clock.sleeps.includes(4321))
  })

  it('goes on at once when the service only wants a new connection', async (context) => {
    const closing = 'event: connection-closing\ndata: {"reason":"max_duration_reached"}\nid: e.5\n\n'
    const { clock, resumes, output } = await follow(context, {
      steps: [send(notificationFrame(1) + closing), send(notificationFrame(6))],
      count: 2,
    })
    assert.deepEqual(clock.sleeps, [])
    assert.deepEqual(resumes, [undefined, 'e.5'])
    assert.deepEqual(output.logged, [])
  })

  it('does not hammer a service that closes every connection at once', async (context) => {
    const closing = send('event: connection-closing\ndata: {"reason":"end_of_stream"}\n\n')
    const { clock } = await follow(context, {
      steps: [closing, closing, closing, send(notificationFrame(1))],
      count: 1,
    })
    assert.deepEqual(clock.sleeps, [1000, 2000])
  })

  it('takes a connection for short by the time that passes, where the date is set forward meanwhile', async (context) => {
    const clock = createSkippingClock()
    const closing = (response: ServerResponse): void => {
      clock.jump(3_600_000)
      send('event: connection-closing\ndata: {"reason":"end_of_stream"}\n\n')(response)
    }
    await follow(context, { steps: [closing, closing, closing, send(notificationFrame(1))], count: 1, clock })
    assert.deepEqual(clock.sleeps, [1000, 2000])
  })

  it('learns from heartbeats how long a silence may be, whatever the date says', async (context) => {
    const heartbeat = 'event: heartbeat\ndata: {}\nid: e.9\n\n'
    let beat = (): void => undefined
    const { asked } = await follow(context, {
      steps: [
        (response) => {
          openStream(response)
          beat = () => void response.write(heartbeat)
          beat()
        },
        send(notificationFrame(1)),
      ],
      count: 1,
      meanwhile: async (clock, seen) => {
        await eventually('a heartbeat has come', async () => seen.messages.length === 2)
        clock.jump(-3_600_000)
        await clock.advance(15_000)
        beat()
        await eventually('another one has come', async () => seen.messages.length === 3)
        await clock.advance(44_999)
        assert.equal(seen.asked.length, 1)
        await clock.advance(1)
      },
    })
    assert.equal(asked.length, 2)
  })

  it('leaves a connection on which nothing is heard, not even heartbeats', async (context) => {
    const { resumes, output } = await follow(context, {
      steps: [send(notificationFrame(1)), send(notificationFrame(2))],
      count: 2,
      meanwhile: async (clock, { ids }) => {
        await eventually('a notification has come', async () => ids.length === 1)
        await clock.advance(20_000)
      },
    })
    assert.deepEqual(resumes, [undefined, 'e.1.0'])
    assert.match(output.logged[0]?.message ?? '', /^Nothing heard from /)
  })

  it('leaves a service that accepts and never answers', async (context) => {
    const { asked, ids } = await follow(context, {
      steps: [() => undefined, send(notificationFrame(1))],
      options: { timeoutMs: 5000 },
      count: 1,
      meanwhile: async (clock, seen) => {
        await eventually('the service is asked', async () => seen.asked.length === 1)
        await clock.advance(5000)
      },
    })
    assert.equal(asked.length, 2)
    assert.deepEqual(ids, ['flight@1'])
  })

  it('does not take the time of triggers for silence', async (context) => {
    let sendSecond = (): void => undefined
    const service = await scriptedService(context, [
      (response) => {
        openStream(response)
        response.write(notificationFrame(1))
        sendSecond = () => void response.write(notificationFrame(2))
      },
    ])
    const stop = new AbortController()
    // It does not move by itself: only the trigger takes time.
    const clock = createManualClock()
    const stream = followStream({
      target: { baseUrl: service.url, event: 'flight', request: {} },
      start: { kind: 'live' },
      onGap: 'stop',
      credentials: noCredentials,
      fetch: (url, init) => fetch(url, init),
      clock,
      random: () => 1,
      output: recordedOutput(),
      stop: stop.signal,
    })
    let received = 0
    for await (const { kind } of stream) {
      if (kind !== 'notification') continue
      // Longer than the idle limit of 20 s.
      await clock.advance(30_000)
      if (++received === 2) stop.abort()
      else sendSecond()
    }
    assert.equal(service.asked.length, 1)
  })

  it('ends at once when it is told to stop, also where an aborted body stays silent, as sometimes on Deno', async () => {
    const stop = new AbortController()
    const silent = (): Promise<Response> => {
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode(notificationFrame(1))),
      })
      return Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
    }
    const stream = followStream({
      target: { baseUrl: 'http://aviso.test', event: 'flight', request: {} },
      start: { kind: 'live' },
      onGap: 'stop',
      credentials: noCredentials,
      fetch: silent,
      clock: createManualClock(),
      random: () => 1,
      output: recordedOutput(),
      stop: stop.signal,
    })
    await stream.next()
    await stream.next()
    const end = stream.next()
    stop.abort()
    assert.equal((await end).done, true)
  })
})
