/**
 * Streams of 2.x event types, by the numbers of its conformance cases (F, G, K): limits of replays, the seam between history and live, and
 * filters by place. Read by the rules of the official client.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { toBytes } from '#shared/bytes/bytes.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { within } from '../support/waiting.ts'
import { withImported, type ImportedSystem } from '../support/imported_2x.ts'
import { readAsClient, type ClientRequest, type ClientState } from './stream_client.ts'

const FIELDS = 'date: { type: DateHandler, canonical_format: "%Y%m%d" }, time: { type: TimeHandler }'
const SERVER = `
application: { host: 127.0.0.1, port: 8000 }
notification_backend: { kind: in_memory }
watch_endpoint: { max_historical_notifications: 1 }
notification_schema:
  free:
    topic: { base: free, key_order: [x] }
    identifier: { x: { type: StringHandler } }
  limited:
    topic: { base: limited, key_order: [x] }
    identifier: { x: { type: StringHandler } }
    max_historical_notifications: 3
  test_polygon:
    topic: { base: polygon, key_order: [date, time] }
    identifier: { ${FIELDS}, polygon: { type: PolygonHandler, required: true } }
    payload: { required: true }
  test_polygon_optional:
    topic: { base: polygon_optional, key_order: [date, time] }
    identifier: { ${FIELDS}, polygon: { type: PolygonHandler } }
`

async function publish({ post }: ImportedSystem, event_type: string, identifier: object): Promise<number> {
  const response = await post('/api/v1/notification', { event_type, identifier, payload: 'x' })
  const body = (await response.json()) as { sequence?: string }
  assert.equal(response.status, 200, JSON.stringify(body))
  return Number(body.sequence)
}

interface Listening {
  readonly event: string
  readonly identifier?: object
  /** Members of the request. */
  readonly more?: Readonly<Record<string, unknown>>
  readonly isEnough?: (state: ClientState) => boolean
}

/** What the official client makes of a stream. */
async function listen(
  { post }: ImportedSystem,
  mode: 'watch' | 'replay',
  { event, identifier = {}, more = {}, isEnough }: Listening,
): Promise<ClientState> {
  const response = await post(`/api/v1/${mode}`, { event_type: event, identifier, ...more })
  const hasStart = 'from_id' in more || 'from_date' in more
  const request: ClientRequest = { event, mode, hasStart, hasFilter: Object.keys(identifier).length > 0 }
  return readAsClient(response, request, isEnough)
}

/** A frame as a line of JSON. */
interface Line {
  readonly event: string
  readonly data: { readonly detail?: string; readonly position?: string }
}

const ALL = { from_id: '0' } as const
const numbers = ({ delivered }: ClientState): number[] => delivered.map(({ sequence }) => sequence)
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
const phases = ({ delivered }: ClientState): string[] => delivered.map(({ phase }) => phase)

describe('the limit of a replay', () => {
  it('F16 K6 K7 L9: as many as the limit are whole, and one more ends the stream with the limit alone', () =>
    withImported(SERVER, async (system) => {
      for (const x of ['a', 'b', 'c']) await publish(system, 'limited', { x })
      const whole = await listen(system, 'replay', { event: 'limited', more: ALL })
      assert.deepEqual(
        [numbers(whole), whole.isCompleted, whole.closed, whole.terminal],
        [[1, 2, 3], true, 'end_of_stream', undefined],
      )
      let isPublished = false
      const watched = await listen(system, 'watch', {
        event: 'limited',
        more: ALL,
        isEnough: (state) => {
          if (state.isCompleted && !isPublished) {
            isPublished = true
            void publish(system, 'limited', { x: 'd' })
          }
          return state.delivered.length === 4
        },
      })
      assert.deepEqual(phases(watched), ['replay', 'replay', 'replay', 'live-notification'])
      for (const mode of ['watch', 'replay'] as const) {
        const response = await system.post(`/api/v1/${mode}`, {
          event_type: 'limited',
          identifier: {},
          ...ALL,
        })
        const text = await response.text()
        const names = [...text.matchAll(/^event: (.*)$/gm)].map(([, name]) => name)
        assert.deepEqual(
          names.filter((name) => name !== 'heartbeat'),
          ['replay-control', 'replay', 'replay', 'replay', 'replay-control', 'connection-closing'],
        )
        assert.match(text, /"type":"notification_replay_limit_reached","max_allowed":3,/)
        assert.match(text, /"reason":"end_of_stream"/)
        assert.doesNotMatch(text, /replay_completed/)
      }
      const told = await listen(system, 'replay', { event: 'limited', more: ALL })
      assert.equal(told.terminal, 'HistoryGap')
    }))

  it('F17 K11: counts what matches within the span, and nothing else', () =>
    withImported(SERVER, async (system) => {
      for (let count = 0; count < 3; count++)
        for (const x of ['a', 'b', 'c']) await publish(system, 'limited', { x })
      const filtered = await listen(system, 'replay', {
        event: 'limited',
        identifier: { x: 'a' },
        more: ALL,
      })
      assert.deepEqual([numbers(filtered), filtered.isCompleted], [[1, 4, 7], true])
      const span = await listen(system, 'replay', { event: 'limited', more: { from_id: '4', to_id: '6' } })
      assert.deepEqual([numbers(span), span.isCompleted], [[4, 5, 6], true])
      const to_date = new Date(Date.now() + 60_000).toISOString()
      const dated = await listen(system, 'replay', { event: 'limited', more: { from_id: '7', to_date } })
      assert.deepEqual([numbers(dated), dated.isCompleted], [[7, 8, 9], true])
    }))

  it('gives our own clients the history in pieces, each from where the one before ended', () =>
    withImported(SERVER, async (system) => {
      await Promise.all(Array.from({ length: 7 }, () => publish(system, 'limited', { x: 'a' })))
      let from = 'from_id=1'
      const pieces: number[] = []
      for (const count of [3, 3]) {
        const headers = { accept: 'application/x-ndjson' }
        const response = await system.call(`/api/v1/watch?event=limited&${from}`, { headers })
        const lines = (await within('the stream ends', response.text())).trimEnd().split('\n')
        const frames = lines.map((line) => JSON.parse(line) as Line)
        const last = frames.at(-1)
        assert.deepEqual([last?.event, last?.data.detail], ['connection-closing', 'history_limit'])
        pieces.push(frames.filter(({ event }) => event === 'replay').length)
        assert.equal(pieces.at(-1), count)
        from = `from=${encodeURIComponent(last?.data.position ?? '')}`
      }
      const response = await system.call(`/api/v1/watch?event=limited&${from}`)
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
      let text = ''
      while (!text.includes('replay_completed')) {
        const piece = await within('a piece of the stream', reader?.read() ?? assert.fail('no body'))
        text += piece.value ?? assert.fail(text)
      }
      await reader?.cancel()
      assert.match(text, /"id":"limited@7"/)
      assert.doesNotMatch(text, /"id":"limited@6"/)
    }))

  it('K6: is none where the event type has none, whatever the limit of all is', () =>
    withImported(SERVER, async (system) => {
      for (let count = 0; count < 5; count++) await publish(system, 'free', { x: 'a' })
      const replay = await listen(system, 'replay', { event: 'free', more: ALL })
      assert.deepEqual([numbers(replay), replay.isCompleted], [upTo(5), true])
    }))
})

describe('the seam between history and live', () => {
  it('F15: has no hole and no double while a thousand are published across it', () =>
    withImported(SERVER, async (system) => {
      await Promise.all(Array.from({ length: 200 }, () => publish(system, 'free', { x: 'a' })))
      const publishing: Promise<unknown>[] = []
      const state = await listen(system, 'watch', {
        event: 'free',
        more: ALL,
        isEnough: ({ delivered }) => {
          if (publishing.length === 0)
            for (let writer = 0; writer < 10; writer++)
              publishing.push(
                (async () => {
                  for (let count = 0; count < 100; count++) await publish(system, 'free', { x: 'b' })
                })(),
              )
          return delivered.length === 1_200
        },
      })
      await Promise.all(publishing)
      assert.deepEqual([numbers(state), state.terminal], [upTo(1_200), undefined])
      assert.deepEqual(new Set(phases(state)), new Set(['replay', 'live-notification']))
    }))

  it('K8: a replay completes where its last notification is deleted before it is read', () =>
    withImported(SERVER, async (system) => {
      for (const x of ['a', 'b', 'c']) await publish(system, 'free', { x })
      const response = await system.post('/api/v1/replay', { event_type: 'free', identifier: {}, ...ALL })
      const deleted = await system.call('/api/v1/admin/notification/free%403', { method: 'DELETE' })
      assert.equal(deleted.status, 200, await deleted.text())
      const replay = await readAsClient(response, {
        event: 'free',
        mode: 'replay',
        hasStart: true,
        hasFilter: false,
      })
      assert.deepEqual([replay.isCompleted, replay.closed], [true, 'end_of_stream'])
      assert.deepEqual(numbers(replay).slice(0, 2), [1, 2])
    }))

  it('K9: what is stored again with the same fields is there twice: the first as history, the second live', () =>
    withImported(SERVER, async (system) => {
      await publish(system, 'free', { x: 'a' })
      const response = await system.post('/api/v1/watch', { event_type: 'free', identifier: {}, ...ALL })
      await publish(system, 'free', { x: 'a' })
      const request: ClientRequest = { event: 'free', mode: 'watch', hasStart: true, hasFilter: false }
      const state = await readAsClient(response, request, ({ delivered }) => delivered.length === 2)
      assert.deepEqual(numbers(state), [1, 2])
      assert.deepEqual(phases(state), ['replay', 'live-notification'])
    }))

  it('F12: a stream goes on past what cannot be read, without a frame that would end the official client', async () => {
    const store = createMemoryStore({ clock: systemClock })
    await withImported(
      SERVER,
      async (system) => {
        await publish(system, 'free', { x: 'a' })
        const put = { kind: 'put', key: toBytes('/aviso2/free/%ZZ'), value: toBytes('?') } as const
        await store.txn({ compare: [], success: [put] })
        await publish(system, 'free', { x: 'b' })
        const replay = await listen(system, 'replay', { event: 'free', more: ALL })
        assert.deepEqual([numbers(replay), replay.terminal, replay.isCompleted], [[1, 2], undefined, true])
      },
      { store },
    )
  })

  it('F20: Last-Event-ID goes on at the next notification', () =>
    withImported(SERVER, async (system) => {
      for (const x of ['a', 'b', 'c']) await publish(system, 'free', { x })
      const read = async (headers: Readonly<Record<string, string>>): Promise<readonly string[]> => {
        const response = await system.call('/api/v1/watch?event=free&from_id=1', { headers })
        assert.equal(response.status, 200)
        const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
        let text = ''
        while (!text.includes('"id":"free@3"')) {
          const piece = await within('a piece of the stream', reader?.read() ?? assert.fail('no body'))
          text += piece.value ?? assert.fail(text)
        }
        await reader?.cancel()
        return text.split('\n\n').filter((frame) => frame.includes('"specversion"'))
      }
      const [, second = ''] = await read({})
      const [, id = ''] = /^id: ?(.*)$/m.exec(second) ?? []
      const [next = '', ...others] = await read({ 'last-event-id': id })
      assert.match(next, /"id":"free@3"/)
      assert.deepEqual(others, [])
    }))
})

const AT = { date: '20260706', time: '0600' }
const A = '(52.5,13.4,52.6,13.5,52.5,13.6,52.4,13.5,52.5,13.4)'
const A_PAIRS = [
  [52.5, 13.4],
  [52.6, 13.5],
  [52.5, 13.6],
  [52.4, 13.5],
  [52.5, 13.4],
]
const FAR = '(10.0,10.0,10.2,10.0,10.2,10.2,10.0,10.2,10.0,10.0)'

describe('filters by place', () => {
  const found = async (
    system: ImportedSystem,
    identifier: object,
    event = 'test_polygon',
  ): Promise<number[]> => numbers(await listen(system, 'replay', { event, identifier, more: ALL }))

  it('G1 G2: polygon and point together, and points that are none, are refused', () =>
    withImported(SERVER, async ({ post }) => {
      const rows = [{ polygon: A, point: '1,1' }, { point: '91,0' }, { point: 'a,b' }, { point: '1' }]
      for (const [mode, code] of [
        ['watch', 'INVALID_WATCH_REQUEST'],
        ['replay', 'INVALID_REPLAY_REQUEST'],
      ])
        for (const identifier of rows) {
          const body = { event_type: 'test_polygon', identifier, ...(mode === 'replay' && ALL) }
          const response = await post(`/api/v1/${mode}`, body)
          const told = (await response.json()) as { code: string; field: string }
          assert.deepEqual([response.status, told.code], [400, code], JSON.stringify(identifier))
        }
    }))

  it('G3 G6 G7 G8 G9 G10: each notification is kept, and found by point and by polygon', () =>
    withImported(SERVER, async (system) => {
      await publish(system, 'test_polygon', { ...AT, polygon: A })
      await publish(system, 'test_polygon', { ...AT, polygon: FAR })
      assert.deepEqual(await found(system, { point: '52.55,13.5' }), [1])
      assert.deepEqual(await found(system, { point: '0,0' }), [])
      assert.deepEqual(await found(system, { point: '10,10.1' }), [2], 'a boundary counts')
      assert.deepEqual(
        await found(system, { polygon: '10.2,10,10.2,10.2,10.4,10.2,10.4,10,10.2,10' }),
        [2],
        'an edge',
      )
      assert.deepEqual(await found(system, { polygon: '10.3,10,10.3,10.2,10.4,10.2,10.4,10,10.3,10' }), [])
      assert.deepEqual(await found(system, { polygon: '0,0,0,60,60,60,60,0,0,0' }), [1, 2], 'both are kept')
    }))

  it('G4: a polygon that need not be given is left out, in history and live', () =>
    withImported(SERVER, async (system) => {
      const event = 'test_polygon_optional'
      await publish(system, event, { ...AT, polygon: A })
      let isPublished = false
      const state = await listen(system, 'watch', {
        event,
        identifier: { date: '2026-07-06' },
        more: ALL,
        isEnough: ({ isCompleted, delivered }) => {
          if (isCompleted && !isPublished) {
            isPublished = true
            void publish(system, event, { ...AT, polygon: FAR })
          }
          return delivered.length === 2
        },
      })
      assert.deepEqual(phases(state), ['replay', 'live-notification'])
    }))

  it('G5: the polygon is delivered as an array, in history and live', () =>
    withImported(SERVER, async (system) => {
      await publish(system, 'test_polygon', { ...AT, polygon: A })
      let isPublished = false
      const { delivered } = await listen(system, 'watch', {
        event: 'test_polygon',
        identifier: { point: '52.55,13.5' },
        more: ALL,
        isEnough: (state) => {
          if (state.isCompleted && !isPublished) {
            isPublished = true
            void publish(system, 'test_polygon', { ...AT, polygon: FAR }).then(() =>
              publish(system, 'test_polygon', { ...AT, polygon: A_PAIRS }),
            )
          }
          return state.delivered.length === 2
        },
      })
      assert.deepEqual(
        delivered.map(({ sequence, cloudEvent }) => [sequence, cloudEvent.data.identifier['polygon']]),
        [
          [1, A_PAIRS],
          [3, A_PAIRS],
        ],
      )
    }))
})
