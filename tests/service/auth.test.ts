import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createScaledClock } from '../support/clock.ts'
import { readLines } from '../support/streams.ts'
import { readAll, readFrames, shown, withSystem, type Frame, type TestSystem } from './auth_fixture.ts'
import { eventually } from '../support/waiting.ts'
import { BASE_URL } from '../support/system.ts'

const WATCH = '/api/v1/watch'
const REPLAY = '/api/v1/replay'
const ALL = { event_type: 'flight', identifier: {} }

async function take(reader: { next(): Promise<Frame> }, count: number): Promise<string[]> {
  const frames: string[] = []
  while (frames.length < count) frames.push(shown(await reader.next()))
  return frames
}

async function replay({ post }: TestSystem, body: object): Promise<string[]> {
  return readAll(await post(REPLAY, { ...ALL, ...body }))
}

const STARTED = 'replay-control replay_started'
const COMPLETED = 'replay-control replay_completed'
const CLOSED = 'connection-closing end_of_stream'

describe('POST /api/v1/watch', () => {
  it('opens with its own frame, then delivers what is published, in order', () =>
    withSystem(async (test) => {
      await test.publish('before')
      const response = await test.post(WATCH, ALL, { 'x-request-id': 'mine' })
      assert.equal(response.headers.get('x-request-id'), 'mine')
      assert.equal(response.headers.get('x-accel-buffering'), 'no')
      assert.match(response.headers.get('cache-control') ?? '', /no-cache/)
      const stream = readFrames(response)
      const opening = await stream.next()
      assert.equal(opening.event, 'live-notification')
      assert.deepEqual(Object.keys(opening.data), [
        'type',
        'topic',
        'timestamp',
        'request_id',
        'connection_will_close_in_seconds',
      ])
      assert.equal(opening.data['request_id'], 'mine')
      for (const number of ['a', 'b', 'c']) await test.publish(number)
      assert.deepEqual(
        await take(stream, 3),
        ['a', 'b', 'c'].map((number) => `live-notification ${number}`),
      )
      await stream.close()
    }))

  it('delivers the CloudEvent of 2.x, with dense ids', () =>
    withSystem(async (test) => {
      const stream = readFrames(await test.post(WATCH, ALL))
      await stream.next()
      const receipt = await test.publish('AZ1', { at: 's3://bucket', size: 1 })
      await test.publish('AZ2')
      const { data, id } = await stream.next()
      assert.equal(id, undefined)
      const { time, providerid, ...rest } = data
      assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      assert.equal(typeof providerid, 'string')
      assert.deepEqual(rest, {
        specversion: '1.0',
        id: 'flight@1',
        source: BASE_URL,
        type: 'int.ecmwf.aviso.flight',
        datacontenttype: 'application/json',
        dataschema: `${BASE_URL}/api/v1/schema/flight`,
        subject: receipt.key,
        revision: receipt.revision,
        providersource: 'urn:aviso:ingest',
        data: {
          identifier: { date: '20260810', country: 'italy', airport: 'FCO', number: 'AZ1' },
          payload: { at: 's3://bucket', size: 1 },
        },
      })
      assert.equal((await stream.next()).data.id, 'flight@2')
      const schema = await test.call('/api/v1/schema/flight')
      assert.equal(schema.status, 200)
      await stream.close()
    }))

  it('goes on from a number: history, its end, then live, without gap or repeat', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'c']) await test.publish(number)
      const stream = readFrames(await test.post(WATCH, { ...ALL, from_id: '2' }))
      const history = await take(stream, 4)
      assert.deepEqual(history, [STARTED, 'replay b', 'replay c', COMPLETED])
      await test.publish('d')
      assert.deepEqual(await take(stream, 1), ['live-notification d'])
      await stream.close()
    }))

  it('delivers every number once while publishing goes on across the seam', () =>
    withSystem(async (test) => {
      let isOver = false
      let published = 0
      const writers = Array.from({ length: 4 }, async (_, writer) => {
        for (let count = 0; !isOver; count++) {
          await test.publish(`w${writer}-${count}`)
          published++
        }
      })
      await eventually('there is history', async () => published > 50)
      const stream = readFrames(await test.post(WATCH, { ...ALL, from_id: '1' }))
      const names: string[] = []
      const ids: string[] = []
      const read = async (): Promise<void> => {
        const { event, data } = await stream.next()
        if (data.data === undefined) return
        names.push(event)
        ids.push(data.id ?? '')
      }
      while (names.filter((name) => name === 'live-notification').length < 50) await read()
      isOver = true
      await Promise.all(writers)
      while (ids.length < published) await read()
      assert.ok(names.filter((name) => name === 'replay').length > 50)
      assert.deepEqual(
        ids,
        Array.from({ length: published }, (_, index) => `flight@${index + 1}`),
      )
      await stream.close()
    }))

  it('starts live where the number is still to come', () =>
    withSystem(async (test) => {
      await test.publish('a')
      const stream = readFrames(await test.post(WATCH, { ...ALL, from_id: '2' }))
      assert.deepEqual(await take(stream, 2), [STARTED, COMPLETED])
      await test.publish('b')
      assert.deepEqual(await take(stream, 1), ['live-notification b'])
      await stream.close()
    }))

  it('filters by values, lists and comparisons', () =>
    withSystem(async (test) => {
      const streams = await Promise.all(
        [{ country: 'Italy', number: 'b' }, { number: ['b', 'c'] }, { number: { in: ['a', 'c'] } }].map(
          async (identifier) => readFrames(await test.post(WATCH, { event_type: 'flight', identifier })),
        ),
      )
      for (const stream of streams) await stream.next()
      for (const number of ['a', 'b', 'c', 'd', 'b', 'a']) await test.publish(number, crypto.randomUUID())
      const [one, list, among] = await Promise.all(
        streams.map((stream, index) => take(stream, index === 0 ? 2 : 3)),
      )
      assert.deepEqual(one, ['live-notification b', 'live-notification b'])
      assert.deepEqual(
        list,
        ['b', 'c', 'b'].map((number) => `live-notification ${number}`),
      )
      assert.deepEqual(
        among,
        ['a', 'c', 'a'].map((number) => `live-notification ${number}`),
      )
      await Promise.all(streams.map((stream) => stream.close()))
    }))

  it('beats, ages and says how to go on', () =>
    withSystem(
      async (test) => {
        const frames = await readFramesWithBeats(await test.post(WATCH, ALL))
        const [opening, ...others] = frames
        assert.equal(opening?.data['connection_will_close_in_seconds'], 8)
        const beats = others.filter(({ event }) => event === 'heartbeat')
        assert.ok(beats.length >= 2, `${beats.length} heartbeats`)
        assert.deepEqual(Object.keys(beats[0]?.data ?? {}), ['position', 'topic', 'timestamp'])
        const closing = others.at(-1)?.data
        assert.deepEqual([closing?.reason, closing?.['detail']], ['max_duration_reached', 'max_age'])
      },
      { clock: createScaledClock(4), vars: { heartbeatSeconds: 2, streamMaxAgeSeconds: 8 } },
    ))

  it('says that the service goes away', () =>
    withSystem(async (test) => {
      const stream = readFrames(await test.post(WATCH, ALL))
      await stream.next()
      await test.system.close()
      assert.deepEqual((await stream.rest()).map(shown), ['connection-closing server_shutdown'])
    }))
})

async function readFramesWithBeats(response: Response): Promise<Frame[]> {
  const stream = readFrames(response)
  const frames: Frame[] = []
  for (;;) {
    const frame = await stream.next(() => true)
    frames.push(frame)
    if (frame.event === 'connection-closing') return frames
  }
}

describe('POST /api/v1/replay', () => {
  it('delivers history and ends', () =>
    withSystem(async (test) => {
      assert.deepEqual(await replay(test, { from_id: '0' }), [STARTED, COMPLETED, CLOSED])
      for (const number of ['a', 'b', 'c']) await test.publish(number)
      const all = ['replay a', 'replay b', 'replay c']
      for (const from_id of ['0', '1']) {
        assert.deepEqual(await replay(test, { from_id }), [STARTED, ...all, COMPLETED, CLOSED])
      }
      assert.deepEqual(await replay(test, { from_id: '3' }), [STARTED, 'replay c', COMPLETED, CLOSED])
      assert.deepEqual(await replay(test, { from_id: '4' }), [STARTED, COMPLETED, CLOSED])
    }))

  it('starts and ends among the notifications of one revision', () =>
    withSystem(async (test) => {
      await test.publishTogether('a', 'b', 'c', 'd', 'e')
      await test.publish('f')
      const middle = await replay(test, { from_id: '2', to_id: '4' })
      assert.deepEqual(middle, [STARTED, 'replay b', 'replay c', 'replay d', COMPLETED, CLOSED])
      const tail = await replay(test, { from_id: '5', to_id: '99' })
      assert.deepEqual(tail, [STARTED, 'replay e', 'replay f', COMPLETED, CLOSED])
      const [opening] = await readFrames(await test.post(REPLAY, { ...ALL, from_id: '2', to_id: '4' })).rest()
      assert.deepEqual([opening?.data['from_sequence'], opening?.data['end_sequence']], [2, 4])
    }))

  it('starts and ends at dates', () =>
    withSystem(async (test) => {
      await test.publish('a')
      await nextMillisecond()
      const from_date = new Date().toISOString()
      await test.publish('b')
      await nextMillisecond()
      await test.publish('c')
      const to_date = new Date().toISOString()
      await nextMillisecond()
      await test.publish('d')
      const inside = ['replay b', 'replay c']
      const frames = await readFrames(await test.post(REPLAY, { ...ALL, from_date, to_date })).rest()
      assert.deepEqual(frames.map(shown), [STARTED, ...inside, COMPLETED, CLOSED])
      assert.deepEqual([frames[0]?.data['from_date'], frames[0]?.data['end_sequence']], [from_date, 3])
      const open = await replay(test, { from_date })
      assert.deepEqual(open, [STARTED, ...inside, 'replay d', COMPLETED, CLOSED])
    }))

  it('does not wait for what others write beside the notifications', () =>
    withSystem(async (test) => {
      await test.publish('a')
      const key = new TextEncoder().encode('/elsewhere')
      await test.store.txn({ compare: [], success: [{ kind: 'put', key, value: key }] })
      assert.deepEqual(await replay(test, { from_id: '1' }), [STARTED, 'replay a', COMPLETED, CLOSED])
      await test.publishForeign('x')
      const frames = await replay(test, { from_id: '1' })
      assert.deepEqual(frames, [STARTED, 'replay a', 'replay x', COMPLETED, CLOSED])
    }))

  it('tells 2.x clients in their words, and others with 410, that history is gone', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'c']) await test.publish(number)
      const { revision } = await test.publish('d')
      await test.store.compact(BigInt(revision))
      const frames = await readFrames(await test.post(REPLAY, { ...ALL, from_id: '2' })).rest()
      assert.deepEqual(frames.map(shown), [STARTED, 'replay-control history_compacted', CLOSED])
      const gap = frames[1]?.data
      assert.deepEqual([gap?.type, gap?.['max_allowed']], ['notification_replay_limit_reached', 10_000])
      const open = await test.call('/api/v1/watch?event=flight&from_id=2')
      const body = (await open.json()) as { code: string; oldest_position: string }
      assert.deepEqual([open.status, body.code], [410, 'HISTORY_COMPACTED'])
      const stream = readFrames(await test.call(`/api/v1/watch?event=flight&from=${body.oldest_position}`))
      assert.deepEqual(await take(stream, 3), [STARTED, 'replay d', COMPLETED])
      await stream.close()
    }))

  it('delivers what is left where everything was asked for, and says that it is not everything', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'c']) await test.publish(number)
      const { revision } = await test.publish('d')
      await test.store.compact(BigInt(revision))
      for (const from_id of ['0', '1']) {
        const frames = await readFrames(await test.post(REPLAY, { ...ALL, from_id })).rest()
        assert.deepEqual(frames.map(shown), [STARTED, 'replay d', COMPLETED, CLOSED])
        assert.equal(frames[0]?.data['truncated'], true)
      }
    }))
})

/** Waits until the next millisecond has begun: commits are told apart by their times. */
function nextMillisecond(): Promise<void> {
  const now = Date.now()
  return eventually('time passes', async () => Date.now() > now + 1)
}

describe('GET /api/v1/watch', () => {
  it('gives every frame an id to go on from, and browsers a time to come back', () =>
    withSystem(async (test) => {
      await test.publishTogether('a', 'b', 'c')
      const address = '/api/v1/watch?event=flight&from_id=1'
      const first = await test.call(address)
      const stream = readFrames(first)
      assert.equal(shown(await stream.next()), STARTED)
      const a = await stream.next()
      assert.equal(shown(a), 'replay a')
      await stream.close()
      // A browser repeats the address.
      const again = readFrames(await test.call(address, { headers: { 'last-event-id': a.id ?? '' } }))
      assert.deepEqual(await take(again, 4), [STARTED, 'replay b', 'replay c', COMPLETED])
      await test.publish('d')
      const d = await again.next()
      assert.equal(shown(d), 'live-notification d')
      await again.close()
      await test.publish('e')
      const cursor = readFrames(await test.call(`/api/v1/watch?event=flight&from=${d.id}`))
      assert.deepEqual(await take(cursor, 3), [STARTED, 'replay e', COMPLETED])
      await cursor.close()
    }))

  it('moves the place of an idle listener on with its heartbeats', () =>
    withSystem(
      async (test) => {
        const stream = readFrames(await test.call('/api/v1/watch?event=flight&number=wanted'))
        const opening = await stream.next()
        const { revision } = await test.publish('other')
        const isOn = ({ event, id }: Frame): boolean =>
          event === 'heartbeat' && id?.endsWith(`.${revision}`) === true
        const beat = await stream.next(isOn)
        assert.notEqual(beat.id, opening.id)
        assert.equal(beat.data.position, beat.id)
        await stream.close()
      },
      { clock: createScaledClock(20), vars: { heartbeatSeconds: 1 } },
    ))

  it('takes a parameter several times as any of its values', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'c']) await test.publish(number)
      const stream = readFrames(await test.call('/api/v1/watch?event=flight&number=a&number=c&from_id=0'))
      assert.deepEqual(await take(stream, 4), [STARTED, 'replay a', 'replay c', COMPLETED])
      await stream.close()
    }))

  it('refuses a position of another store', () =>
    withSystem(async (test) => {
      const response = await test.call('/api/v1/watch?event=flight&from=elsewhere.12')
      assert.deepEqual(
        [response.status, ((await response.json()) as { code: string }).code],
        [410, 'EPOCH_CHANGED'],
      )
    }))

  it('writes JSON lines to those who accept them', () =>
    withSystem(async (test) => {
      await test.publish('a')
      const headers = { accept: 'application/x-ndjson' }
      const response = await test.call('/api/v1/watch?event=flight&from_id=0', { headers })
      assert.equal(response.headers.get('content-type'), 'application/x-ndjson')
      const lines = readLines(response)
      const [opening, a, completed] = [await lines.next(), await lines.next(), await lines.next()].map(
        (line) => JSON.parse(line) as Frame,
      )
      assert.deepEqual(
        [opening?.event, a?.event, completed?.event],
        ['replay-control', 'replay', 'replay-control'],
      )
      assert.equal(a?.data.id, 'flight@1')
      assert.match(a?.id ?? '', /^[\w-]+\.\d+\.0$/)
      await lines.close()
    }))

  it('answers HEAD without leaving a stream behind', () =>
    withSystem(async (test) => {
      const response = await test.call('/api/v1/watch?event=flight', { method: 'HEAD' })
      assert.deepEqual([response.status, await response.text()], [200, ''])
      await eventually('no stream is open', async () => {
        const { streams } = (await (await test.call('/ready')).json()) as { streams: number }
        return streams === 0
      })
    }))
})
